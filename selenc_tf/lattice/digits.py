"""A count as codes: how many hidden entries saturated, whatever the size of a code.

A code carries one digit, 0 to Q, in base Q + 1. Sums of codes are then sums of digits,
and the sum of all clients' counts is put together from those: nothing is carried over.

Example: codes of 4 bits reach to 7, so that 1,200 are the digits 0, 6, 2, 2 (lowest
first), and three such counts 0, 18, 6, 6.

>>> digits = to_digits(tf.constant(1200, tf.int64), 7)
>>> digits.numpy().tolist()[:5]
[0, 6, 2, 2, 0]
>>> int(from_digits(3 * digits, 7))
3600
"""

import tensorflow as tf

_LARGEST = 2**31 - 1
"""Of a count: TensorFlow counts the entries of a vector in int32."""


def num_digits(largest: int, max_abs_code: int) -> int:
    """How many digits the counts from 0 to `largest` need; none for 0.

    Args:
      largest: The largest count.
      max_abs_code: Q.
    """
    return sum(largest >= power for power in _powers(max_abs_code))


def num_digits_of(largest: tf.Tensor, max_abs_code: int) -> tf.Tensor:
    """`num_digits` of a number that is known when the graph runs, in its dtype."""
    largest = tf.convert_to_tensor(largest)
    powers = tf.constant(_powers(max_abs_code), largest.dtype)
    return tf.math.count_nonzero(largest >= powers, dtype=largest.dtype)


def to_digits(count: tf.Tensor, max_abs_code: int) -> tf.Tensor:
    """All digits that any count could need, the lowest first: int64 [digits].

    Args:
      count: int64, 0 to 2^31 - 1.
      max_abs_code: Q.
    """
    powers = tf.constant(_powers(max_abs_code), tf.int64)
    return tf.math.floormod(count // powers, max_abs_code + 1)


def from_digits(sums: tf.Tensor, max_abs_code: int) -> tf.Tensor:
    """The sum of counts, from the sums of their digits: int64.

    Args:
      sums: int64 [digits], lowest first; as many as the largest count needs.
      max_abs_code: Q.
    """
    powers = tf.constant(_powers(max_abs_code), tf.int64)
    return tf.reduce_sum(sums * powers[: tf.size(sums)])


def _powers(max_abs_code: int) -> list[int]:
    """What digits stand for, as far as counts reach."""
    base, powers = max_abs_code + 1, [1]
    while powers[-1] * base <= _LARGEST:
        powers.append(powers[-1] * base)
    return powers
