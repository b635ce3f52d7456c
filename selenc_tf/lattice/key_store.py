"""The key file: the one place where a secret key rests.

Two checksummed TFRecords: the digest of the parameters that the key belongs to, and the
serialised key. The graph that reads it holds the path, never the key: reading a TFRecord
is a stateful operation, which no graph optimiser evaluates ahead of time (`tf.io.
read_file` is not marked stateful and could be folded into a constant).
"""

import os
import pathlib
import secrets

import tensorflow as tf

from selenc_tf.lattice.cipher import Cipher

_DIGEST_LENGTH = 16


def create(path: str | os.PathLike[str], cipher: Cipher) -> pathlib.Path:
    """Generates a key and stores it in a new file that only its owner can read.

    Runs on: key holder. The file appears complete or not at all, and an existing one is
    never replaced.

    Args:
      path: Where the key file will be.
      cipher: Whose key to generate.

    Returns:
      The path.

    Raises:
      FileExistsError: If there is a file already; rotate keys by choosing a new name.
    """
    target = pathlib.Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with tf.io.TFRecordWriter(str(temporary)) as writer:
            writer.write(cipher.digest.encode())
            writer.write(cipher.keygen().numpy())
        # A hard link fails if the name is taken, atomically.
        os.link(temporary, target)
    except FileExistsError:
        raise FileExistsError(
            f"`path` must not exist yet, but {target} does. A key file is never "
            "overwritten: choose another name, or delete it if no ciphertext needs it."
        ) from None
    finally:
        temporary.unlink(missing_ok=True)
    return target


def read(path: str | os.PathLike[str], cipher: Cipher) -> tf.Tensor:
    """Reads the secret key inside a graph.

    Runs on: client, from its own key store.

    Args:
      path: The key file.
      cipher: Whose key it must be.

    Returns:
      A scalar string, the serialised secret key.

    Raises:
      NotFoundError: When run, if there is no such file.
      DataLossError: When run, if the file is damaged.
      InvalidArgumentError: When run, if the key belongs to other parameters, or the file
        does not hold two records.
    """
    records = tf.data.TFRecordDataset([str(path)]).batch(2)
    content = tf.ensure_shape(records.get_single_element(), [2])
    check = tf.debugging.Assert(
        tf.equal(content[0], cipher.digest),
        [
            "The key file belongs to other lattice parameters than this computation. "
            "Create a key for these, digest:",
            cipher.digest,
            # A file of something else could begin with anything: show a digest's length.
            "found:",
            tf.strings.substr(content[0], 0, _DIGEST_LENGTH),
        ],
    )
    with tf.control_dependencies([check] if check is not None else []):
        return tf.identity(content[1])
