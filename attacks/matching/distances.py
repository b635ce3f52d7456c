"""Distances between a candidate's gradient and what was seen of the true one.

All are relative to what is matched, so that the weight of a prior beside them keeps its
meaning at every encryption ratio, and all have finite derivatives where a norm is zero.
Restricting the distance to visible entries is the same as multiplying both gradients by
the mask before any norm. Filling in zeros instead is not: with m the visible entries,
cos(q, m g) = cos(m q, m g) ||m q|| / ||q||, which rewards candidates with little energy
where the truth is hidden, and a magnitude rule hides the entries with most.

Sources: L2, Zhu, Liu, Han, "Deep Leakage from Gradients", NeurIPS 2019; L1 beside L2
with weights by layer, Deng et al., "TAG: Gradient Attack on Transformer-based Language
Models", 2021; global cosine, Geiping et al., "Inverting Gradients", NeurIPS 2020; cosine
by tensor, Balunovic et al., "LAMP: Extracting Text from Gradients with Language Model
Priors", NeurIPS 2022.
"""

import math
from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
import tensorflow as tf

from selenc_tf import flatten, validation
from selenc_tf.types import Vector

Name: TypeAlias = Literal[
    "l2", "l1", "tag", "cosine", "angular", "tensor_cosine", "tensor_l2"
]
"""`tag` is l2 + alpha l1; the last two are means over tensors."""

NAMES: tuple[Name, ...] = (
    "l2",
    "l1",
    "tag",
    "cosine",
    "angular",
    "tensor_cosine",
    "tensor_l2",
)

LayerWeights: TypeAlias = Literal["equal", "linear", "exponential"]
"""Of P tensors, number t (from 0) weighs 1, (P - t) / P, or exp(-t)."""

LAYER_WEIGHTS: tuple[LayerWeights, ...] = ("equal", "linear", "exponential")

Distance: TypeAlias = Callable[[Vector, Vector, Vector], tf.Tensor]
"""`(candidate [n], target [n], matched [n]) -> scalar`, >= 0, zero for a perfect match.

`matched` is 0 or 1 in the dtype of the others; the target is zero where it is 0.
"""

_TINY = 1e-30
_MOST_COSINE = 1.0 - 1e-6
"""The angle has an infinite slope at 1; float32 tells nothing apart beyond this."""


def build_distance(
    name: Name,
    spec: flatten.FlatSpec,
    *,
    alpha: float = 0.1,
    layer_weights: LayerWeights = "equal",
    least_entries: int = 4,
) -> Distance:
    """Builds a distance for gradients of one layout.

    With q the candidate, g the target, m what is matched and w_t the tensors' weights:
    l2 is sum w m (q - g)^2 / sum w m g^2, l1 the same with absolute values, cosine
    1 - <w m q, m g> / (||m q||_w ||m g||_w), angular its angle / pi. The means over
    tensors are of 1 - cosine and of l2 within each tensor, weighted by w_t.

    Runs on: attacker. Sees: the visible entries.

    Args:
      name: Which one.
      spec: The layout of the vectors.
      alpha: Weight of L1 in `tag`, >= 0. Both terms are relative here, so it keeps its
        meaning across models, other than the published one.
      layer_weights: How the tensors count. TAG proposes the last two: early layers
        weigh more.
      least_entries: A tensor takes part in a mean over tensors if at least this many
        of its entries are matched and not all of them are zero. Where none does, the
        mean is replaced by the distance of the vectors as a whole.

    Returns:
      The distance.

    Raises:
      ValueError: If a name is unknown or a number out of range.

    Example:
      l2 of q = [1, 4], g = [3, 0], m = [1, 0]: (1 - 3)^2 / 9 = 4/9.
    """
    validation.check_in("name", name, NAMES)
    validation.check_in("layer_weights", layer_weights, LAYER_WEIGHTS)
    validation.check_at_least("alpha", alpha, 0)
    validation.check_at_least("least_entries", least_entries, 1)
    weights = weights_of_tensors(len(spec.shapes), layer_weights)

    def whole(candidate: Vector, target: Vector, matched: Vector) -> tf.Tensor:
        scale = entry_weights(matched)
        if name in ("l2", "tensor_l2"):
            return relative_l2(candidate, target, scale)
        if name == "l1":
            return relative_l1(candidate, target, scale)
        if name == "tag":
            return relative_l2(candidate, target, scale) + alpha * relative_l1(
                candidate, target, scale
            )
        distance = cosine_distance(candidate, target, scale)
        return angle(distance) if name == "angular" else distance

    def entry_weights(matched: Vector) -> Vector:
        if layer_weights == "equal":
            return matched
        return matched * tf.constant(np.repeat(weights, spec.sizes), matched.dtype)

    def by_tensor(candidate: Vector, target: Vector, matched: Vector) -> tf.Tensor:
        within = cosine_distance if name == "tensor_cosine" else relative_l2
        total = tf.zeros([], candidate.dtype)
        share = tf.zeros([], candidate.dtype)
        parts = (
            tf.split(vector, spec.sizes) for vector in (candidate, target, matched)
        )
        for weight, (q, g, m) in zip(weights, zip(*parts, strict=True), strict=True):
            takes_part = tf.logical_and(
                tf.reduce_sum(m) >= least_entries, tf.reduce_any(m * g != 0)
            )
            part = tf.where(takes_part, tf.cast(weight, q.dtype), 0.0)
            total += part * within(q, g, m)
            share += part
        mean = total / tf.where(share > 0, share, 1.0)
        return tf.where(share > 0, mean, whole(candidate, target, matched))

    return by_tensor if name in ("tensor_cosine", "tensor_l2") else whole


