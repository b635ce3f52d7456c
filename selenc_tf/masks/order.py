"""Scores as integers in the same order, so that digits can find a rank."""

import tensorflow as tf

from selenc_tf.types import Vector

LEAST = tf.int32.min
"""Below the key of every finite score."""

GREATEST = tf.int32.max
"""Above the key of every finite score."""


def keys(scores: Vector) -> tf.Tensor:
    """Maps float32 to int32 so that a < b exactly if key(a) < key(b).

    The bits of a positive float32, read as an integer, grow with it; those of a negative
    one are its magnitude's and the highest bit. So a negative one becomes minus its
    magnitude's bits: -0.0 and 0.0 tie, and denormals keep their order even where the
    processor takes them for zero.

    Runs on: whoever holds the scores.

    Args:
      scores: float32 of any shape, finite.

    Returns:
      int32 of that shape, above `LEAST` and below `GREATEST`.

    Example:
      >>> [hex(key) for key in keys(tf.constant([-1.5, -0.0, 1e-45, 2.0])).numpy()]
      ['-0x3fc00000', '0x0', '0x1', '0x40000000']
    """
    bits = tf.bitcast(scores, tf.int32)
    # Most metrics have no negative scores, and looking costs less than choosing.
    return tf.cond(
        tf.reduce_min(bits) < 0,
        lambda: tf.where(bits < 0, LEAST - bits, bits),
        lambda: bits,
    )


def all_finite(scores: Vector) -> tf.Tensor:
    """Whether no score is NaN or infinite: bool, without a vector of n flags."""
    infinity = 0x7F800000
    positive = tf.reduce_max(tf.bitcast(scores, tf.int32)) < infinity
    # Read without a sign, negative numbers are the highest.
    negative = tf.reduce_max(tf.bitcast(scores, tf.uint32)) < (1 << 31) + infinity
    return positive & negative
