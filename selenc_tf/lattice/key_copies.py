"""Handing keys out: copies of the key holder's files for one client."""

import dataclasses
import os
import pathlib

from selenc_tf.lattice import key_files, key_store
from selenc_tf.lattice.key_store import KeySet

_MARK = ".handed-out-"
"""Begins the name of an empty file that says which keys of a series came: no secret.
It stays when the keys are deleted."""


def hand_out(
    path: str | os.PathLike[str], folder: str | os.PathLike[str]
) -> tuple[KeySet, int]:
    """Copies a key, or the keys of a series that a client does not have yet.

    Runs on: key holder. The copies have the name that the originals have, are for their
    owner only, and appear complete or not at all. Of a series come the keys behind the
    last one that was ever handed out there: what the client has forgotten stays
    forgotten.

    Args:
      path: The key file, or the folder of the series.
      folder: Of one client; made if it is not there.

    Returns:
      The public name of the copies, and how many files were copied.

    Raises:
      FileNotFoundError: If there is no key.
      FileExistsError: If the client has a key of that name.
      ValueError: If it has another series of that name.
      PermissionError: If others can read or replace the originals or the copies.
    """
    keys = key_store.find(path)
    source = pathlib.Path(keys.path)
    target = key_files.absolute(folder) / source.name
    key_files.check_private(target)
    if not keys.rotates:
        key_files.copy_new(source, target)
        return key_store.find(target), 1
    key_files.make_folder(target)
    with key_files.locked(target):
        last = max(_handed_out(keys, target), default=-1)
        if there := key_files.files_of(target):
            last = max(last, int(there[-1].stem))
            _check_same(keys.key_id, key_store.find(target).key_id, target)
        new = [one for one in key_files.files_of(source) if int(one.stem) > last]
        for one in new:
            key_files.copy_new(one, target / one.name)
        if new:
            _remember(keys, target, int(new[-1].stem))
    # All of it may be forgotten there.
    return dataclasses.replace(keys, path=str(target)), len(new)


def _handed_out(keys: KeySet, target: pathlib.Path) -> dict[int, pathlib.Path]:
    """The marks of this series by the number of the last key that had come by then."""
    begin = f"{_MARK}{keys.key_id}-"
    return {
        int(one.name.removeprefix(begin)): one for one in target.glob(f"{begin}[0-9]*")
    }


def _remember(keys: KeySet, target: pathlib.Path, last: int) -> None:
    old = _handed_out(keys, target)
    (target / f"{_MARK}{keys.key_id}-{last}").touch(0o600)
    for number, mark in old.items():
        if number != last:
            mark.unlink(missing_ok=True)


def _check_same(key_id: str, there: str, target: pathlib.Path) -> None:
    if there != key_id:
        raise ValueError(
            f"`folder` must have no other series of that name, but {target} is of "
            f"{there} and not {key_id}. Delete it, or choose another folder."
        )
