"""Significance by weight magnitude."""

import tensorflow as tf

from selenc_tf.significance import required
from selenc_tf.significance.context import ScoreContext
from selenc_tf.types import Vector


def weight_magnitude(context: ScoreContext) -> Vector:
    """Scores an entry by |w_i|.

    The criterion of magnitude pruning (Han, Pool, Tran, Dally, "Learning both Weights
    and Connections for Efficient Neural Networks", NeurIPS 2015), taken over as a
    baseline: it costs nothing and the weights are public, so the mask needs no agreement
    and says nothing about the data. Nor does it look at them.

    Runs on: any party. Sees: the weights that the server broadcast.

    Args:
      context: Its `weights`, float32 [n], are used. No gradient evaluation.

    Returns:
      float32 [n], >= 0.

    Raises:
      ValueError: If the context has no weights.
    """
    return tf.abs(required.weights(context, "weight_magnitude"))
