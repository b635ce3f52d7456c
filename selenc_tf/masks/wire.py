"""The wire form of a mask: one bit for each parameter."""

import numpy as np
import tensorflow as tf

from selenc_tf.types import Mask

_BITS = 8

_BITS_OF_BYTES = np.unpackbits(
    np.arange(1 << _BITS, dtype=np.uint8)[:, np.newaxis], axis=1, bitorder="little"
).astype(bool)


def pack(mask: Mask) -> tf.Tensor:
    """Packs a mask into bytes, entry 0 in the lowest bit of byte 0.

    Runs on: server, before the broadcast.

    Args:
      mask: bool [n], static n.

    Returns:
      uint8 [ceil(n / 8)]; the unused high bits of the last byte are zero.
    """
    n = mask.shape[0]
    padded = tf.pad(mask, [[0, -n % _BITS]])
    bits = tf.reshape(tf.cast(padded, tf.int32), [-1, _BITS])
    weights = tf.constant([1 << bit for bit in range(_BITS)])
    return tf.cast(tf.reduce_sum(bits * weights, axis=1), tf.uint8)


def unpack(packed: tf.Tensor, n: int) -> Mask:
    """The inverse of `pack`.

    Runs on: client (and the attacker, who reads the broadcast).

    Args:
      packed: uint8 [ceil(n / 8)].
      n: Number of parameters.

    Returns:
      bool [n].
    """
    # Looked up: arithmetic would make integers of all entries, several times.
    bits = tf.gather(tf.constant(_BITS_OF_BYTES), tf.cast(packed, tf.int32))
    return tf.ensure_shape(tf.reshape(bits, [-1])[:n], [n])


def count(packed: tf.Tensor, n: int) -> tf.Tensor:
    """How many entries of a packed mask are True, without unpacking it.

    Runs on: any party.

    Args:
      packed: uint8 [ceil(n / 8)]; the unused bits of the last byte do not count.
      n: Number of parameters.

    Returns:
      int64 scalar.
    """
    whole, rest = divmod(n, _BITS)
    ones = tf.constant(_BITS_OF_BYTES.sum(axis=1, dtype=np.int64))
    last = _BITS_OF_BYTES[:, :rest].sum(axis=1, dtype=np.int64)
    numbers = tf.cast(packed, tf.int32)
    return tf.reduce_sum(tf.gather(ones, numbers[:whole])) + tf.reduce_sum(
        tf.gather(tf.constant(last), numbers[whole:])
    )
