"""The files that `keras.datasets` downloads: found, verified and, if allowed, fetched.

The same addresses, file names and checksums as Keras, so that the two share one cache.
Keras' own function is not called: it prints, it has no time limit, and importing Keras
takes longer than reading the data.
"""

import hashlib
import http.client
import os
import pathlib
import tempfile
import threading
import urllib.error
import urllib.request
from typing import NamedTuple

from experiments.data import dataset as dataset_lib

_CHUNK_BYTES = 1 << 20


class RemoteFile(NamedTuple):
    """A file that Keras knows.

    Attributes:
      names: What the file may be called in a cache; a download takes the first.
      url: Where it comes from.
      sha256: Its checksum, in hexadecimal. It makes the name of the data certain.
    """

    names: tuple[str, ...]
    url: str
    sha256: str


class Lookup(NamedTuple):
    """What `locate` found.

    Attributes:
      path: The verified file, or None.
      reason: If there is none, why, for the data set's note.
    """

    path: pathlib.Path | None
    reason: str


def folder() -> pathlib.Path:
    """Where Keras keeps data: `$KERAS_HOME/datasets`, by default below `~/.keras`."""
    home = os.environ.get("KERAS_HOME") or os.path.join("~", ".keras")
    return pathlib.Path(home).expanduser() / "datasets"


def locate(
    remote: RemoteFile,
    directory: pathlib.Path | None,
    allow_download: bool,
    connect_seconds: float = 3.0,
) -> Lookup:
    """Finds the file: in `directory` if given, else in the cache, else by download.

    Args:
      remote: The file.
      directory: If given, the file has to be there and nowhere else.
      allow_download: Whether the network may be asked.
      connect_seconds: How long to wait for the server's first answer.

    Returns:
      The file, or the reason why there is none.

    Raises:
      DataNotFoundError: If `directory` is given and does not hold the file.
      ValueError: If a file is there but is not the one that its name promises.
    """
    searched = folder() if directory is None else directory
    for name in remote.names:
        if (searched / name).is_file():
            return Lookup(verified(searched / name, remote.sha256), "")
    if directory is not None:
        raise dataset_lib.DataNotFoundError(
            f"`directory` (`--data_dir`) must hold {' or '.join(remote.names)}, but "
            f"{directory} does not. Put the file there (from {remote.url}) or leave it out."
        )
    wanted = f"$KERAS_HOME/datasets/{remote.names[0]}"
    if not allow_download:
        return Lookup(None, f"no {wanted}, and downloading was not allowed")
    failure = _download(remote, searched / remote.names[0], connect_seconds)
    if failure:
        return Lookup(None, f"no {wanted}, and the download failed: {failure}")
    return Lookup(searched / remote.names[0], "")


def verified(path: pathlib.Path, sha256: str) -> pathlib.Path:
    """Returns `path` if the file has that checksum.

    Raises:
      ValueError: If it has another.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise ValueError(
            f"{path} must have the sha256 {sha256} to be what its name says, got "
            f"{found}: the file is damaged or is another data set. Delete it, or pass "
            "the directory of the right one."
        )
    return path


def _download(
    remote: RemoteFile, target: pathlib.Path, connect_seconds: float
) -> str | None:
    """Fetches a file, all or nothing. Returns what went wrong, or None."""
    failure = _unreachable(remote.url, connect_seconds)
    if failure:
        return failure
    temporary: pathlib.Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            urllib.request.urlopen(remote.url, timeout=10.0) as response,
            tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file,
        ):
            temporary = pathlib.Path(file.name)
            while chunk := response.read(_CHUNK_BYTES):
                file.write(chunk)
        os.replace(verified(temporary, remote.sha256), target)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return _short(error)
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return None


def _unreachable(url: str, seconds: float) -> str | None:
    """Asks for the head of a file in bounded time. Returns what went wrong, or None.

    The question is asked in a thread because looking up a host name has no time limit
    of its own; a thread that is still waiting is left behind and ends with the process.
    """
    outcome = [f"no answer within {seconds:g} s"]

    def ask() -> None:
        try:
            request = urllib.request.Request(url, method="HEAD")
            with urllib.request.urlopen(request, timeout=seconds):
                outcome[0] = ""
        except (OSError, ValueError, http.client.HTTPException) as error:
            outcome[0] = _short(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return outcome[0] or None


def _short(error: Exception) -> str:
    """One line about an error of the network, without addresses of this machine."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    text = getattr(reason, "strerror", None) or type(reason).__name__
    return str(text)
