"""How the gradient moves when something else than the weights does."""

from collections.abc import Callable

import tensorflow as tf

from selenc_tf import flatten
from selenc_tf.types import Vector, Weights


def gradient_along(
    loss: Callable[[Weights, tf.Tensor], tf.Tensor],
    weights: Weights,
    point: tf.Tensor,
    direction: tf.Tensor,
) -> Vector:
    """The derivative of the gradient dL/dw, as `point` moves along `direction`.

    J v for the Jacobian J = d(dL/dw)/dx, which has a row for every weight and is never
    formed. By the symmetry of second derivatives
      (J v)_i = sum_j d/dx_j (dL/dw_i) v_j = d/dw_i <dL/dx, v>,
    two backward passes, the inner one by x. `tf.autodiff.ForwardAccumulator` around the
    backward pass by w is the textbook way; with `softmax_cross_entropy_with_logits` it
    is wrong. The second derivative that TensorFlow 2.20 registers for that operation
    (`nn_grad.py`) treats its gradient by the logits, p - y, as independent of the labels
    y, so that J v by the labels comes out as zero. Taking the derivative by x first
    avoids it, and compiles no function for each operation.

    Runs on: client. Sees: what it is given.

    Args:
      loss: `(weights, point) -> scalar`.
      weights: Where the gradient is taken.
      point: A tensor that the loss depends on, in the dtype of the weights.
      direction: v, of the same shape and dtype.

    Returns:
      [n] in the dtype of the weights. Costs the backward pass from the loss to `point`
      and the one through both.

    Raises:
      ValueError: If the loss has no derivative by `point`.
    """
    with tf.GradientTape(watch_accessed_variables=False) as outer:
        outer.watch(weights)
        with tf.GradientTape(watch_accessed_variables=False) as inner:
            inner.watch(point)
            value = loss(weights, point)
        slope = inner.gradient(value, point)
        if slope is None:
            raise ValueError(
                "The loss must have a derivative by `point`, but there is none: between "
                "the two stands an integer, as in front of an embedding. Choose a metric"
                " that does not differentiate by the inputs."
            )
        along = tf.reduce_sum(slope * direction)
    gradients = outer.gradient(
        along, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    return flatten.flatten([tf.convert_to_tensor(part) for part in gradients])
