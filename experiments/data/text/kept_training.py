"""The state of a training on disk: to go on with, and to load when it is finished.

One file a model in `$XDG_CACHE_HOME/selenc_tf/language_models`, by default below
`~/.cache`. It holds no sentences, and may be deleted at any time.
"""

import hashlib
import io
import json
import os
import pathlib
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Kept(NamedTuple):
    """What is kept.

    Attributes:
      weights: The model's tensors, in its own order.
      optimiser: The optimiser's, in its own order; none when training is finished.
      settings: Everything that determines the training: a file with others is not used.
      epoch: How many are done.
      losses: Of the held-out sentences after each epoch, in nats a token.
    """

    weights: tuple[NDArray[np.float32], ...]
    optimiser: tuple[NDArray[Any], ...]
    settings: Mapping[str, Any]
    epoch: int
    losses: tuple[float, ...]

    @property
    def finished(self) -> bool:
        """Whether all epochs are done."""
        return self.epoch >= int(self.settings["epochs"])

    @property
    def words(self) -> str:
        """How results name these weights."""
        told = self.settings
        return (
            f"trained here on {told['sentences']:,} sentences of {told['data']}, "
            f"{self.epoch} epochs, seed {told['seed']}; held-out loss "
            f"{self.losses[-1]:.2f} nats a token; sha256 {self.sha256[:12]}"
        )

    @property
    def sha256(self) -> str:
        """Of the weights, in hexadecimal."""
        digest = hashlib.sha256()
        for one in self.weights:
            digest.update(np.ascontiguousarray(one).tobytes())
        return digest.hexdigest()


def path(name: str) -> pathlib.Path:
    """Where a model's file is; it need not exist."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")
    folder = pathlib.Path(home).expanduser() / "selenc_tf" / "language_models"
    return folder / f"{name}.npz"


def load(file: pathlib.Path) -> Kept | None:
    """Reads a file.

    Args:
      file: Which one.

    Returns:
      What it keeps; None if it is not there, or damaged.
    """
    try:
        whole = io.BytesIO(file.read_bytes())
        with np.load(whole, allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            weights, optimiser = (
                tuple(arrays[f"{part}{at}"] for at in range(about[part]))
                for part in ("weights", "optimiser")
            )
        found = Kept(
            weights,
            optimiser,
            about["settings"],
            about["epoch"],
            tuple(about["losses"]),
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None
    return found if found.sha256 == about["sha256"] else None


def save(file: pathlib.Path, kept: Kept) -> None:
    """Writes a file, the whole or nothing.

    Raises:
      OSError: If the folder cannot be written.
    """
    about = {
        "settings": dict(kept.settings),
        "epoch": kept.epoch,
        "losses": kept.losses,
        "sha256": kept.sha256,
        "weights": len(kept.weights),
        "optimiser": len(kept.optimiser),
    }
    arrays: dict[str, Any] = {"about": np.array(json.dumps(about))}
    for part in ("weights", "optimiser"):
        arrays |= {f"{part}{at}": one for at, one in enumerate(getattr(kept, part))}
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as temporary:
        try:
            np.savez(temporary, **arrays)
            temporary.flush()
            os.replace(temporary.name, file)
        except BaseException:
            pathlib.Path(temporary.name).unlink(missing_ok=True)
            raise


def fill(kept: Kept, variables: Sequence[Any]) -> None:
    """Writes the weights into a model's variables, in their order."""
    for variable, value in zip(variables, kept.weights, strict=True):
        variable.assign(value)
