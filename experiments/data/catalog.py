"""The data sets by name. A new one is a file with a loader and a line here."""

import pathlib
from collections.abc import Callable, Mapping
from typing import TypeAlias

from experiments.data import cifar100, mnist, photo_patches
from experiments.data import dataset as dataset_lib
from selenc_tf import validation

Loader: TypeAlias = Callable[[pathlib.Path | None, bool], dataset_lib.Dataset]
"""`(directory or None, allow_download) -> Dataset`."""

CATALOG: Mapping[str, Loader] = {
    "mnist": mnist.load_best,
    "mnist-5k": mnist.load_subset,
    "cifar100": cifar100.load_best,
    "cifar100-20": cifar100.load_examples,
    "photo_patches": photo_patches.load,
}


def load(
    name: str,
    directory: str | pathlib.Path | None = None,
    allow_download: bool = False,
) -> dataset_lib.Dataset:
    """Loads a data set from the best source that this machine has.

    Args:
      name: A key of `CATALOG`. Where the whole of "mnist" or "cifar100" is not to be
        had, a part of it comes back under the part's own name.
      directory: A folder that holds the original file; no other source is then tried.
      allow_download: Whether the network may be asked for the original. False keeps a
        run the same on every day.

    Returns:
      The data set. Report its `name` and `note`, not the name that was asked for.

    Raises:
      DataNotFoundError: If no source has it; the message says what to install.
      ValueError: If the name is unknown or a file is not what its name says.
    """
    validation.check_in("dataset", name, CATALOG)
    return CATALOG[name](
        None if directory is None else pathlib.Path(directory).expanduser(),
        allow_download,
    )
