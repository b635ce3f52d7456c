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
    _write(path_of(run_folder, key), example)


def load(run_folder: pathlib.Path, key: AttackKey) -> NDArray[Any] | None:
    """Returns a kept reconstruction, or None if there is none that can be read."""
    return _read(path_of(run_folder, key))


def save_original(run_folder: pathlib.Path, row: int, example: NDArray[Any]) -> None:
    """Keeps an attacked example itself, so that a report needs no data set.

    Args:
      run_folder: The folder of the run.
      row: Its index in the data set.
      example: As `save` has it.
    """
    path = _original(run_folder, row)
    if _read(path) is None:
        _write(path, example)


def load_original(run_folder: pathlib.Path, row: int) -> NDArray[Any] | None:
    """Returns a kept original, or None if there is none that can be read."""
    return _read(_original(run_folder, row))


def why_none(run_folder: pathlib.Path, key: AttackKey) -> str:
    """Why `load` has nothing, in words."""
    path = path_of(run_folder, key)
    return f"{path.name} is {'damaged' if path.exists() else 'missing'}"


def damaged(run_folder: pathlib.Path) -> list[str]:
    """The names of the kept files that cannot be read, in their order."""
    kept = sorted((run_folder / FOLDER_NAME).glob("*.npy"))
    return [path.name for path in kept if _read(path) is None]


def path_of(run_folder: pathlib.Path, key: AttackKey) -> pathlib.Path:
    """Where the reconstruction that belongs to a record is kept, if there is one."""
    digest = hashlib.sha256(repr(key).encode()).hexdigest()[:24]
    return run_folder / FOLDER_NAME / f"image{key.image_index:05d}_{digest}.npy"


def _original(run_folder: pathlib.Path, row: int) -> pathlib.Path:
    return run_folder / FOLDER_NAME / f"image{row:05d}_original.npy"


def _write(path: pathlib.Path, example: NDArray[Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    buffer = io.BytesIO()
    np.save(buffer, example, allow_pickle=False)
    files.write_atomically(path, buffer.getvalue())


def _read(path: pathlib.Path) -> NDArray[Any] | None:
    if not path.exists():
        return None
    try:
        example: NDArray[Any] = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError):
        return None
    return example
