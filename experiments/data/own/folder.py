"""Pictures by class, or by client and class, in folders."""

import os
import pathlib
import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from experiments.data import dataset as dataset_lib
from experiments.data.own.assembling import Raw

_CHANNELS = {"L": 1, "RGB": 3}


class _File(NamedTuple):
    path: pathlib.Path
    label: str
    client: str | None


def read(folder: pathlib.Path) -> Raw:
    """Reads `<folder>/<class>/*`, or `<folder>/<client>/<class>/*`.

    Args:
      folder: Hidden files are passed over; all others must be pictures of one size
        with 1 or 3 channels of 8 bits, in any format that Pillow reads.

    Returns:
      uint8 [N, h, w, c] and classes, by name; clients where there is a folder each.

    Raises:
      DataNotFoundError: If there are no pictures.
      ValueError: If a file is none, or differs from the first.
    """
    files = _files(folder)
    first = _form(files[0].path, folder)
    for file in files[1:]:
        found = _form(file.path, folder)
        if found != first:
            raise ValueError(
                "All pictures must have one size and number of channels, as "
                f"{_name(files[0].path, folder)} with {_said(first)}, but "
                f"{_name(file.path, folder)} has {_said(found)}. Convert it."
            )
    by_name = [file.client for file in files if file.client is not None]
    return Raw(
        inputs=np.stack([_pixels(file.path, folder, first) for file in files]),
        labels=np.array([file.label for file in files]),
        clients=np.array(by_name) if by_name else None,
    )


def _files(folder: pathlib.Path) -> list[_File]:
    top = _folders(folder, folder)
    inside = [_children(path, folder) for path in top]
    by_client = any(path.is_dir() for paths in inside for path in paths)
    found = []
    for one, paths in zip(top, inside, strict=True):
        if not by_client:
            found += [_File(path, one.name, None) for path in paths]
            continue
        for label in _folders(one, folder):
            found += [
                _File(path, label.name, one.name) for path in _children(label, folder)
            ]
    for file in found:
        if not file.path.is_file():
            raise ValueError(
                f"{_name(file.path, folder)} must be a picture, but is no file: pictures "
                "stand in <folder>/<class>/, or in <folder>/<client>/<class>/."
            )
    return found


def _folders(parent: pathlib.Path, folder: pathlib.Path) -> list[pathlib.Path]:
    found = _children(parent, folder)
    for path in found:
        if not path.is_dir():
            raise ValueError(
                f"{_name(path, folder)} must be a folder, as those beside it: pictures "
                "stand in <folder>/<class>/, or in <folder>/<client>/<class>/."
            )
    return found


def _children(parent: pathlib.Path, folder: pathlib.Path) -> list[pathlib.Path]:
    try:
        names = sorted(name for name in os.listdir(parent) if not name.startswith("."))
    except OSError as error:
        raise dataset_lib.DataNotFoundError(
            f"{_name(parent, folder)} could not be listed: {error.strerror}."
        ) from error
    if not names:
        raise dataset_lib.DataNotFoundError(
            f"{_name(parent, folder)} is empty: pictures stand in <folder>/<class>/, or "
            "in <folder>/<client>/<class>/."
        )
    return [parent / name for name in names]


def _form(path: pathlib.Path, folder: pathlib.Path) -> tuple[int, int, int]:
    """Height, width and channels, from the head of the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                mode, frames = _mode(image), getattr(image, "n_frames", 1)
                bands = len(image.getbands())
                width, height = image.size
    except Exception as error:  # Decoders of broken files raise all kinds.
        raise _unreadable(path, folder) from error
    if mode not in _CHANNELS or frames != 1:
        raise ValueError(
            "Pictures must be one frame of 1 (grey) or 3 (colour) channels of 8 bits, but "
            f"{_name(path, folder)} has {frames} frames of {bands} channels, {mode} in "
            "Pillow's words. Convert it."
        )
    return height, width, _CHANNELS[mode]


def _mode(image: Image.Image) -> str:
    # A palette without transparency is a way to store colours.
    palette = image.mode == "P" and "transparency" not in image.info
    return "RGB" if palette else image.mode


def _pixels(
    path: pathlib.Path, folder: pathlib.Path, form: tuple[int, int, int]
) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert(_mode(image)), dtype=np.uint8)
    except Exception as error:  # As above.
        raise _unreadable(path, folder) from error
    return pixels.reshape(form)


def _unreadable(path: pathlib.Path, folder: pathlib.Path) -> ValueError:
    return ValueError(
        f"{_name(path, folder)} must be a picture, but Pillow cannot read it. Take it out "
        "of the folder, or get it again."
    )


def _said(form: tuple[int, int, int]) -> str:
    height, width, channels = form
    return f"{height}x{width} pixels (height, width) and {channels} channels"


def _name(path: pathlib.Path, folder: pathlib.Path) -> str:
    return repr(str(path.relative_to(folder.parent)))
