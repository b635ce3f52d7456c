"""Distances between a candidate's gradient and what was seen of the true one.

All are relative to what is matched, so that the weight of a prior beside them keeps its
meaning at every encryption ratio, and all have finite derivatives where a norm is zero.
Restricting the distance to visible entries is the same as multiplying both gradients by
the mask before any norm. Filling in zeros instead is not: with m the visible entries,
cos(q, m g) = cos(m q, m g) ||m q|| / ||q||, which rewards candidates with little energy
where the truth is hidden, and a magnitude rule hides the entries with most.

Sources: L2, Zhu, Liu, Han, "Deep Leakage from Gradients", NeurIPS 2019; L1 beside L2,
Deng et al., "TAG: Gradient Attack on Transformer-based Language
Models", 2021; global cosine, Geiping et al., "Inverting Gradients", NeurIPS 2020; cosine
by tensor, Balunovic et al., "LAMP: Extracting Text from Gradients with Language Model
Priors", NeurIPS 2022.
"""

from collections.abc import Callable
from typing import Literal, TypeAlias

import tensorflow as tf

from selenc_tf import flatten, validation
from selenc_tf.types import Vector

Name: TypeAlias = Literal["l2", "l1", "tag", "cosine", "tensor_cosine", "tensor_l2"]
"""`tag` is l2 + alpha l1; the last two are means over tensors."""

NAMES: tuple[Name, ...] = (
    "l2",
    "l1",
    "tag",
    "cosine",
    "tensor_cosine",
    "tensor_l2",
)

Distance: TypeAlias = Callable[[Vector, Vector, Vector], tf.Tensor]
"""`(candidate [n], target [n], matched [n]) -> scalar`, >= 0, zero for a perfect match.

`matched` is 0 or 1 in the dtype of the others; the target is zero where it is 0.
"""

_TINY = 1e-30


def build_distance(
    name: Name,
    spec: flatten.FlatSpec,
    *,
    alpha: float = 0.1,
    least_entries: int = 4,
) -> Distance:
    """Builds a distance for gradients of one layout.

    With q the candidate, g the target and m what is matched: l2 is sum m (q - g)^2 /
    sum m g^2, l1 the same with absolute values, cosine 1 - <m q, m g> / (||m q||
    ||m g||). The means over tensors are of 1 - cosine and of l2 within each tensor.

    Runs on: attacker. Sees: the visible entries.

    Args:
      name: Which one.
      spec: The layout of the vectors.
      alpha: Weight of L1 in `tag`, >= 0. Both terms are relative here, so it keeps its
        meaning across models, other than the published one.
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
    validation.check_at_least("alpha", alpha, 0)
    validation.check_at_least("least_entries", least_entries, 1)

    def whole(candidate: Vector, target: Vector, matched: Vector) -> tf.Tensor:
        if name in ("l2", "tensor_l2"):
            return relative_l2(candidate, target, matched)
        if name == "l1":
            return relative_l1(candidate, target, matched)
        if name == "tag":
            return relative_l2(candidate, target, matched) + alpha * relative_l1(
                candidate, target, matched
            )
        return cosine_distance(candidate, target, matched)

    def by_tensor(candidate: Vector, target: Vector, matched: Vector) -> tf.Tensor:
        within = cosine_distance if name == "tensor_cosine" else relative_l2
        total = tf.zeros([], candidate.dtype)
        count = tf.zeros([], candidate.dtype)
        parts = (
            tf.split(vector, spec.sizes) for vector in (candidate, target, matched)
        )
        for q, g, m in zip(*parts, strict=True):
            takes_part = tf.logical_and(
                tf.reduce_sum(m) >= least_entries, tf.reduce_any(m * g != 0)
            )
            part = tf.cast(takes_part, q.dtype)
            total += part * within(q, g, m)
            count += part
        mean = total / tf.where(count > 0, count, 1.0)
        return tf.where(count > 0, mean, whole(candidate, target, matched))

    return by_tensor if name in ("tensor_cosine", "tensor_l2") else whole


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


def _unit(vector: Vector, weights: Vector) -> Vector:
    energy = tf.reduce_sum(weights * tf.square(vector))
    # The root's slope at zero is infinite, so it must not even be looked at there.
    return vector * tf.where(
        energy > _TINY, tf.math.rsqrt(tf.where(energy > _TINY, energy, 1.0)), 0.0
    )


def _or_one(energy: tf.Tensor) -> tf.Tensor:
    return tf.where(energy > 0, energy, 1.0)
