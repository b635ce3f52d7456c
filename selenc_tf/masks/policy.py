"""Mask policies: from significance scores to the set of hidden entries."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from selenc_tf import validation
from selenc_tf.flatten import FlatSpec
from selenc_tf.types import Mask, Vector


class MaskPolicy(NamedTuple):
    """How scores become a mask.

    Attributes:
      name: As results report it.
      num_hidden: `spec -> m`. The number of hidden entries is exact and static.
      init: `spec -> state`, a structure of tensors (empty for a memoryless policy).
      update: `(spec, scores float32 [n], state) -> (mask bool [n], state)`.
    """

    name: str
    num_hidden: Callable[[FlatSpec], int]
    init: Callable[[FlatSpec], Any]
    update: Callable[[FlatSpec, Vector, Any], tuple[Mask, Any]]


def hidden_count(encryption_ratio: float, n: int) -> int:
    """Returns m for a ratio: `encryption_ratio * n` rounded half up; at least 1 above 0.

    Args:
      encryption_ratio: m / n, in [0, 1].
      n: Number of parameters.

    Returns:
      m. Zero only for a ratio of exactly zero, so that "some encryption" never silently
      becomes none.
    """
    validation.check_fraction("encryption_ratio", encryption_ratio)
    if encryption_ratio == 0.0:
        return 0
    return min(n, max(1, int(encryption_ratio * n + 0.5)))


def top_fraction(encryption_ratio: float) -> MaskPolicy:
    """Hides the given share of all entries, those with the highest scores.

    One ranking over the whole flat vector, not one per layer. Ties go to the lower
    index.

    Runs on: whoever holds the scores.

    Args:
      encryption_ratio: m / n, in [0, 1].

    Returns:
      The policy; its `update` raises `InvalidArgumentError` for scores that are NaN or
      infinite.

    Raises:
      ValueError: If the ratio is outside [0, 1].
    """
    validation.check_fraction("encryption_ratio", encryption_ratio)

    def update(spec: FlatSpec, scores: Vector, state: Any) -> tuple[Mask, Any]:
        scores = tf.ensure_shape(scores, [spec.size])
        return top_scores(scores, hidden_count(encryption_ratio, spec.size)), state

    return MaskPolicy(
        name="top_fraction",
        num_hidden=lambda spec: hidden_count(encryption_ratio, spec.size),
        init=lambda spec: (),
        update=update,
    )


def top_scores(scores: Vector, m: int) -> Mask:
    """Marks the m highest scores; ties go to the lower index.

    Args:
      scores: float32 [n], finite.
      m: Number of entries to mark, 0 <= m <= n.

    Returns:
      bool [n] with exactly m entries True.

    Raises:
      InvalidArgumentError: When run, if a score is NaN or infinite.
    """
    n = scores.shape[0]
    if m == 0:
        return tf.zeros([n], tf.bool)
    if m == n:
        return tf.ones([n], tf.bool)
    finite = tf.debugging.check_numerics(
        scores,
        "`scores` must be finite to rank them; check the gradient they came from",
    )
    # `top_k` is stable: of equal values the lower index comes first.
    indices = tf.math.top_k(finite, k=m, sorted=True).indices
    return tf.tensor_scatter_nd_update(
        tf.zeros([n], tf.bool), indices[:, tf.newaxis], tf.ones([m], tf.bool)
    )
