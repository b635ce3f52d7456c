"""The key store: the one place where secret keys rest.

A key file holds five checksummed TFRecords. Four are public: the digest of the parameters
that the key belongs to, the key's id, its number in the series, and its *check*, a one-way
function of the key, by which a server that has no key tells apart messages under different
keys of one name. The fifth is the serialised key. Public records and the key are read by
operations of their own (`read_check`, `read`). The
graph that reads it holds the path, never the key: reading a TFRecord is a stateful
operation, which no graph optimiser evaluates ahead of time (`tf.io.read_file` is not
marked stateful and could be folded into a constant).

A key serves a whole run, or there is a series of keys in a folder, one for each round:
then whoever learns a key can open the messages of one round only, and a key can be
deleted as soon as its round is over (`forget`). How files come and go is in
`key_files.py`; `python -m experiments.keys` does all of this from the command line.
"""

import dataclasses
import hashlib
import hmac
import os
import pathlib
import secrets

import tensorflow as tf

from selenc_tf import validation
from selenc_tf.lattice import key_files, memory
from selenc_tf.lattice.cipher import Cipher

_ID_BYTES = 8
_CHECK_BYTES = 8
_CHECK_OF = b"selenc-tf: check of a secret key, version 1"
_RECORDS = ("parameters", "key id", "number", "key check", "secret key")
_PUBLIC = len(_RECORDS) - 1


@dataclasses.dataclass(frozen=True)
class KeySet:
    """Names a key, or a series of them; holds none. Public.

    Attributes:
      path: The key file, or the folder of the series, in each client's own key store.
      key_id: 16 hex digits, drawn when the key was made. Messages carry it.
      rotates: Whether every round has a key of its own.
    """

    path: str
    key_id: str
    rotates: bool = False

    def number(self, round_number: tf.Tensor | int) -> tf.Tensor:
        """Which key of the series a round takes: int64."""
        number = tf.cast(round_number, tf.int64)
        return number if self.rotates else tf.zeros_like(number)


def create(path: str | os.PathLike[str], cipher: Cipher) -> KeySet:
    """Generates a key and stores it in a new file that only its owner can read.

    Runs on: key holder. The file appears complete or not at all, and an existing one is
    never replaced.

    Args:
      path: Where the key file will be.
      cipher: Whose key to generate.

    Returns:
      Its public name.

    Raises:
      ValueError: If no file can have the name, or an unfinished key has it.
      FileExistsError: If there is a file already; rotate keys by choosing a new name.
      OSError: If it cannot be written, or not so that others cannot read or replace it.
    """
    key_id = secrets.token_hex(_ID_BYTES)
    target = key_files.absolute(path)
    key_files.check_private(target)
    _write(target, cipher, key_id, 0)
    return KeySet(str(target), key_id)


def create_series(
    folder: str | os.PathLike[str], cipher: Cipher, rounds: int, first_round: int = 0
) -> KeySet:
    """Generates a key for each of so many rounds.

    Runs on: key holder. About 3 ms and 15 kB a key with N = 2048.

    Args:
      folder: Where the key files will be; made, for its owner only, if it is not there.
        A series that is there is continued. Other processes have to wait meanwhile.
      cipher: Whose keys to generate.
      rounds: How many, >= 1.
      first_round: The number of the first, >= 0.

    Returns:
      The public name of the series.

    Raises:
      FileExistsError: If one of the rounds has its key already.
      ValueError: If a number is out of range, or the series that is there belongs to
        other parameters.
      OSError: If a key cannot be written; those before it are there. If others can
        read or replace what is there.
    """
    validation.check_at_least("rounds", rounds, 1)
    validation.check_at_least("first_round", first_round, 0)
    target = key_files.absolute(folder)
    key_files.make_folder(target)
    with key_files.locked(target):
        key_files.check_private(target)
        there = key_files.files_of(target)
        key_id = (
            _read_id(there[0], cipher.digest) if there else secrets.token_hex(_ID_BYTES)
        )
        for number in range(first_round, first_round + rounds):
            _write(target / key_files.file_name(number), cipher, key_id, number)
    return KeySet(str(target), key_id, rotates=True)


