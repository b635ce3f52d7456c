"""The data sets by name. A new one is a file with a loader and an entry here."""

import pathlib
import pkgutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from selenc_tf import validation

if TYPE_CHECKING:
    from experiments.data.dataset import Dataset


class Entry(NamedTuple):
    """Where a data set comes from.

    Attributes:
      loader: "module:function" that loads it; imported when it is called.
      has_original: Whether there is a file of the original, in a folder or to download:
        the loader is then called as `(directory or None, allow_download)`. Else all is
        in installed packages, and it is called without arguments.
    """

    loader: str
    has_original: bool = False


CATALOG: Mapping[str, Entry] = {
    "mnist": Entry("experiments.data.mnist:load_best", has_original=True),
    "mnist-5k": Entry("experiments.data.mnist:load_subset"),
    "cifar100": Entry("experiments.data.cifar100:load_best", has_original=True),
    "cifar100-20": Entry("experiments.data.cifar100:load_examples"),
    "photo_patches": Entry("experiments.data.photo_patches:load"),
}


def load(
    name: str,
    directory: str | pathlib.Path | None = None,
    allow_download: bool = False,
) -> "Dataset":
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
      ValueError: If the name is unknown, if `directory` or `allow_download` is given for
        a data set without an original, or a file is not what its name says.
    """
    validation.check_in("dataset", name, CATALOG)
    entry = CATALOG[name]
    given = [f"`--data_dir`={directory}"] * (directory is not None)
    given += ["`--allow_download`"] * allow_download
    if given and not entry.has_original:
        originals = " or ".join(n for n, other in CATALOG.items() if other.has_original)
        raise ValueError(
            f"`--data_dir` and `--allow_download` must not be given for {name!r}, which "
            f"comes from installed packages, got {' and '.join(given)}. Leave them out, "
            f"or take --dataset={originals}."
        )
    load_it = pkgutil.resolve_name(entry.loader)
    dataset: Dataset = (
        load_it(
            None if directory is None else pathlib.Path(directory).expanduser(),
            allow_download,
        )
        if entry.has_original
        else load_it()
    )
    return dataset
