"""The mean over the examples of a batch of something as long as the gradient."""

from collections.abc import Callable

import tensorflow as tf

from selenc_tf.significance import required
from selenc_tf.types import Vector


def mean(
    examples: required.Examples, score: Callable[[tf.Tensor, tf.Tensor], Vector]
) -> Vector:
    """Adds up one example after the other: memory for a few vectors, whatever b is.

    Runs on: client. Sees: its own examples.

    Args:
      examples: Those of the batch, at least one, with their model.
      score: `(inputs [1, *input_shape], labels [1, num_classes]) -> [n]`.

    Returns:
      [n] in the dtype of the weights.
    """
    inputs, labels = examples.batch
    count = tf.shape(inputs)[0]
    size = examples.model.spec.size
    dtype = examples.weights[0].dtype

    def add(index: tf.Tensor, total: Vector) -> tuple[tf.Tensor, Vector]:
        one = slice(index, index + 1)
        # The length of a densified embedding gradient is known only when it runs.
        return index + 1, total + tf.ensure_shape(
            score(inputs[one], labels[one]), [size]
        )

    start = (tf.constant(0), tf.zeros([size], dtype))
    # One iteration at a time: ten at once, the default, would hold ten gradients.
    _, total = tf.while_loop(
        lambda index, _: index < count, add, start, parallel_iterations=1
    )
    return total / tf.cast(count, dtype)