def weights_of_tensors(count: int, layer_weights: LayerWeights) -> np.ndarray:
    """The tensors' weights, float64 [count], the first being 1; see `LayerWeights`."""
    order = np.arange(count)
    if layer_weights == "equal":
        return np.ones(count)
    if layer_weights == "linear":
        return (count - order) / count
    return np.exp(-order)


def relative_l2(candidate: Vector, target: Vector, weights: Vector) -> tf.Tensor:
    """Sum w (q - g)^2 / sum w g^2, or the numerator where the target is zero."""
    error = tf.reduce_sum(weights * tf.square(candidate - target))
    return error / _or_one(tf.reduce_sum(weights * tf.square(target)))


def relative_l1(candidate: Vector, target: Vector, weights: Vector) -> tf.Tensor:
    """Sum w |q - g| / sum w |g|, or the numerator where the target is zero."""
    error = tf.reduce_sum(weights * tf.abs(candidate - target))
    return error / _or_one(tf.reduce_sum(weights * tf.abs(target)))


def cosine_distance(candidate: Vector, target: Vector, weights: Vector) -> tf.Tensor:
    """1 - cosine of the angle between q and g in the weighted inner product.

    Half the squared distance of the unit vectors: the same number, without subtracting
    two that are nearly equal, which in float32 would leave nothing below 1e-7. A vector
    of norm zero counts as orthogonal to everything: 1/2 for one of them, 0 for both.

    Args:
      candidate: [n].
      target: [n].
      weights: [n], >= 0.

    Returns:
      A scalar in [0, 2].
    """
    return 0.5 * tf.reduce_sum(
        weights * tf.square(_unit(candidate, weights) - _unit(target, weights))
    )


def angle(cosine_distance_value: tf.Tensor) -> tf.Tensor:
    """The angle / pi, in [0, 1], of a cosine distance; flat below 1e-6."""
    cosine = tf.clip_by_value(1.0 - cosine_distance_value, -1.0, _MOST_COSINE)
    smallest = math.acos(_MOST_COSINE)
    return (tf.acos(tf.maximum(cosine, -_MOST_COSINE)) - smallest) / math.pi


def magnitude_hinge(candidate: Vector, target: Vector, visible: Vector) -> tf.Tensor:
    """How far hidden entries are below the least that a magnitude rule allows them.

    Sum over hidden entries of max(0, tau - |q|)^2 / sum over visible ones of g^2, with
    tau the largest visible |g|: a rule that hides the largest entries promises that
    every hidden one is at least that large.

    Runs on: attacker. Sees: the visible entries, and that the rule was one of magnitude.

    Args:
      candidate: [n].
      target: [n], zero where hidden.
      visible: [n], 0 or 1.

    Returns:
      A scalar >= 0; zero at the true gradient.

    Example:
      g = [1, 2, hidden], q = [., ., .5]: (2 - .5)^2 / 5 = .45.
    """
    threshold = tf.reduce_max(tf.abs(visible * target))
    short = tf.nn.relu(threshold - tf.abs(candidate))
    error = tf.reduce_sum((1.0 - visible) * tf.square(short))
    return error / _or_one(tf.reduce_sum(tf.square(visible * target)))


def _unit(vector: Vector, weights: Vector) -> Vector:
    energy = tf.reduce_sum(weights * tf.square(vector))
    # The root's slope at zero is infinite, so it must not even be looked at there.
    return vector * tf.where(
        energy > _TINY, tf.math.rsqrt(tf.where(energy > _TINY, energy, 1.0)), 0.0
    )


def _or_one(energy: tf.Tensor) -> tf.Tensor:
    return tf.where(energy > 0, energy, 1.0)
