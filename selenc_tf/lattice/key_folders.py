"""Folders for keys that a process needs while it lives, and no longer.

Such a folder lies among the temporary files. A lock on a file in it, which ends with the
process whatever ends that, tells a living owner's folder from one that was left behind;
`temporary` deletes those of this user before it makes a new one.
"""

import contextlib
import fcntl
import os
import pathlib
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from typing import NamedTuple

PREFIX = "selenc-keys-"
_LOCK = "owner.lock"


class KeyFolder(NamedTuple):
    """A folder for keys, and how it ends.

    Attributes:
      path: Where it is.
      delete: Deletes it, in the process that made it; in a fork of it does nothing.
    """

    path: pathlib.Path
    delete: Callable[[], None]


def make() -> KeyFolder:
    """Makes a folder that only this user can read, and deletes what others left.

    Runs on: key holder, in a simulation.

    Returns:
      The folder, which is locked until this process and its forks have ended.
    """
    sweep()
    while True:
        path = pathlib.Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = os.open(path / _LOCK, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (path / _LOCK).exists():
            break
        os.close(lock)  # Another process found it before it was locked.
    owner, ending = os.getpid(), contextlib.ExitStack()
    ending.callback(os.close, lock)
    ending.callback(_delete, path)

    def delete() -> None:
        if os.getpid() == owner:
            ending.close()

    return KeyFolder(path, delete)


@contextlib.contextmanager
def temporary() -> Iterator[pathlib.Path]:
    """As `make`; the folder is deleted at the end, after an exception too."""
    folder = make()
    try:
        yield folder.path
    finally:
        folder.delete()


def sweep() -> int:
    """Deletes the folders of this user whose owners have ended, and counts them.

    One without a lock is not touched: it was never used, or is not ours.
    """
    return sum(
        _delete_if_left(path)
        for path in pathlib.Path(tempfile.gettempdir()).glob(f"{PREFIX}*")
    )


def _delete(folder: pathlib.Path) -> None:
    """Deletes a folder, its lock last: who is killed meanwhile leaves it to `sweep`."""
    with contextlib.suppress(FileNotFoundError):
        for one in list(folder.iterdir()):
            if one.is_dir() and not one.is_symlink():
                shutil.rmtree(one, ignore_errors=True)
            elif one.name != _LOCK:
                with contextlib.suppress(OSError):
                    one.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _delete_if_left(folder: pathlib.Path) -> bool:
    try:
        about = folder.lstat()
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
            return False
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _delete(folder)
        return True
    except OSError:
        return False
    finally:
        os.close(lock)
