"""Key files on the disk: their names, how they come and go, and who may read them.

A file is written under the name `.NAME.` and 16 hex digits, for its owner only, and gets
its own name, a hard link, when it is complete and on the disk. Whoever is killed on the
way leaves the first name behind; `names_of` and `numbered` know it, so that what deletes
a key deletes that too.
"""

import contextlib
import errno
import fcntl
import os
import pathlib
import re
import secrets
import stat
import warnings
from collections.abc import Callable, Iterable, Iterator

from selenc_tf.lattice import memory, path_steps

SUFFIX = ".key"
DIGITS = 6
_TOKEN_BYTES = 8
_UNFINISHED = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{16}", re.DOTALL)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_PASS = stat.S_IXGRP | stat.S_IXOTH
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def absolute(path: str | os.PathLike[str]) -> pathlib.Path:
    """A path that means the same wherever a process stands.

    Raises:
      ValueError: If it is no UTF-8 text, which names of files in graphs are, or no file can
        have it.
    """
    text = os.fsdecode(path)
    if "\0" in text or not _is_utf8(text):
        raise ValueError(
            f"`path` must be a name in UTF-8 without a zero, got {text!r}. Choose another."
        )
    return pathlib.Path(text).expanduser().absolute()


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def file_name(number: int) -> str:
    """The name of a key in the folder of its series."""
    return f"{number:0{DIGITS}d}{SUFFIX}"


def files_of(folder: pathlib.Path) -> list[pathlib.Path]:
    """The complete key files of a series, in the order of their numbers."""
    complete = {
        number: path for number, path in numbered(folder) if path.name[0] != "."
    }
    return [complete[number] for number in sorted(complete)]


def numbered(folder: pathlib.Path) -> Iterator[tuple[int, pathlib.Path]]:
    """All files of a series with the numbers of their keys, unfinished ones too."""
    for path in sorted(folder.iterdir()):
        name = _finished_name(path.name)
        stem, _ = os.path.splitext(name)
        # Another spelling of a number is another file, which nobody reads by it.
        if stem.isdecimal() and name == file_name(int(stem)):
            yield int(stem), path


def names_of(target: pathlib.Path) -> list[pathlib.Path]:
    """All files of one key: its own, and what was not finished of it."""
    if not target.parent.is_dir():
        return []
    return [
        path
        for path in sorted(target.parent.iterdir())
        if target.name in (path.name, _finished_name(path.name))
    ]


def make_folder(folder: pathlib.Path) -> None:
    """Makes a folder, and those above it that are not there, for its owner only."""
    for one in (*reversed(folder.parents), folder):
        with contextlib.suppress(FileExistsError):
            if not one.is_dir():
                os.mkdir(one, 0o700)


@contextlib.contextmanager
def locked(folder: pathlib.Path) -> Iterator[None]:
    """Keeps other processes out that lock the same folder; ends with the process."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_new(target: pathlib.Path, write: Callable[[int], None]) -> None:
    """Makes a file that appears complete or not at all, for its owner only.

    Args:
      target: Its name.
      write: Gets the descriptor, and writes all of the content to it.

    Raises:
      ValueError: If the name is one that an unfinished file has.
      FileExistsError: If the name is taken; nothing is ever overwritten.
      PermissionError: If the file system lets others read it whatever its mode.
      OSError: If it cannot be written. No part of it is left.
    """
    if (of := _finished_name(target.name)) != target.name:
        raise ValueError(
            f"`path` must not have a name that an unfinished key has, but {target.name!r} "
            f"is one of the key {of!r}, and would be deleted with it. Choose another name."
        )
    # Before there is anything of a key: that of a folder's name nobody would find.
    if os.path.lexists(target):
        raise _taken(target)
    make_folder(target.parent)
    token = secrets.token_hex(_TOKEN_BYTES)
    unfinished = target.with_name(f".{target.name}.{token}")
    # By no link, and never one that is there.
    flags = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY
    descriptor = os.open(unfinished, flags, 0o600)
    try:
        if os.fstat(descriptor).st_mode & _OTHERS:
            raise PermissionError(
                f"`path` must lie where files can be kept from other users, but "
                f"{target.parent} does not know file modes. Choose another folder."
            )
        try:
            write(descriptor)
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
                raise
            raise no_room(target) from None
        # A hard link fails if the name is taken, atomically.
        os.link(unfinished, target)
    except FileExistsError:
        raise _taken(target) from None
    finally:
        os.close(descriptor)
        os.unlink(unfinished)
    _sync(target.parent)


def _taken(target: pathlib.Path) -> FileExistsError:
    return FileExistsError(
        f"`path` must not exist yet, but {target} does. A key file is never "
        "overwritten: choose another name, or delete it if no ciphertext needs it."
    )


def no_room(target: pathlib.Path) -> OSError:
    """What a full disk, or a full quota, is refused with."""
    return OSError(
        errno.ENOSPC,
        f"`path` must be where a key can be written, but there is no room for {target}. "
        "Nothing of it was kept: make room, or take another folder.",
    )


@memory.zeroed()
def copy_new(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copies a key file as `write_new` makes one."""
    content = source.read_bytes()

    def write(descriptor: int) -> None:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    write_new(target, write)


