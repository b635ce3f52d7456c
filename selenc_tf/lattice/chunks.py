"""Joining what is made chunk by chunk."""

from collections.abc import Callable

import tensorflow as tf

CHUNKS_AT_ONCE = 2
"""More keep threads a little busier and take as much more memory."""


def in_chunks(
    make: Callable[[tf.Tensor], tf.Tensor], chunks: tf.Tensor, dtype: tf.DType
) -> tf.Tensor:
    """Joins `make(0)`, `make(1)`, ..., a few of which are in the making at a time.

    Args:
      make: From the number of a chunk, int32, to a vector.
      chunks: int32, how many there are. `make(0)` must be empty if there are none:
        nothing cannot be joined outside of a graph.
      dtype: Of the vectors.

    Returns:
      All vectors, one after the other.
    """
    chunks = tf.maximum(chunks, 1)
    array = tf.TensorArray(dtype, chunks, infer_shape=False, element_shape=[None])
    _, array = tf.while_loop(
        lambda chunk, _: chunk < chunks,
        lambda chunk, so_far: (chunk + 1, so_far.write(chunk, make(chunk))),
        (tf.constant(0), array),
        parallel_iterations=CHUNKS_AT_ONCE,
    )
    return array.concat()
