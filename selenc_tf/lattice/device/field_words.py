"""Integers of any width in words without gaps, many groups at once.

As many integers as a word has bits, of w bits each, fill w words, lowest bits first. A
group stands in a column, so that all shifts are of long vectors: integer i of each group
is row i, and word j is row j.

>>> fields = tf.constant([[1], [2], [3]] + [[0]] * 29, tf.uint32)
>>> [hex(word) for word in pack(fields, 12).numpy()[:3, 0]]
['0x3002001', '0x0', '0x0']
"""

import tensorflow as tf

from selenc_tf import validation


def pack(fields: tf.Tensor, width: int) -> tf.Tensor:
    """Packs groups of integers.

    Args:
      fields: uint32 [32, ...] or uint64 [64, ...], each below 2^w.
      width: w, from 1 to the bits of a word.

    Returns:
      The same dtype, [w, ...].
    """
    bits = _check(fields, width)
    rows = tf.unstack(fields)
    packed = []
    for first in range(0, width * bits, bits):
        # The integers that have bits in this word.
        begin, end = first // width, -(-(first + bits) // width)
        parts = [_shift(rows[i], i * width - first) for i in range(begin, end)]
        packed.append(_any_of(parts))
    return tf.stack(packed)


def unpack(words: tf.Tensor, width: int) -> tf.Tensor:
    """The inverse of `pack`.

    Args:
      words: uint32 [w, ...] or uint64 [w, ...].
      width: w.

    Returns:
      The same dtype, [32, ...] or [64, ...], each below 2^w.
    """
    bits = words.dtype.size * 8
    _check(words, width, rows=width)
    rows = tf.unstack(words)
    fields = []
    for first in range(0, width * bits, width):
        begin, end = first // bits, -(-(first + width) // bits)
        parts = [_shift(rows[j], j * bits - first) for j in range(begin, end)]
        fields.append(lowest(_any_of(parts), width))
    return tf.stack(fields)


def add(one: tf.Tensor, other: tf.Tensor, width: int) -> tf.Tensor:
    """Adds integer by integer, modulo 2^w, without unpacking.

    The highest bit of every integer is added by itself, without a carry, so that none
    reaches the next integer. An integer that lies in two words carries from one to the
    other; it began in the first, so no carry goes through a whole word.

    Args:
      one: uint32 or uint64 [w, ...].
      other: Likewise.
      width: w.

    Returns:
      The same dtype and shape.
    """
    bits = _check(one, width, rows=width)
    tops = sum(1 << place for place in range(width - 1, width * bits, width))
    mask = (1 << bits) - 1
    top = tf.reshape(
        tf.constant(
            [tops >> first & mask for first in range(0, width * bits, bits)], one.dtype
        ),
        [width] + [1] * (one.shape.rank - 1),
    )
    below = tf.bitwise.invert(top)
    low = tf.bitwise.bitwise_and(one, below)
    total = low + tf.bitwise.bitwise_and(other, below)
    carry = tf.cast(total < low, one.dtype)
    total += tf.concat([tf.zeros_like(carry[:1]), carry[:-1]], axis=0)
    highest = tf.bitwise.bitwise_and(tf.bitwise.bitwise_xor(one, other), top)
    return tf.bitwise.bitwise_xor(total, highest)


def lowest(words: tf.Tensor, width: int) -> tf.Tensor:
    """The lowest bits of words of uint32 or uint64."""
    return tf.bitwise.bitwise_and(words, tf.constant((1 << width) - 1, words.dtype))


def _any_of(parts: list[tf.Tensor]) -> tf.Tensor:
    result = parts[0]
    for part in parts[1:]:
        result = tf.bitwise.bitwise_or(result, part)
    return result


def _shift(words: tf.Tensor, places: int) -> tf.Tensor:
    """Shifts to the left, or to the right if `places` is negative."""
    if places >= 0:
        return tf.bitwise.left_shift(words, tf.constant(places, words.dtype))
    return tf.bitwise.right_shift(words, tf.constant(-places, words.dtype))


def _check(tensor: tf.Tensor, width: int, rows: int | None = None) -> int:
    """The bits of a word, if shape and width are right."""
    bits = int(tensor.dtype.size) * 8
    validation.check_in("width", width, range(1, bits + 1))
    if tensor.shape[0] != (rows or bits):
        raise ValueError(
            f"The first axis must have {rows or bits} rows of {tensor.dtype.name} with a "
            f"width of {width}, got {tensor.shape[0]}."
        )
    return bits
