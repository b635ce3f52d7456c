"""Integers of any width, packed without gaps, lowest bits first, as tf-shell stores them.

Eight integers of w bits fill w bytes. So a row of w bytes is unpacked into eight columns,
each with one read of eight bytes, one shift and one mask. Integers of more than 57 bits
may reach into a ninth byte.
"""

from collections.abc import Sequence

import tensorflow as tf

PER_ROW = 8
"""Integers in a row of w bytes."""

MIN_WIDTH = 8
MAX_WIDTH = 62
"""Sums of two stay positive in int64."""


def unpack(rows: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Unpacks rows of eight integers.

    Args:
      rows: uint8 [..., w], with w from 8 to 62.

    Returns:
      Eight columns, int64 [...], each from 0 to 2^w - 1.
    """
    width = rows.shape[-1]
    columns = []
    for index in range(PER_ROW):
        bit = index * width
        # The last ones are read together with some bits before them.
        byte = min(bit // 8, width - 8)
        shift = bit - 8 * byte
        within = min(width, 64 - shift)
        words = tf.bitcast(rows[..., byte : byte + 8], tf.int64)
        column = _lowest(_shift(words, -shift), within)
        if within < width:
            beyond = tf.cast(rows[..., byte + 8], tf.int64)
            high = _shift(_lowest(beyond, width - within), within)
            column = tf.bitwise.bitwise_or(column, high)
        columns.append(column)
    return tuple(columns)


def pack(columns: Sequence[tf.Tensor], width: int) -> tf.Tensor:
    """The inverse of `unpack`.

    Args:
      columns: Eight of int64 [...], each from 0 to 2^w - 1.
      width: w, from 8 to 62.

    Returns:
      uint8 [..., w].
    """
    octets = []
    for first in range(0, PER_ROW * width, 64):
        overlapping = [
            _shift(column, index * width - first)
            for index, column in enumerate(columns)
            if -width < index * width - first < 64
        ]
        word = overlapping[0]
        for part in overlapping[1:]:
            word = tf.bitwise.bitwise_or(word, part)
        octets.append(tf.bitcast(word, tf.uint8)[..., : width - first // 8])
    return tf.concat(octets, axis=-1)


def _lowest(values: tf.Tensor, bits: int) -> tf.Tensor:
    """The lowest bits; those above are the sign's after a shift to the right."""
    return tf.bitwise.bitwise_and(values, tf.constant((1 << bits) - 1, tf.int64))


def _shift(values: tf.Tensor, places: int) -> tf.Tensor:
    """Shifts to the left, or to the right if `places` is negative."""
    if places >= 0:
        return tf.bitwise.left_shift(values, tf.constant(places, tf.int64))
    return tf.bitwise.right_shift(values, tf.constant(-places, tf.int64))
