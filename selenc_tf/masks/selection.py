"""The highest of very many keys, exactly, without sorting them.

Two passes over the keys find the m-th highest, digit by digit: how many keys have each
value of the upper 16 bits, then, of those in which the m-th highest lies, how many have
each value of the lower 16. A third pass marks what is above it, and of what is equal
the first so many. Keys are read a chunk at a time, so that they need not exist at once.
"""

from collections.abc import Callable
from typing import TypeAlias

import tensorflow as tf

from selenc_tf.types import Mask

_DIGIT_BITS = 16
_DIGITS = 1 << _DIGIT_BITS
_CHUNK = 1 << 19
_CHUNKS_AT_ONCE = 2

ReadKeys: TypeAlias = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""`(start, end) -> int32 [end - start]`, both int64; called three times for each chunk."""


def highest(read: ReadKeys, n: int | tf.Tensor, m: int | tf.Tensor) -> Mask:
    """Marks the m highest of n keys; ties go to the lower index.

    Runs on: whoever holds the scores. Memory: the mask twice, and a few chunks.

    Args:
      read: The keys from `start` to `end`.
      n: How many keys there are; an integer or int64 scalar.
      m: How many to mark, 0 <= m <= n; an integer or int64 scalar.

    Returns:
      bool [n] with exactly m entries True.
    """
    n = tf.convert_to_tensor(n, tf.int64)
    m = tf.convert_to_tensor(m, tf.int64)
    upper, above = _digit_of_rank(_histogram(lambda *at: _upper(read(*at)), n), m)
    first = (upper - _DIGITS // 2) * _DIGITS

    def lower(start: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
        keys = read(start, end)
        within = (keys >= first) & (keys <= first + (_DIGITS - 1))
        return tf.boolean_mask(keys, within) - first

    last, above_last = _digit_of_rank(_histogram(lower, n), m - above)
    return _marked(read, n, first + last, m - above - above_last)


def _upper(keys: tf.Tensor) -> tf.Tensor:
    """The upper digit of keys, from 0 for the lowest."""
    return tf.bitwise.right_shift(keys, _DIGIT_BITS) + _DIGITS // 2


def _chunks(n: tf.Tensor) -> tf.Tensor:
    """How many chunks there are, at least one: nothing cannot be joined."""
    return tf.maximum(tf.cast(-(-n // _CHUNK), tf.int32), 1)


def _fits_a_chunk(n: tf.Tensor) -> bool:
    """Whether it is known that there is one chunk: it needs no loop in the graph."""
    known = tf.get_static_value(n)
    return known is not None and int(known) <= _CHUNK


def _bounds(chunk: tf.Tensor, n: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    start = tf.cast(chunk, tf.int64) * _CHUNK
    return start, tf.minimum(start + _CHUNK, n)


def _histogram(digits: ReadKeys, n: tf.Tensor) -> tf.Tensor:
    """How often each digit occurs: int64 [_DIGITS]."""

    def count(chunk: tf.Tensor) -> tf.Tensor:
        # Not `tf.math.bincount`, which searches for the largest digit before it counts.
        found = tf.raw_ops.DenseBincount(
            input=digits(*_bounds(chunk, n)),
            size=_DIGITS,
            weights=tf.zeros([0], tf.int32),
        )
        return tf.cast(found, tf.int64)

    if _fits_a_chunk(n):
        return count(tf.constant(0))
    chunks = _chunks(n)

    def add(chunk: tf.Tensor, counts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return chunk + 1, counts + count(chunk)

    _, counts = tf.while_loop(
        lambda chunk, _: chunk < chunks,
        add,
        (tf.constant(0), tf.zeros([_DIGITS], tf.int64)),
        parallel_iterations=_CHUNKS_AT_ONCE,
    )
    return counts


def _digit_of_rank(counts: tf.Tensor, rank: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The digit of the key of that rank, and how many keys have a higher one.

    Args:
      counts: int64 [_DIGITS], how many keys have each digit.
      rank: int64, 1 for the highest key. 0 gives the highest digit.
    """
    at_least = tf.cumsum(counts, reverse=True)
    digit = tf.math.count_nonzero(at_least >= rank, dtype=tf.int32) - 1
    return digit, at_least[digit] - counts[digit]


def _marked(
    read: ReadKeys, n: tf.Tensor, threshold: tf.Tensor, num_ties: tf.Tensor
) -> Mask:
    """Marks the keys above a threshold, and the first so many that are equal to it."""

    def choose(chunk: tf.Tensor, left: tf.Tensor) -> tuple[Mask, tf.Tensor]:
        start, end = _bounds(chunk, n)
        keys = read(start, end)
        # `==` would compare objects in graphs of TFF.
        equal = tf.equal(keys, threshold)
        return tf.cond(
            (left > 0) & tf.reduce_any(equal),
            lambda: _with_ties(keys, threshold, equal, left),
            lambda: (keys > threshold, tf.constant(0, tf.int64)),
        )

    if _fits_a_chunk(n):
        return choose(tf.constant(0), num_ties)[0]
    chunks = _chunks(n)

    def mark(
        chunk: tf.Tensor, left: tf.Tensor, marks: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        chosen, taken = choose(chunk, left)
        return chunk + 1, left - taken, marks.write(chunk, chosen)

    array = tf.TensorArray(tf.bool, chunks, infer_shape=False, element_shape=[None])
    *_, marks = tf.while_loop(
        lambda chunk, *_: chunk < chunks,
        mark,
        (tf.constant(0), num_ties, array),
        parallel_iterations=_CHUNKS_AT_ONCE,
    )
    return marks.concat()


def _with_ties(
    keys: tf.Tensor, threshold: tf.Tensor, equal: tf.Tensor, left: tf.Tensor
) -> tuple[Mask, tf.Tensor]:
    """Marks a chunk's keys above the threshold and its first `left` ties; how many."""
    ties = tf.where(equal)[:, 0]
    taken = tf.minimum(left, tf.size(ties, tf.int64))
    # Where the first tie lies that is not taken, or the end.
    cut = tf.concat([ties, [tf.size(keys, tf.int64)]], axis=0)[taken]
    chosen = [keys[:cut] >= threshold, keys[cut:] > threshold]
    return tf.concat(chosen, axis=0), taken
