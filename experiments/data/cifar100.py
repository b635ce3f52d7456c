"""CIFAR-100: the whole if it is there, else the 20 pictures that a package carries."""

import pathlib
import pickle
import tarfile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from experiments.data import dataset as dataset_lib
from experiments.data import keras_cache, packages

_CITATION = (
    "A. Krizhevsky, 'Learning multiple layers of features from tiny images', technical "
    "report, University of Toronto, 2009."
)

# Keras 3 names the archive after the folder that it unpacks; Keras 2 kept its name.
REMOTE = keras_cache.RemoteFile(
    names=("cifar-100-python-target_archive", "cifar-100-python.tar.gz"),
    url="https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
)


def load_best(
    directory: pathlib.Path | None = None,
    allow_download: bool = False,
    remote: keras_cache.RemoteFile = REMOTE,
) -> dataset_lib.Dataset:
    """Loads CIFAR-100 ("cifar100"), or failing that "cifar100-20" (20 pictures of it).

    Twenty pictures can be attacked but cannot train a model.

    Args:
      directory: A folder with `cifar-100-python.tar.gz`; nothing else is then tried.
      allow_download: Whether to fetch the archive (169 MB) into Keras' cache if it is
        not there. A machine without internet loses about three seconds.
      remote: The archive, replaced in tests.

    Returns:
      The data set with the 100 fine labels; its name and note say which one it is.

    Raises:
      DataNotFoundError: If no source has it.
      ValueError: If a file is there but is not CIFAR-100.
    """
    lookup = keras_cache.locate(remote, directory, allow_download)
    if lookup.path is not None:
        return _from_archive(lookup.path)
    try:
        return load_examples(reason=f"The whole was not used: {lookup.reason}.")
    except dataset_lib.DataNotFoundError as error:
        raise dataset_lib.DataNotFoundError(
            f"CIFAR-100 was not found. Tried: (1) Keras' archive: {lookup.reason}; (2) "
            f"the package foolbox: {error} Any one of these helps: allow the download, "
            "pass a `directory` with cifar-100-python.tar.gz, or install the package. "
            "'photo_patches' has pictures of that size to train on."
        ) from error


def load_examples(reason: str = "") -> dataset_lib.Dataset:
    """Loads "cifar100-20", the 20 pictures of CIFAR-100 inside foolbox.

    Args:
      reason: Appended to the note.

    Returns:
      20 pictures, float32 [20, 32, 32, 3], with labels among 100 classes.

    Raises:
      DataNotFoundError: If foolbox is not installed.
    """
    found = packages.find("foolbox", "foolbox/data/cifar100_*.png")
    note = f"{len(found.paths)} examples of CIFAR-100, from {found.source}."
    return dataset_lib.Dataset(
        name=f"cifar100-{len(found.paths)}",
        examples=dataset_lib.from_bytes(np.stack([_pixels(p) for p in found.paths])),
        # cifar100_<number>_<label>.png
        labels=np.array([int(p.stem.split("_")[2]) for p in found.paths], np.int32),
        num_classes=100,
        source=found.source,
        licence="none stated for the pictures; package MIT",
        citation=_CITATION,
        note=f"{note} {reason}".strip(),
    )


def _pixels(path: pathlib.Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), dtype=np.uint8)


def _from_archive(path: pathlib.Path) -> dataset_lib.Dataset:
    """Reads the archive without unpacking it. Its checksum has been verified."""
    with tarfile.open(path, "r:gz") as archive:
        train_images, train_labels = _batch(archive, "train")
        test_images, test_labels = _batch(archive, "test")
    labels = np.concatenate([train_labels, test_labels])
    return dataset_lib.Dataset(
        name="cifar100",
        examples=dataset_lib.from_bytes(np.concatenate([train_images, test_images])),
        labels=labels,
        num_classes=100,
        source="cifar-100-python.tar.gz, sha256 verified",
        licence="none stated",
        citation=_CITATION,
        note=f"All of CIFAR-100: {len(train_labels):,} training and "
        f"{len(test_labels):,} test pictures, fine labels.",
        test_rows=np.arange(len(labels)) >= len(train_labels),
    )


def _batch(
    archive: tarfile.TarFile, name: str
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Images uint8 [N, 32, 32, 3] and labels int32 [N] of one member."""
    member = archive.extractfile(f"cifar-100-python/{name}")
    if member is None:
        raise ValueError(
            f"The archive must have a file 'cifar-100-python/{name}', but that name is "
            "no file. Get the archive again."
        )
    # A pickle can run code; this one is safe because the archive's checksum was
    # compared with the published one before it was opened.
    batch = pickle.load(member, encoding="bytes")
    pixels = np.asarray(batch[b"data"], np.uint8).reshape(-1, 3, 32, 32)
    return pixels.transpose(0, 2, 3, 1), np.asarray(batch[b"fine_labels"], np.int32)
