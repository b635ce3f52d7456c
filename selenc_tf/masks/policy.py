"""Mask policies: from significance scores to the set of hidden entries."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from selenc_tf import validation
from selenc_tf.flatten import FlatSpec
from selenc_tf.masks import order, selection
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
    return memoryless(
        "top_fraction", encryption_ratio, lambda _, scores, m: top_scores(scores, m)
    )


def memoryless(
    name: str,
    encryption_ratio: float,
    choose: Callable[[FlatSpec, Vector, int], Mask],
) -> MaskPolicy:
    """A policy that looks at the scores of the round alone.

    Args:
      name: As results report it.
      encryption_ratio: m / n, in [0, 1].
      choose: `(spec, scores float32 [n], m) -> mask bool [n]`, for 0 < m < n; where m is
        0 or n there is nothing to choose, and the scores are not looked at.

    Returns:
      The policy.

    Raises:
      ValueError: If the ratio is outside [0, 1].
    """
    validation.check_fraction("encryption_ratio", encryption_ratio)

    def update(spec: FlatSpec, scores: Vector, state: Any) -> tuple[Mask, Any]:
        scores = tf.ensure_shape(scores, [spec.size])
        m = hidden_count(encryption_ratio, spec.size)
        if m in (0, spec.size):
            return tf.fill([spec.size], m == spec.size), state
        return tf.ensure_shape(choose(spec, scores, m), [spec.size]), state

    return MaskPolicy(
        name=name,
        num_hidden=lambda spec: hidden_count(encryption_ratio, spec.size),
        init=lambda spec: (),
        update=update,
    )


def top_scores(scores: Vector, m: int) -> Mask:
    """Marks the m highest scores; ties, also of -0.0 and 0.0, go to the lower index.

    Args:
      scores: float32 [n], finite.
      m: Number of entries to mark, 0 <= m <= n.

    Returns:
      bool [n] with exactly m entries True. Where m is 0 or n nothing has to be ranked,
      and the scores are not looked at.

    Raises:
      InvalidArgumentError: When run, if a score is NaN or infinite.

    Example:
      >>> top_scores(tf.constant([0.5, 2.0, 2.0, 1.0]), 1).numpy().tolist()
      [False, True, False, False]
    """
    n = scores.shape[0]
    if m in (0, n):
        return tf.fill([n], m == n)
    finite = check_finite(scores)
    marked = selection.highest(lambda *at: order.keys(finite[slice(*at)]), n, m)
    return tf.ensure_shape(marked, [n])


def check_finite(scores: Vector) -> Vector:
    """Returns the scores if all are finite.

    Raises:
      InvalidArgumentError: When run, if one is not.
    """
    message = "`scores` must be finite to rank them; check the gradient they came from"
    checked = tf.debugging.Assert(order.all_finite(scores), [message])
    with tf.control_dependencies([] if checked is None else [checked]):
        return tf.identity(scores)