def find(path: str | os.PathLike[str]) -> KeySet:
    """The public name of the key or series that lies at a path.

    Runs on: key holder or client, which pass the name on to the server's operator.

    Args:
      path: A key file, or the folder of a series.

    Returns:
      The name. Nothing secret is read into it.

    Raises:
      FileNotFoundError: If there is no key.
      PermissionError: If other users can read or replace it.
    """
    target = key_files.absolute(path)
    files = key_files.files_of(target) if target.is_dir() else [target]
    if not files or not files[0].is_file():
        raise FileNotFoundError(
            f"`path` must be a key file or a folder of them, but there is no key at "
            f"{target}. Make one with `key_store.create` or `create_series`."
        )
    key_files.check_private(target)
    return KeySet(str(target), _read_id(files[0]), rotates=target.is_dir())


def forget(keys: KeySet, before_round: int) -> int:
    """Deletes the keys of rounds that are over, and what was not finished of them.

    Runs on: client. What was encrypted under them cannot be opened any more.

    Args:
      keys: A series.
      before_round: The first round whose key stays.

    Returns:
      How many files were deleted.

    Raises:
      ValueError: If there is but one key for all rounds: `delete` it.
    """
    if not keys.rotates:
        raise ValueError(
            f"`keys` must be a series with one key a round, but {keys.path} is a key "
            "for all rounds. Delete it with `key_store.delete` once no round needs it."
        )
    files = key_files.numbered(pathlib.Path(keys.path))
    return key_files.remove(path for number, path in files if number < before_round)


def delete(path: str | os.PathLike[str]) -> int:
    """Deletes a key or a whole series, and whatever was not finished of it.

    Runs on: key holder or client.

    Args:
      path: Of the key file or the folder, whether or not a key was ever finished there.
        Other files in the folder of a series stay.

    Returns:
      How many files were deleted.
    """
    target = key_files.absolute(path)
    if not target.is_dir():
        return key_files.remove(key_files.names_of(target))
    count = key_files.remove([path for _, path in key_files.numbered(target)])
    if not any(target.iterdir()):
        target.rmdir()
    return count


def read(keys: KeySet, cipher: Cipher, round_number: tf.Tensor | int = 0) -> tf.Tensor:
    """Reads the secret key of a round inside a graph.

    Runs on: client, from its own key store.

    Args:
      keys: Which key, or series.
      cipher: Whose key it must be.
      round_number: Integer; matters for a series only.

    Returns:
      A scalar string, the serialised secret key.

    Raises:
      PermissionError: At once, if other users can read or replace what lies there.
      NotFoundError: When run, if there is no such file; a series needs a key for
        every round.
      DataLossError: When run, if the file is damaged.
      InvalidArgumentError: When run, if the file does not hold five records, or the key
        belongs to other parameters, has another id or another number.
    """
    number, path = _file(keys, round_number)
    records = tf.data.TFRecordDataset(path[tf.newaxis]).batch(len(_RECORDS))
    content = tf.ensure_shape(records.get_single_element(), [len(_RECORDS)])
    checks = [
        _must_equal(content[0], tf.constant(cipher.digest), _RECORDS[0]),
        _must_equal(content[1], tf.constant(keys.key_id), _RECORDS[1]),
        _must_equal(content[2], tf.strings.as_string(number), _RECORDS[2]),
    ]
    with tf.control_dependencies([check for check in checks if check is not None]):
        return tf.identity(content[_PUBLIC])


