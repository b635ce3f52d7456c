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


def pack(fields: tf.Tensor, width: int, axis: int = 0) -> tf.Tensor:
    """Packs groups of integers.

    Args:
      fields: uint32 [32, ...] or uint64 [64, ...], each below 2^w.
      width: w, from 1 to the bits of a word.
      axis: Where the integers of a group stand, if not in front.

    Returns:
      The same dtype, [w, ...].
    """
    bits = _check(fields, width, None, axis)
    return _moved(fields, width, bits, axis)


def unpack(words: tf.Tensor, width: int, axis: int = 0) -> tf.Tensor:
    """The inverse of `pack`.

    Args:
      words: uint32 [w, ...] or uint64 [w, ...].
      width: w.
      axis: As of `pack`.

    Returns:
      The same dtype, [32, ...] or [64, ...], each below 2^w.
    """
    bits = _check(words, width, width, axis)
    return lowest(_moved(words, bits, width, axis), width)


def add(one: tf.Tensor, other: tf.Tensor, width: int, axis: int = 0) -> tf.Tensor:
    """Adds integer by integer, modulo 2^w, without unpacking.

    The highest bit of every integer is added by itself, without a carry, so that none
    reaches the next integer. An integer that lies in two words carries from one to the
    other; it began in the first, so no carry goes through a whole word.

    Args:
      one: uint32 or uint64 [w, ...].
      other: Likewise.
      width: w.
      axis: As of `pack`.

    Returns:
      The same dtype and shape.
    """
    bits = _check(one, width, width, axis)
    tops = sum(1 << place for place in range(width - 1, width * bits, width))
    mask = (1 << bits) - 1
    top = _along(
        axis, one, [tops >> first & mask for first in range(0, width * bits, bits)]
    )
    below = tf.bitwise.invert(top)
    low = tf.bitwise.bitwise_and(one, below)
    total = low + tf.bitwise.bitwise_and(other, below)
    carry = tf.cast(total < low, one.dtype)
    # By rows, not as a concatenation, after which XLA computes everything twice.
    from_before = tf.gather(carry, [max(row - 1, 0) for row in range(width)], axis=axis)
    total += from_before * _along(axis, one, [0] + [1] * (width - 1))
    highest = tf.bitwise.bitwise_and(tf.bitwise.bitwise_xor(one, other), top)
    return tf.bitwise.bitwise_xor(total, highest)


def lowest(words: tf.Tensor, width: int) -> tf.Tensor:
    """The lowest bits of words of uint32 or uint64."""
    return tf.bitwise.bitwise_and(words, tf.constant((1 << width) - 1, words.dtype))


def _moved(rows: tf.Tensor, given: int, wanted: int, axis: int) -> tf.Tensor:
    """Cuts what stands in rows of `given` bits, end to end, into rows of `wanted` bits.

    A row is made of the few that it shares bits with: of all first ones together, of all
    second ones, and so on. With every row written out, XLA compiles for seconds.
    """
    bits = int(rows.dtype.size) * 8
    pieces = [
        [
            (source, source * given - first)
            for source in range(first // given, -(-(first + wanted) // given))
        ]
        for first in range(0, bits * min(given, wanted), wanted)
    ]
    result: tf.Tensor | None = None
    for turn in range(max(map(len, pieces))):
        # Of rows that are made of fewer, the last once more: it stays what it is.
        places = [piece[min(turn, len(piece) - 1)] for piece in pieces]
        part = tf.gather(rows, [source for source, _ in places], axis=axis)
        left = _along(axis, rows, [max(place, 0) for _, place in places])
        right = _along(axis, rows, [max(-place, 0) for _, place in places])
        part = tf.bitwise.right_shift(tf.bitwise.left_shift(part, left), right)
        result = part if result is None else tf.bitwise.bitwise_or(result, part)
    return result


def _along(axis: int, like: tf.Tensor, numbers: list[int]) -> tf.Tensor:
    """A constant that differs along one axis only."""
    shape = [len(numbers) if place == axis else 1 for place in range(like.shape.rank)]
    return tf.reshape(tf.constant(numbers, like.dtype), shape)


def _check(tensor: tf.Tensor, width: int, rows: int | None, axis: int) -> int:
    """The bits of a word, if shape and width are right."""
    bits = int(tensor.dtype.size) * 8
    validation.check_in("width", width, range(1, bits + 1))
    if tensor.shape[axis] != (rows or bits):
        raise ValueError(
            f"Axis {axis} must have {rows or bits} rows of {tensor.dtype.name} with a "
            f"width of {width}, got {tensor.shape[axis]}."
        )
    return bits
