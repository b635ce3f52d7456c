"""Significance by the diagonal of the empirical Fisher information."""

import tensorflow as tf

from selenc_tf.models import functional
from selenc_tf.significance import per_example, required
from selenc_tf.significance.context import ScoreContext
from selenc_tf.types import Vector


def per_sample_fisher(context: ScoreContext) -> Vector:
    """Scores an entry by mean_k (g_i^(k))^2, the squares before the mean.

    The diagonal of the empirical Fisher information at the labels of the batch, with
    g^(k) the gradient of example k alone (Kirkpatrick et al., "Overcoming catastrophic
    forgetting in neural networks", PNAS 2017; as a ranking for encryption: Li, Yan, Liu,
    "SelectiveShield", arXiv:2508.04265). The square of the batch's gradient, which some
    implementations take for it, lets examples of opposite sign cancel.

    Runs on: client. Sees: its own examples.

    Args:
      context: Its `batch`, `model` and `weights` are used. b gradient evaluations of one
        example each, one after the other: the operations of one of the batch.

    Returns:
      float32 [n], >= 0. For a batch of one it is g_i^2, the ranking of `magnitude`.

    Raises:
      ValueError: If the context has no batch, model or weights.
      InvalidArgumentError: When run, if the batch is empty.
    """
    examples = required.examples(context, "per_sample_fisher")

    def score(inputs: tf.Tensor, labels: tf.Tensor) -> Vector:
        return tf.square(
            functional.gradient(examples.model, examples.weights, inputs, labels)
        )

    return per_example.mean(examples, score)
