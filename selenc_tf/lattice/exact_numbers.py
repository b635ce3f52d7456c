"""Real numbers of any size as a few codes each, whose sums are sums of the numbers.

A vector is rounded to a step that suits its bound; a metric or a weight has no bound that
everybody knows. So a number is cut into digits of a fixed-point number that spans what
float32 does, from 2^-149 to 2^128: each digit is a code of its own, with the number's
sign, and sums of digits are the digits of a sum. One more code counts numbers that are not
finite or too large: with one of these in it, a sum is NaN.

Exact are the sums of all float32 numbers, and of float64 numbers below 2^128 of which no
bit is below 2^-149; of others each loses less than 2^-149. Integers have digits of their
own (`exact_integers`).

>>> codes = encode(tf.constant([3.5, -1e9], tf.float64), 32767)
>>> codes.shape.as_list() == [2, num_codes(32767)] == [2, 36]
True
>>> decode(codes + codes, 32767).numpy().tolist()
[7.0, -2000000000.0]
"""

import tensorflow as tf

_PLACES = 149
_LIMIT_BITS = 128
_LARGEST_DIGIT_BITS = 8
"""So that a digit, and a sum of 65,536 of them, is exact in float32 too."""

_ENOUGH = 2**54
"""Two bits more than float64 has: what follows only says which way to round."""

MAX_SUMMANDS = 2**24 >> _LARGEST_DIGIT_BITS
"""How many codes may be added."""


def num_codes(max_abs_code: int) -> int:
    """Codes of one number.

    Args:
      max_abs_code: Q of the codec, at least 1.
    """
    return -(-(_PLACES + _LIMIT_BITS) // digit_bits(max_abs_code)) + 1


def encode(numbers: tf.Tensor, max_abs_code: int) -> tf.Tensor:
    """Cuts numbers into codes.

    Runs on: client. Sees: its own numbers.

    Args:
      numbers: float64 [c].
      max_abs_code: Q.

    Returns:
      int64 [c, num_codes(Q)] in [-Q, Q]: the digits, lowest first, and whether the
      number is none that can be added.
    """
    bits = digit_bits(max_abs_code)
    fits = tf.abs(numbers) < 2.0**_LIMIT_BITS  # False for NaN.
    known = tf.where(fits, numbers, tf.zeros_like(numbers))
    sign = tf.cast(tf.sign(known), tf.int64)
    rest, digits = tf.round(tf.abs(known) * 2.0**_PLACES), []
    # From the highest: all of this is exact, as the factors are powers of two.
    for place in reversed(range(num_codes(max_abs_code) - 1)):
        digit = tf.floor(rest * 2.0 ** (-bits * place))
        rest -= digit * 2.0 ** (bits * place)
        digits.append(sign * tf.cast(digit, tf.int64))
    return tf.stack([*reversed(digits), tf.cast(~fits, tf.int64)], axis=1)


def decode(sums: tf.Tensor, max_abs_code: int) -> tf.Tensor:
    """The sums of numbers, from the sums of their codes.

    Args:
      sums: int64 [c, num_codes(Q)], of at most `MAX_SUMMANDS` encoded vectors.
      max_abs_code: Q.

    Returns:
      float64 [c], the exact sums, each rounded once, to nearest, ties to even; NaN where a
      summand was not finite or too large.
    """
    bits = digit_bits(max_abs_code)
    places = sums.shape[1] - 1
    digits, carry = _without_carries(tf.transpose(sums[:, :-1]), bits)

    def appended(
        so_far: tuple[tf.Tensor, tf.Tensor, tf.Tensor], digit: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        whole, lost, behind = so_far
        room = (whole >= -_ENOUGH) & (whole < _ENOUGH)
        return (
            tf.where(room, whole * 2**bits + digit, whole),
            lost | (~room & tf.not_equal(digit, 0)),
            behind + tf.cast(~room, tf.int32),
        )

    # From the highest, as long as there is room; the others are behind the point.
    nothing = (carry, tf.zeros_like(carry, tf.bool), tf.zeros_like(carry, tf.int32))
    whole, lost, behind = tf.foldl(appended, tf.reverse(digits, [0]), nothing)
    # An odd number has no float64 near it but by rounding, and is rounded as what is
    # between it and the even numbers beside it: S. Boldo, G. Melquiond, "Emulation of a
    # FMA and Correctly Rounded Sums: Proved Algorithms Using Rounding to Odd", 2008.
    whole = tf.bitwise.bitwise_or(whole, tf.cast(lost, tf.int64))
    powers = [2.0 ** (bits * place - _PLACES) for place in range(places + 1)]
    total = tf.cast(whole, tf.float64) * tf.gather(
        tf.constant(powers, tf.float64), behind
    )
    return tf.where(tf.equal(sums[:, -1], 0), total, float("nan"))


def _without_carries(sums: tf.Tensor, bits: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Digits of the same numbers, and what is before the highest of them.

    Args:
      sums: int64 [places, c], the lowest first.
      bits: Of a digit.

    Returns:
      int64 [places, c] from 0 to 2^bits - 1, and int64 [c], below 0 where a number is.
    """

    def carried(
        so_far: tuple[tf.Tensor, tf.Tensor], digit: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        total = digit + tf.bitwise.right_shift(so_far[0], bits)
        return total, tf.bitwise.bitwise_and(total, 2**bits - 1)

    zeros = tf.zeros_like(sums[0])
    totals, digits = tf.scan(carried, sums, (zeros, zeros))
    return digits, tf.bitwise.right_shift(totals[-1], bits)


def digit_bits(max_abs_code: int) -> int:
    """Bits of a digit.

    Args:
      max_abs_code: Q.
    """
    return min((max_abs_code + 1).bit_length() - 1, _LARGEST_DIGIT_BITS)