def remove(files: Iterable[pathlib.Path]) -> int:
    """Deletes files for good, and returns how many there were."""
    folders, count = set(), 0
    for path in files:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
            count += 1
            folders.add(path.parent)
    for folder in folders:
        _sync(folder)
    return count


def check_private(path: pathlib.Path) -> None:
    """Refuses a key, or a series of them, that other users can read or replace.

    They can replace it where it is theirs, where they may change it, and where they may
    rename what lies in one of the folders above it: the folder, or a link on the way, is
    theirs, or its group or everybody may write it. In a folder like /tmp, which is
    sticky, only its owner and that of a name may rename it. Warns where they can only see
    which keys there are.

    Args:
      path: A key file or the folder of a series. If it is not there yet, the folders
        above it count.

    Raises:
      PermissionError: If others can; the sentence says what to do.
    """
    for step in path_steps.steps_to(path):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            about = step.lstat()
            _check_owner(step, about)
            if stat.S_ISDIR(about.st_mode) and not about.st_mode & stat.S_ISVTX:
                _check_mode(step, about, _OTHERS_WRITE, "exchange what lies in")
    files = [path]
    if path.is_dir():
        about = path.stat()
        _check_owner(path, about)
        # Sticky or not: of a key that is not there yet nobody is the owner.
        _check_mode(path, about, _OTHERS_WRITE, "put keys of theirs into")
        files = files_of(path)
    for one in files:
        with contextlib.suppress(FileNotFoundError):
            about = one.stat()
            _check_mode(one, about, _OTHERS, "read or change")
            _check_owner(one, about)
    folder = path if path.is_dir() else path.parent
    if _is_seen(folder):
        warnings.warn(
            f"Other users can see which keys there are in {folder}: chmod go= {folder}, or "
            "keep keys in a folder of their own, which is made where there is none.",
            stacklevel=3,
        )


def _is_seen(folder: pathlib.Path) -> bool:
    """Whether others can pass all folders above, and may do anything in this one."""
    above = [step for step in path_steps.steps_to(folder) if not step.is_symlink()]
    rights = [*((step, _OTHERS_PASS) for step in above), (folder, _OTHERS)]
    return all(step.is_dir() and step.stat().st_mode & bits for step, bits in rights)


def _check_mode(
    path: pathlib.Path, about: os.stat_result, forbidden: int, may: str
) -> None:
    if about.st_mode & forbidden:
        remedy = "chmod go-w" if stat.S_ISDIR(about.st_mode) else "chmod go="
        raise PermissionError(
            f"A key must be for its owner only, but other users may {may} {path} (mode "
            f"{stat.S_IMODE(about.st_mode):04o}). Make a new key if they may have, or: "
            f"{remedy} {path}"
        )


def _check_owner(path: pathlib.Path, about: os.stat_result) -> None:
    if about.st_uid not in (0, os.geteuid()):
        raise PermissionError(
            f"A key, and every folder or link on the way to it, must be of the user who "
            f"uses it or of root, but {path} is of the user with the number "
            f"{about.st_uid}. Make a new key in a folder of your own, or have this one "
            "handed out anew."
        )


def _finished_name(name: str) -> str:
    found = _UNFINISHED.fullmatch(name)
    return found["name"] if found else name


def _sync(folder: pathlib.Path) -> None:
    """Waits until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