def read_check(keys: KeySet, round_number: tf.Tensor | int = 0) -> tf.Tensor:
    """Reads the public check of a round's key inside a graph: never the key.

    Runs on: client, from its own key store.

    Args:
      keys: Which key, or series.
      round_number: Integer; matters for a series only.

    Returns:
      int64, the same for all who hold the key.

    Raises:
      NotFoundError: When run, if there is no such file.
      DataLossError: When run, if the file is damaged.
      InvalidArgumentError: When run, if the file holds fewer than four records.
    """

    # The analysis of key flow knows these operations one by one. The public records stand
    # first, and no more than these are asked for.
    @tf.function(input_signature=[tf.TensorSpec([], tf.int64)], autograph=False)
    def read_public_record(number: tf.Tensor) -> tf.Tensor:
        # Here, so that one graph has the name and the reader.
        _, path = _file(keys, number)
        public = tf.data.TFRecordDataset(path[tf.newaxis]).take(_PUBLIC).batch(_PUBLIC)
        content = tf.ensure_shape(public.get_single_element(), [_PUBLIC])
        return tf.io.decode_raw(content[-1], tf.int64, fixed_length=_CHECK_BYTES)[0]

    return read_public_record(tf.cast(round_number, tf.int64))


def check_of(secret_key: bytes) -> bytes:
    """A one-way function of a key that tells it from other keys: HMAC-SHA256, cut.

    Runs on: key holder. Public. A key has far more entropy than could be searched.
    """
    return hmac.digest(secret_key, _CHECK_OF, hashlib.sha256)[:_CHECK_BYTES]


def _file(keys: KeySet, round_number: tf.Tensor | int) -> tuple[tf.Tensor, tf.Tensor]:
    """The number of a round's key, and the path of its file, inside a graph."""
    if not os.path.isabs(keys.path):
        raise ValueError(
            f"`keys.path` must be absolute, got {keys.path!r}. `find` gives such a name."
        )
    key_files.check_private(pathlib.Path(keys.path))
    number = keys.number(round_number)
    path = tf.constant(keys.path)
    if keys.rotates:
        digits = tf.strings.as_string(number, width=key_files.DIGITS, fill="0")
        path = tf.strings.join([path, os.sep, digits, key_files.SUFFIX])
    return number, path


def _must_equal(found: tf.Tensor, expected: tf.Tensor, what: str) -> tf.Operation:
    return tf.debugging.Assert(
        tf.equal(found, expected),
        [
            f"The key file has other {what} than this computation was built for. Take "
            "the key that belongs to it, or build the computation anew; expected:",
            expected,
            # A file of something else could begin with anything: show little of it.
            "found:",
            tf.strings.substr(found, 0, 2 * _ID_BYTES),
        ],
    )


@memory.zeroed()
def _read_id(path: pathlib.Path, digest: str | None = None) -> str:
    """The public id in a key file, of given parameters; the key must be whole."""
    try:
        records = tf.data.TFRecordDataset([str(path)])
        found, key_id = [record.numpy().decode() for record in records.take(2)]
        bytes.fromhex(key_id)
        if sum(1 for _ in records) != _PUBLIC + 1:
            raise ValueError
    except (tf.errors.DataLossError, ValueError):
        raise ValueError(
            f"`path` must be a key file, but {path} is damaged or something else."
        ) from None
    if digest not in (None, found):
        raise ValueError(
            f"`cipher` must have the parameters of the series that is continued, "
            f"{found}, got {digest}. Begin a new series in another folder."
        )
    return key_id


@memory.zeroed()
def _write(target: pathlib.Path, cipher: Cipher, key_id: str, number: int) -> None:
    def write(descriptor: int) -> None:
        key = cipher.keygen().numpy()
        names = (cipher.digest.encode(), key_id.encode(), str(number).encode())
        try:
            # By its descriptor: what has the name now may be another file.
            with tf.io.TFRecordWriter(f"/dev/fd/{descriptor}") as writer:
                for record in (*names, check_of(key), key):
                    writer.write(record)
        except tf.errors.OpError:
            raise key_files.no_room(target) from None

    key_files.write_new(target, write)
