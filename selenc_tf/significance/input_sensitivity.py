"""Significance by the sensitivity of the gradient to the inputs."""

import tensorflow as tf

from selenc_tf import validation
from selenc_tf.models import functional
from selenc_tf.significance import mixed_derivative, required
from selenc_tf.significance.context import ScoreContext
from selenc_tf.types import Vector, Weights


def input_sensitivity(context: ScoreContext, num_probes: int = 16) -> Vector:
    """Scores an entry by ||dg_i/dx||, x the inputs of the batch.

    How far entry i moves, at most, when the pictures move by a unit: the length of row i
    of J = dg/dx, the Jacobian that an attacker who matches gradients inverts. Unlike
    label sensitivity, it is not gradient magnitude in disguise for a batch of one. Rows
    are too long to form.

    For random v with E[v v^T] = I, E[(J v)_i^2] = ||J_i||^2 (Hutchinson, "A stochastic
    estimator of the trace of the influence matrix for Laplacian smoothing splines",
    1990, for the diagonal of J J^T); the score is the root of the mean over the probes.
    They are Gaussian: then (J v)_i^2 is ||J_i||^2 times a chi-squared variable of one
    degree of freedom, so the relative standard error of the mean is sqrt(2 / r) for
    every entry of every model. Rademacher probes have a smaller variance,
    2 (||J_i||^4 - sum_j J_ij^4), but by how much depends on the row, and discrete ones
    can miss a row (J_i = [1, -1] and v = [1, 1]). All entries share the probes, so that
    of entries with parallel rows the ranking is exact.

    Runs on: client. Sees: its own examples. The probes come from the public seed.

    Args:
      context: Its `batch`, `model`, `weights` and `seed` are used.
      num_probes: r >= 1. The relative error of a score is about sqrt(1 / (2 r)). Each
        is a derivative of the batch's gradient: about two gradient evaluations.
        Memory for a few vectors of n, whatever r is.

    Returns:
      float32 [n], >= 0.

    Raises:
      ValueError: If `num_probes` is below 1, the context lacks something, or the model
        has no derivative by its inputs (an embedding).
      InvalidArgumentError: When run, if the batch is empty.
    """
    validation.check_at_least("num_probes", num_probes, 1)
    model, weights, (inputs, labels) = required.examples(context, "input_sensitivity")
    size = model.spec.size
    dtype = weights[0].dtype

    def loss(at: Weights, moved: tf.Tensor) -> tf.Tensor:
        return functional.mean_loss(model, at, moved, labels)

    def add(index: tf.Tensor, total: Vector) -> tuple[tf.Tensor, Vector]:
        probe = tf.random.stateless_normal(
            tf.shape(inputs),
            seed=tf.random.experimental.stateless_fold_in(context.seed, index),
            dtype=dtype,
        )
        value = mixed_derivative.gradient_along(loss, weights, inputs, probe)
        return index + 1, total + tf.ensure_shape(tf.square(value), [size])

    # One probe at a time, for its memory.
    _, total = tf.while_loop(
        lambda index, _: index < num_probes,
        add,
        (tf.constant(0), tf.zeros([size], dtype)),
        parallel_iterations=1,
    )
    return tf.sqrt(total / num_probes)
