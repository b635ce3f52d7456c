"""What enters the last block's feed-forward layers, as the gradients of their biases show.

A classifier uses one position of its last block, so that the gradients of that block's
biases are of this position alone, and no sums over the sentence. With v what enters the
first of the two layers,

    z = v W_1 + b_1,    out = act(z) W_2 + b_2,    g_1 = (W_2 g_2) * act'(z),

where g_1 and g_2 are the gradients by the biases (this project). The weights are public: so
each visible entry of g_1 is an equation in v, and there are about four times as many as v
has coordinates. A least-squares problem: from where act' says what z is, then by the steps
of Levenberg and Marquardt.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from scipy import optimize

_GRID = np.linspace(-8.0, 8.0, 16_001)
_TOLERANCE = 1e-4
"""Of the root mean square of what is left, relative to the slopes: float32 leaves less."""

_STEPS = 60


class Biases(NamedTuple):
    """What is known of the two layers.

    Attributes:
      kernel: float64 [d, m], W_1.
      bias: float64 [m], b_1.
      slopes: float64 [m], g_1.
      back: float64 [m], W_2 g_2, the derivative by what the activation gives out.
      activation: Elementwise, of float64 tensors.
    """

    kernel: np.ndarray
    bias: np.ndarray
    slopes: np.ndarray
    back: np.ndarray
    activation: Callable[[tf.Tensor], tf.Tensor]


def solve(known: Biases) -> np.ndarray | None:
    """Solves for what enters.

    Args:
      known: Of those m of the layer's units whose entry of g_1 is visible.

    Returns:
      float64 [d]; None where the equations are too few, or nothing explains them (another
      activation, dropout, more than one sentence).
    """
    used = known.back != 0
    kernel, bias, slopes, back = (np.compress(used, one, axis=-1) for one in known[:4])
    if len(bias) < len(kernel):
        return None
    # Units that hardly count say little about z, and those that count most are no surer.
    weights = np.minimum(np.abs(back) / np.median(np.abs(back)), 3.0)
    ratios = slopes / back
    start = _start(kernel, bias, ratios, weights, known.activation)
    if start is None:
        return None

    def errors(entering: np.ndarray) -> np.ndarray:
        first, _ = _derivatives(known.activation, entering @ kernel + bias)
        return weights * (first - ratios)

    def jacobian(entering: np.ndarray) -> np.ndarray:
        _, second = _derivatives(known.activation, entering @ kernel + bias)
        return (weights * second)[:, np.newaxis] * kernel.T

    found = optimize.least_squares(
        errors, start, jacobian, method="lm", max_nfev=_STEPS
    )
    left = np.sqrt(np.mean(np.square(found.fun)) / np.mean(np.square(weights)))
    return found.x if left < _TOLERANCE else None


def _start(
    kernel: np.ndarray,
    bias: np.ndarray,
    ratios: np.ndarray,
    weights: np.ndarray,
    activation: Callable[[tf.Tensor], tf.Tensor],
) -> np.ndarray | None:
    """By linear least squares, of the units whose act'(z) belongs to one z alone."""
    values, _ = _derivatives(activation, _GRID)
    above = values[np.newaxis] > ratios[:, np.newaxis]
    crossings = above[:, 1:] != above[:, :-1]
    sure = np.count_nonzero(crossings, axis=1) == 1
    # A ridge: a few equations less than unknowns are no reason to give up.
    if np.count_nonzero(sure) < len(kernel) // 2:
        return None
    at = np.argmax(crossings[sure], axis=1)
    low, high = values[at], values[at + 1]
    share = (ratios[sure] - low) / (high - low)
    there = _GRID[at] + share * (_GRID[1] - _GRID[0])
    matrix = (weights[sure] * kernel[:, sure]).T
    target = weights[sure] * (there - bias[sure])
    ridge = 1e-6 * np.trace(matrix.T @ matrix) / len(kernel)
    normal = matrix.T @ matrix + ridge * np.eye(len(kernel))
    found: np.ndarray = np.linalg.solve(normal, matrix.T @ target)
    return found


def _derivatives(
    activation: Callable[[tf.Tensor], tf.Tensor], at: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The first and second derivative of an elementwise function: [m] each."""
    points, zero = tf.constant(at, tf.float64), tf.UnconnectedGradients.ZERO
    with tf.GradientTape() as outer:
        outer.watch(points)
        with tf.GradientTape() as inner:
            inner.watch(points)
            made = activation(points)
        first = inner.gradient(made, points, unconnected_gradients=zero)
    second = outer.gradient(first, points, unconnected_gradients=zero)
    return first.numpy(), second.numpy()
