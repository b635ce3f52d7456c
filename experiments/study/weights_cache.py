"""Trained weights that were trained before: one file for all that determines them.

The files lie in `$XDG_CACHE_HOME/selenc_tf/weights`, by default below `~/.cache`. They
hold no examples, and may be deleted at any time.
"""

import io
import json
import os
import pathlib
import zipfile
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.outputs import files
from experiments.study import digests

Arrays = tuple[NDArray[np.generic], ...]


class Trained(NamedTuple):
    """What a training made.

    Attributes:
      weights: The trainable tensors.
      state: What training moves beside them.
      measures: What the model's meters say of them on a test set.
    """

    weights: Arrays
    state: Arrays
    measures: dict[str, float]

    @property
    def sha256(self) -> str:
        """Of weights and state."""
        return digests.of_arrays(*self.weights, *self.state)


def folder() -> pathlib.Path:
    """Where the files are; it need not exist."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")
    return pathlib.Path(home).expanduser() / "selenc_tf" / "weights"


def load(key: str, like: tuple[Arrays, Arrays]) -> Trained | None:
    """Reads what was kept.

    Args:
      key: Of what determines it.
      like: Weights and state of the same shapes and types.

    Returns:
      It; None if there is none, or the file is damaged.
    """
    try:
        whole = io.BytesIO(_path(key).read_bytes())
        with np.load(whole, allow_pickle=False) as kept:
            about = json.loads(str(kept["about"]))
            weights, state = (
                tuple(kept[f"{part}{at}"] for at in range(len(arrays)))
                for part, arrays in zip(("weight", "state"), like, strict=True)
            )
            measures = {name: float(one) for name, one in about["measures"].items()}
            found = Trained(weights, state, measures)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError):
        return None
    except zipfile.BadZipFile:
        return None
    same = about["sha256"] == found.sha256
    return found if same and _fits(found, like) else None


def save(key: str, trained: Trained) -> None:
    """Keeps what was trained, the whole or nothing.

    Args:
      key: Of what determines it.
      trained: What to keep.

    Raises:
      OSError: If the folder cannot be written.
    """
    path, buffer = _path(key), io.BytesIO()
    about = json.dumps({"sha256": trained.sha256, "measures": trained.measures})
    arrays: dict[str, Any] = {
        "about": np.array(about),
        **_numbered("weight", trained.weights),
        **_numbered("state", trained.state),
    }
    np.savez(buffer, **arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_atomically(path, buffer.getvalue())


def _path(key: str) -> pathlib.Path:
    return folder() / f"{key}.npz"


def _numbered(
    part: str, arrays: Sequence[NDArray[np.generic]]
) -> dict[str, np.ndarray]:
    return {f"{part}{at}": array for at, array in enumerate(arrays)}


def _fits(found: Trained, like: tuple[Arrays, Arrays]) -> bool:
    pairs = zip((*found.weights, *found.state), (*like[0], *like[1]), strict=True)
    return all(one.shape == two.shape and one.dtype == two.dtype for one, two in pairs)
