"""Handing keys out: copies of the key holder's files for one client."""

import os
import pathlib

from selenc_tf.lattice import key_files, key_store
from selenc_tf.lattice.key_store import KeySet


def hand_out(
    path: str | os.PathLike[str], folder: str | os.PathLike[str]
) -> tuple[KeySet, int]:
    """Copies a key, or the keys of a series that a client does not have yet.

    Runs on: key holder. The copies have the name that the originals have, are for their
    owner only, and appear complete or not at all. Of a series come the keys behind the
    last one that is there: what the client has forgotten stays forgotten.

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
    if not keys.rotates:
        key_files.copy_new(source, target)
        return key_store.find(target), 1
    key_files.make_folder(target)
    with key_files.locked(target):
        last = -1
        if there := key_files.files_of(target):
            last = int(there[-1].stem)
            _check_same(keys, key_store.find(target))
        new = [one for one in key_files.files_of(source) if int(one.stem) > last]
        for one in new:
            key_files.copy_new(one, target / one.name)
    return key_store.find(target), len(new)


def _check_same(keys: KeySet, there: KeySet) -> None:
    if there.key_id != keys.key_id:
        raise ValueError(
            f"`folder` must have no other series of that name, but {there.path} is "
            f"{there.key_id} and not {keys.key_id}. Delete it, or choose another folder."
        )
