"""Small patches of real colour photographs, to train on where CIFAR cannot be had.

The task is to tell from which photograph a patch is: texture and scene recognition, not
object recognition. Neighbouring patches look alike, so patches come in blocks that a
split keeps together.
"""

import pathlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from experiments.data import dataset as dataset_lib
from experiments.data import packages

PATCH_PIXELS = 32
BLOCK_PATCHES = 4
_WINDOW_PIXELS = 512
"""At most the central 512x512 pixels of a photo: 256 patches, so classes stay even."""

_SKIMAGE = "skimage/data/"
_SKLEARN = "sklearn/datasets/images/"


class _Photo(NamedTuple):
    file: str
    licence: str


_FROM_SCIKIT_IMAGE: tuple[_Photo, ...] = (
    _Photo(_SKIMAGE + "astronaut.png", "NASA, public domain"),
    _Photo(_SKIMAGE + "chelsea.png", "S. van der Walt, CC0"),
    _Photo(_SKIMAGE + "coffee.png", "R. Michetti, CC0"),
    _Photo(_SKIMAGE + "rocket.jpg", "SpaceX, public domain"),
    _Photo(_SKIMAGE + "ihc.png", "CMMI, no known restrictions"),
    _Photo(_SKIMAGE + "hubble_deep_field.jpg", "NASA, public domain"),
    _Photo(
        _SKIMAGE + "motorcycle_left.png", "Middlebury 2014 stereo, no licence stated"
    ),
    _Photo(_SKIMAGE + "retina.jpg", "M. Häggström, CC0"),
)
_FROM_SCIKIT_LEARN: tuple[_Photo, ...] = (
    _Photo(_SKLEARN + "china.jpg", "danielbuechele, CC BY 2.0"),
    _Photo(_SKLEARN + "flower.jpg", "vultilion, CC BY 2.0"),
)


def load() -> dataset_lib.Dataset:
    """Loads 32x32 colour patches of the photographs inside two packages.

    Returns:
      float32 [N, 32, 32, 3], the classes being the photographs: "photo_patches-10", or
      "photo_patches-8" if scikit-learn is not installed. Blocks of 4x4 neighbouring
      patches are the groups that a split keeps together.

    Raises:
      DataNotFoundError: If scikit-image is not installed.
    """
    sources, paths = _locate("scikit-image", _FROM_SCIKIT_IMAGE)
    photos = _FROM_SCIKIT_IMAGE
    try:
        more_sources, more_paths = _locate("scikit-learn", _FROM_SCIKIT_LEARN)
    except dataset_lib.DataNotFoundError:
        pass
    else:
        sources, paths = sources + more_sources, paths + more_paths
        photos = photos + _FROM_SCIKIT_LEARN

    cut = [_patches(_read(path)) for path in paths]
    labels = np.repeat(np.arange(len(cut)), [len(patches) for patches, _ in cut])
    offsets = np.cumsum([0, *(int(blocks.max()) + 1 for _, blocks in cut)])[:-1]
    groups = [blocks + offset for (_, blocks), offset in zip(cut, offsets, strict=True)]
    images = np.concatenate([patches for patches, _ in cut])
    source = ", ".join(sources)
    return dataset_lib.Dataset(
        name=f"photo_patches-{len(cut)}",
        examples=dataset_lib.from_bytes(images),
        labels=labels.astype(np.int32),
        num_classes=len(cut),
        source=source,
        licence="; ".join(f"{pathlib.Path(p.file).stem}: {p.licence}" for p in photos),
        citation="S. van der Walt et al., 'scikit-image: image processing in Python', "
        "PeerJ 2:e453, 2014.",
        note=f"{len(images):,} patches of 32x32 pixels cut from {len(cut)} photographs "
        f"in {source}; the class is the photograph.",
        groups=np.concatenate(groups).astype(np.int32),
    )


def _locate(
    distribution: str, photos: tuple[_Photo, ...]
) -> tuple[tuple[str, ...], tuple[pathlib.Path, ...]]:
    found = [packages.find(distribution, photo.file) for photo in photos]
    return (found[0].source,), tuple(files.paths[0] for files in found)


def _read(path: pathlib.Path) -> NDArray[np.uint8]:
    """The centre of a photograph, uint8 [h, w, 3], h and w whole numbers of patches."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"), dtype=np.uint8)
    sizes = [min(size, _WINDOW_PIXELS) for size in pixels.shape[:2]]
    height, width = (size - size % PATCH_PIXELS for size in sizes)
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return pixels[top : top + height, left : left + width]


def _patches(photo: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Cuts a photo into patches that do not overlap, row by row.

    Args:
      photo: uint8 [a * 32, b * 32, 3].

    Returns:
      Patches uint8 [a * b, 32, 32, 3], and int64 [a * b]: in which block of 4x4 patches
      each one lies.
    """
    rows, columns = (size // PATCH_PIXELS for size in photo.shape[:2])
    tiles = photo.reshape(rows, PATCH_PIXELS, columns, PATCH_PIXELS, 3)
    patches = tiles.transpose(0, 2, 1, 3, 4).reshape(-1, PATCH_PIXELS, PATCH_PIXELS, 3)
    block_columns = -(-columns // BLOCK_PATCHES)
    row, column = np.divmod(np.arange(rows * columns), columns)
    blocks = (row // BLOCK_PATCHES) * block_columns + column // BLOCK_PATCHES
    return patches, blocks
