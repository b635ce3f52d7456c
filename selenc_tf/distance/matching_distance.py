"""What a mask-aware attacker minimises, and its shape near the true input."""

import math

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from selenc_tf.distance.jacobian import Derivatives, Linearisation
from selenc_tf.types import Weights


def matching_distance(
    derivatives: Derivatives,
    weights: Weights,
    candidate: NDArray[np.floating],
    labels: NDArray[np.floating],
    gradient: NDArray[np.floating],
    hidden: NDArray[np.bool_],
) -> float:
    """||g_V(x') - g_V(x)||, over visible entries only.

    It is zero exactly for the candidates x' that nobody who sees g_V alone can tell from
    x, so that its zeros, not the distance to a zero-filled gradient, say what is hidden.

    Runs on: the analyst.

    Args:
      derivatives: Of the model.
      weights: Where the gradient was taken.
      candidate: x', [b, *input_shape].
      labels: [b, num_classes] of the candidate.
      gradient: g(x), [n].
      hidden: bool [n], True = hidden.

    Returns:
      The distance in the unit of the gradient.
    """
    reached = derivatives.gradient(
        tuple(tf.cast(tensor, tf.float64) for tensor in weights),
        tf.constant(candidate, tf.float64),
        tf.constant(labels, tf.float64),
    ).numpy()
    return float(np.linalg.norm(np.where(hidden, 0.0, reached - gradient)))


def quadratic_form(
    linearisation: Linearisation,
    displacement: NDArray[np.float64],
    hidden: NDArray[np.bool_],
) -> float:
    """sqrt(dx^T J_V^T J_V dx) = ||J_V dx||: the distance to first order in dx.

    The error is of second order in dx, bounded by half the largest second derivative of
    g_V between x and x + dx times ||dx||^2 (Taylor).

    Runs on: the analyst.

    Args:
      linearisation: At the true input x.
      displacement: dx = x' - x, float64, any shape with d entries.
      hidden: bool [n], True = hidden.

    Returns:
      The predicted distance in the unit of the gradient.
    """
    change = linearisation.jvp(np.reshape(displacement, [-1]))
    return math.sqrt(float(np.sum(np.square(change[~hidden]))))
