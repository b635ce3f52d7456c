"""The header of an encrypted message: what it is of, in 152 bytes.

Nineteen little-endian int64, in this order:

offset | field | meaning
--- | --- | ---
0 | magic | the bytes `SELENC`, then 0 and the version of the format, 3
8 | parameters | digest of the lattice parameters
16 | codec | digest of the codec
24 | key_id | public name of the key, or of the series of keys
32 | key_number | which key of the series; 0 if there is one
40 | key_check | one-way function of the key, the same for all who hold it
48 | mask | fingerprint of the packed mask
56 | run | drawn when the training began
64 | round | number of the round
72 | values | encrypted integers of the whole vector
80 | summands | how many messages were added to make this one
88 | first_block | position of this message's first block in the vector
96 | blocks | blocks that follow
104 | seed_0 | of four words that are kept for a cipher that sends a seed; zero
112 | seed_1 | zero
120 | seed_2 | zero
128 | seed_3 | zero
136 | checksum | fingerprint of the fields above and of each block's fingerprint
144 | content | fingerprint of the fields above, plus the sum of the blocks' fingerprints

Behind it come the blocks, all of the same length, which the parameters determine.
Fingerprints are FarmHash64: they find accidents, not forgeries (`docs/lattice.md`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

MAGIC = int.from_bytes(b"SELENC\x00\x03", "little")
"""The first field of every header; the last byte is the version of the format."""

NUM_FIELDS = 19
NUM_BYTES = 8 * NUM_FIELDS


class Context(NamedTuple):
    """What all messages of one round have in common. Public; each int64, scalar.

    Attributes:
      parameters: Digest of the lattice parameters.
      codec: Digest of the codec.
      key_id: Of the key, or of the series of keys.
      key_number: Which key of the series.
      key_check: One-way function of the key, see `key_store.py`.
      mask: Fingerprint of the packed mask.
      run: Drawn when the training began.
      round: Number of the round.
      values: Encrypted integers of the whole vector.
    """

    parameters: tf.Tensor
    codec: tf.Tensor
    key_id: tf.Tensor
    key_number: tf.Tensor
    key_check: tf.Tensor
    mask: tf.Tensor
    run: tf.Tensor
    round: tf.Tensor
    values: tf.Tensor


class Seed(NamedTuple):
    """256 bits that a cipher may send in place of the uniform half of its ciphertexts.

    No cipher does yet, so they are zero in every message. Each int64, scalar.
    """

    seed_0: tf.Tensor
    seed_1: tf.Tensor
    seed_2: tf.Tensor
    seed_3: tf.Tensor


class Header(NamedTuple):
    """A header's fields; each int64, scalar.

    Attributes:
      magic: `MAGIC` in every message of ours.
      context: What the message is of.
      summands: How many messages were added to make this one.
      first_block: Position of the first block in the vector.
      blocks: The number of blocks.
      seed: Zeros.
      checksum: Guards fields and blocks in their order.
      content: Guards fields and blocks, whatever the order of the blocks.
    """

    magic: tf.Tensor
    context: Context
    summands: tf.Tensor
    first_block: tf.Tensor
    blocks: tf.Tensor
    seed: Seed
    checksum: tf.Tensor
    content: tf.Tensor


def write(header: Header) -> tf.Tensor:
    """A header as a string of `NUM_BYTES` bytes. Runs on: any party."""
    fields = tf.stack([tf.cast(field, tf.int64) for field in tf.nest.flatten(header)])
    # A serialised tensor ends with its content, little-endian: the shortest way from
    # numbers to bytes that TensorFlow has.
    return tf.strings.substr(tf.io.serialize_tensor(fields), -NUM_BYTES, NUM_BYTES)


def read(text: tf.Tensor) -> Header:
    """The fields of a string. Runs on: any party.

    Args:
      text: Any string; a missing end is read as zeros, a surplus is not read.

    Returns:
      The fields, unchecked.
    """
    return from_fields(
        tf.unstack(tf.io.decode_raw(text, tf.int64, fixed_length=NUM_BYTES))
    )


def from_fields(fields: Sequence[tf.Tensor]) -> Header:
    """The header of `NUM_FIELDS` numbers in their order."""
    end = 1 + len(Context._fields)
    return Header(
        magic=fields[0],
        context=Context(*fields[1:end]),
        summands=fields[end],
        first_block=fields[end + 1],
        blocks=fields[end + 2],
        seed=Seed(*fields[end + 3 : -2]),
        checksum=fields[-2],
        content=fields[-1],
    )


def fingerprint(numbers: tf.Tensor) -> tf.Tensor:
    """FarmHash64 of the bytes of each row: int64 [rows, columns] to int64 [rows]."""
    rows = tf.shape(numbers)[0]
    octets = tf.reshape(tf.bitcast(numbers, tf.uint8), [rows, -1])
    return tf.bitcast(tf.fingerprint(octets), tf.int64)


def digest_number(digest: str) -> int:
    """A digest of 16 hex digits as the int64 that a header carries."""
    return int.from_bytes(bytes.fromhex(digest), "little", signed=True)
