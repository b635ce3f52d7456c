"""The wire form of a mask: one bit for each parameter."""

import tensorflow as tf

from selenc_tf.types import Mask

_BITS = 8


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
    shifts = tf.range(_BITS)
    bits = tf.bitwise.right_shift(tf.cast(packed, tf.int32)[:, tf.newaxis], shifts)
    flat = tf.reshape(tf.bitwise.bitwise_and(bits, 1), [-1])
    return tf.ensure_shape(tf.cast(flat[:n], tf.bool), [n])
