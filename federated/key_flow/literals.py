"""Keys that stand in a computation as they are: no operation reads those."""

import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

import tensorflow as tf
import tensorflow_federated as tff

from selenc_tf.lattice import block_tails, memory
from selenc_tf.lattice import key_files as files_lib


@memory.zeroed()
def stands_in(computation: Any, names: Iterable[bytes]) -> bool:
    """Whether a key of a computation's key files stands in it as a constant.

    Runs on: whoever has the keys. Of files that are not here, or that this user may not
    read, nothing is known.

    Args:
      computation: Any `tff.Computation`.
      names: Texts, some of which may be names of key files or of folders of them.

    Returns:
      True if one does.
    """
    keys = {key for name in names for key in _keys_at(name)}
    return any(contains_bytes(computation, key) for key in keys)


def contains_bytes(computation: Any, secret: bytes, window: int = 16) -> bool:
    """Whether a part of a secret stands in a computation's serialised form.

    Args:
      computation: any `tff.Computation`.
      secret: e.g. a key, without the `block_tails.KEY_FRONT_BYTES` in front of it: they
        are public, and every computation of its parameters has a part of them.
      window: length of the parts looked for; a copy of twice that length is found
        wherever it starts. Parts of fewer than `window / 2` distinct bytes are not
        looked for: runs of zeros say nothing.

    Returns:
      True if one of the parts was found.
    """
    text = tff.framework.serialize_computation(computation).SerializeToString()
    # Views: a copy of a piece so small would stay in memory.
    view = memoryview(secret)
    parts = (view[at : at + window] for at in range(0, len(secret), window))
    return any(
        part in text
        for part in parts
        if len(part) == window and len(set(part)) >= window // 2
    )


def _keys_at(name: bytes) -> Iterator[bytes]:
    """The secret in the last record of each key file that a text names.

    Nothing of it stays where memory is overwritten when it is freed.
    """
    try:
        path = pathlib.Path(name.decode())
        # In the folder of a series whatever has a name like a key's.
        found = [path]
        if path.is_dir():
            found = sorted(path.glob(f"*{files_lib.SUFFIX}"))
        for one in found:
            if one.is_file():
                *_, key = tf.data.TFRecordDataset([str(one)])
                yield key.numpy()[block_tails.KEY_FRONT_BYTES :]
    except (OSError, ValueError, tf.errors.OpError):
        return
