"""Matching errors: how far a candidate's gradient is from the one that was seen.

Zhu, Liu, Han, "Deep Leakage from Gradients", NeurIPS 2019: the squared L2
distance. It is divided here by the squared norm of what is matched, so that values
compare across encryption ratios, models and pictures.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from selenc_tf.types import Vector


def normalised_weights(vector: np.ndarray, matched: np.ndarray) -> np.ndarray:
    """The entries' weights in the relative squared error.

    Runs on: attacker. Sees: the visible entries.

    Args:
      vector: float [n], the target; zero where nothing is known. Or [o, n], several
        observations that are compared together.
      matched: bool of that shape, the entries to compare.

    Returns:
      float64 of that shape: 1 / sum of the matched squares where matched, else 0. Where
      the matched target is zero altogether there is nothing to be relative to, and the
      matched entries weigh 1.
    """
    target = np.where(matched, vector, 0.0).astype(np.float64).ravel()
    norm = float(target @ target)
    return np.where(matched, 1.0 if norm == 0.0 else 1.0 / norm, 0.0)


def squared_error(
    candidate: Vector, target: Vector, entry_weights: Vector
) -> tf.Tensor:
    """Weighted squared L2 distance (DLG's objective, restricted by the weights).

    Runs on: attacker. With `entry_weights` from `normalised_weights` this is the sum
    over matched entries of (q - g)^2 / the sum over them of g^2.

    Args:
      candidate: [n], the gradient q of the attacker's guess; or [o, n].
      target: Of that shape, the gradient g that was seen; finite also where the weight
        is zero.
      entry_weights: Of that shape, not negative.

    Returns:
      A scalar, zero for a perfect match.

    Example:
      q = [1, 4], g = [3, 0], weights [1/9, 0]: (1 - 3)^2 / 9 = 4/9.
    """
    return _squared_error(candidate, target, entry_weights)


# The vectors are long and the network small, so passes over them are what an evaluation
# costs: value and derivative share the weighted difference.
@tf.custom_gradient
def _squared_error(
    candidate: Vector, target: Vector, entry_weights: Vector
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, ...]]]:
    difference = candidate - target
    weighted = entry_weights * difference

    def derivatives(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
        slope = (2 * upstream) * weighted
        return slope, -slope, upstream * tf.square(difference)

    return tf.reduce_sum(weighted * difference), derivatives
