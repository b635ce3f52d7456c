"""The pictures that attackers drew, kept so that a resumed run can still show them."""

import hashlib
import io
import pathlib

import numpy as np
from numpy.typing import NDArray

from experiments.outputs import files
from experiments.outputs.records import AttackKey

FOLDER_NAME = "reconstructions"


def save(run_folder: pathlib.Path, key: AttackKey, image: NDArray[np.floating]) -> None:
    """Keeps a reconstruction. Call it before the record is written.

    Args:
      run_folder: The folder of the run.
      key: Of the record that the picture belongs to.
      image: [h, w, c]; stored as float32.
    """
    path = _path(run_folder, key)
    path.parent.mkdir(exist_ok=True)
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(image, np.float32), allow_pickle=False)
    files.write_atomically(path, buffer.getvalue())


def load(run_folder: pathlib.Path, key: AttackKey) -> NDArray[np.float32] | None:
    """Returns a kept reconstruction, float32 [h, w, c], or None if there is none."""
    path = _path(run_folder, key)
    if not path.exists():
        return None
    image: NDArray[np.float32] = np.load(path, allow_pickle=False)
    return image


def _path(run_folder: pathlib.Path, key: AttackKey) -> pathlib.Path:
    digest = hashlib.sha256(repr(key).encode()).hexdigest()[:24]
    return run_folder / FOLDER_NAME / f"image{key.image_index:05d}_{digest}.npy"
