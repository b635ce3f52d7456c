"""Significance by the product of weight and gradient."""

import tensorflow as tf

from selenc_tf.significance import required
from selenc_tf.significance.context import ScoreContext
from selenc_tf.types import Vector


def product(context: ScoreContext) -> Vector:
    """Scores an entry by |w_i * g_i|.

    To first order, how much the loss changes when weight i is set to zero (the Taylor
    criterion of Molchanov, Tyree, Karras, Aila, Kautz, "Pruning Convolutional Neural
    Networks for Resource Efficient Inference", ICLR 2017, for single weights). Weights
    that start at zero, as biases mostly do, score zero whatever their gradient says.

    Runs on: whoever holds `context.gradient`. Sees: it, and the public weights.

    Args:
      context: Its `gradient` and `weights`, float32 [n], are used. No gradient
        evaluation beyond the one that made `gradient`.

    Returns:
      float32 [n], >= 0. The ranking of `magnitude` if all |w_i| are equal.

    Raises:
      ValueError: If the context has no gradient or weights.
    """
    gradient = required.gradient(context, "product")
    return tf.abs(required.weights(context, "product") * gradient)
