"""Significance by the sensitivity of the gradient to the labels."""

import tensorflow as tf

from selenc_tf.models import functional
from selenc_tf.significance import mixed_derivative, per_example, required
from selenc_tf.significance.context import ScoreContext
from selenc_tf.types import Vector, Weights


def label_sensitivity(context: ScoreContext) -> Vector:
    """Scores an entry by mean_k |d/dy_k (dL_k/dw_i)|, along the true class.

    The sensitivity of FedML-HE (Jin et al., "FedML-HE: An Efficient
    Homomorphic-Encryption-Based Privacy-Preserving Federated Learning System",
    arXiv:2303.10837): how much entry i of example k's gradient moves with the label y_k,
    in absolute value and averaged over the examples. One directional derivative for
    each example, not one backward pass for each entry. The true class of soft labels is
    the most probable one. Labels that are no classes move together, each by one.

    Cross-entropy is linear in the labels, so this is mean_k |g_i^(k)|, the mean of the
    examples' own magnitudes at hard labels: no cancellation between examples, which
    is all that tells it from `magnitude`.

    Runs on: client. Sees: its own examples.

    Args:
      context: Its `batch`, `model` and `weights` are used. b derivatives of one example
        each, as dear as its gradient, one after the other: the operations of one
        gradient evaluation of the batch.

    Returns:
      float32 [n], >= 0. For a batch of one with a hard label it is |g_i|.

    Raises:
      ValueError: If the context has no batch, model or weights.
      InvalidArgumentError: When run, if the batch is empty.
    """
    examples = required.examples(context, "label_sensitivity")

    def score(inputs: tf.Tensor, labels: tf.Tensor) -> Vector:
        def loss(weights: Weights, moved: tf.Tensor) -> tf.Tensor:
            return functional.mean_loss(examples.model, weights, inputs, moved)

        along = tf.ones_like(labels)
        if examples.model.kind == "classes":
            along = tf.one_hot(
                tf.argmax(labels, axis=1), labels.shape[1], dtype=labels.dtype
            )
        return tf.abs(
            mixed_derivative.gradient_along(loss, examples.weights, labels, along)
        )

    return per_example.mean(examples, score)
