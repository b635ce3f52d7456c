"""Integers as a few codes each, whose sums are those of 64-bit arithmetic.

The digits are those of the two's complement, so that sums are exact modulo 2^64: they
wrap where sums in the clear do.

>>> codes = encode(tf.constant([2**62 + 1, -3], tf.int64), 32767)
>>> codes.shape.as_list() == [2, num_codes(32767)] == [2, 8]
True
>>> decode(codes + codes, 32767).numpy().tolist() == [2**63 + 2 - 2**64, -6]
True
"""

import tensorflow as tf

from selenc_tf.lattice import exact_numbers

_BITS = 64


def num_codes(max_abs_code: int) -> int:
    """Codes of one integer.

    Args:
      max_abs_code: Q of the codec, at least 1.
    """
    return -(-_BITS // exact_numbers.digit_bits(max_abs_code))


def encode(integers: tf.Tensor, max_abs_code: int) -> tf.Tensor:
    """Cuts integers into codes.

    Runs on: client. Sees: its own numbers.

    Args:
      integers: int64 [c].
      max_abs_code: Q.

    Returns:
      int64 [c, num_codes(Q)] in [0, Q], the digits, lowest first.
    """
    shifts, largest = _shifts(max_abs_code)
    digits = tf.bitwise.right_shift(integers[:, tf.newaxis], shifts)
    return tf.bitwise.bitwise_and(digits, largest)


def decode(sums: tf.Tensor, max_abs_code: int) -> tf.Tensor:
    """The sums of integers, from the sums of their codes.

    Args:
      sums: int64 [c, num_codes(Q)], of at most `exact_numbers.MAX_SUMMANDS` vectors.
      max_abs_code: Q.

    Returns:
      int64 [c], modulo 2^64.
    """
    shifts, _ = _shifts(max_abs_code)
    return tf.reduce_sum(tf.bitwise.left_shift(sums, shifts), axis=1)


def _shifts(max_abs_code: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Where each digit begins, int64 [codes], and the largest digit."""
    bits = exact_numbers.digit_bits(max_abs_code)
    count = num_codes(max_abs_code)
    shifts = tf.constant([bits * place for place in range(count)], tf.int64)
    return shifts, tf.constant(2**bits - 1, tf.int64)
