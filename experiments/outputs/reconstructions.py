"""What attackers reconstructed, kept so that a resumed run can still show it."""

import hashlib
import io
import pathlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.outputs import files
from experiments.outputs.records import AttackKey

FOLDER_NAME = "reconstructions"


def save(run_folder: pathlib.Path, key: AttackKey, example: NDArray[Any]) -> None:
    """Keeps a reconstruction. Call it before the record is written.

    Args:
      run_folder: The folder of the run.
      key: Of the record that the example belongs to.
      example: One example as its modality has them, without objects.
    """
    path = _path(run_folder, key)
    path.parent.mkdir(exist_ok=True)
    buffer = io.BytesIO()
    np.save(buffer, example, allow_pickle=False)
    files.write_atomically(path, buffer.getvalue())


def load(run_folder: pathlib.Path, key: AttackKey) -> NDArray[Any] | None:
    """Returns a kept reconstruction, or None if there is none."""
    path = _path(run_folder, key)
    if not path.exists():
        return None
    example: NDArray[Any] = np.load(path, allow_pickle=False)
    return example


def _path(run_folder: pathlib.Path, key: AttackKey) -> pathlib.Path:
    digest = hashlib.sha256(repr(key).encode()).hexdigest()[:24]
    return run_folder / FOLDER_NAME / f"image{key.image_index:05d}_{digest}.npy"
