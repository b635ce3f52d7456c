"""Policies that remember: averaged scores, and masks that stay."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from selenc_tf.flatten import FlatSpec
from selenc_tf.masks.policy import MaskPolicy, check_finite
from selenc_tf.types import Mask, Vector


class EmaState(NamedTuple):
    """State of `ema`.

    Attributes:
      average: float32 [n], the average so far.
      policy: The wrapped policy's own state.
    """

    average: Vector
    policy: Any


def ema(policy: MaskPolicy, decay: float) -> MaskPolicy:
    """Ranks by an exponential moving average of the scores.

        average <- decay * average + (1 - decay) * scores,   at first 0

    The start at zero shrinks all averages alike, so it does not change their ranking.

    Runs on: whoever holds the scores. The average is as secret as they are.

    Args:
      policy: Gets the average in place of the scores.
      decay: In [0, 1); 0 forgets everything, as the policy itself.

    Returns:
      The policy; its `update` raises `InvalidArgumentError` for scores that are NaN or
      infinite, before they come into the average.

    Raises:
      ValueError: If `decay` is not in [0, 1).
    """
    if not 0.0 <= decay < 1.0:
        raise ValueError(
            f"`decay` must be in [0, 1), got {decay!r}. It is the share of the average "
            "that stays: 0.9 forgets a tenth in every round."
        )

    def update(spec: FlatSpec, scores: Vector, state: EmaState) -> tuple[Mask, Any]:
        scores = check_finite(tf.ensure_shape(scores, [spec.size]))
        average = decay * state.average + (1.0 - decay) * scores
        mask, policy_state = policy.update(spec, average, state.policy)
        return mask, EmaState(average, policy_state)

    return MaskPolicy(
        name=f"ema({policy.name})",
        num_hidden=policy.num_hidden,
        init=lambda spec: EmaState(tf.zeros([spec.size]), policy.init(spec)),
        update=update,
    )


class FirstState(NamedTuple):
    """State of `fixed_after_first`.

    Attributes:
      is_fixed: bool, whether `mask` is for ever.
      mask: bool [n], the last mask.
      policy: The wrapped policy's own state.
    """

    is_fixed: tf.Tensor
    mask: Mask
    policy: Any


def fixed_after_first(policy: MaskPolicy) -> MaskPolicy:
    """Keeps the first mask for ever.

    A mask that changes shows, round by round, more entries of the same data. Scores that
    are all equal rank nothing, so a mask of theirs is used but not kept: a policy also
    gets zeros where there is no aggregate to score yet.

    Runs on: whoever holds the scores.

    Args:
      policy: Makes the first mask.

    Returns:
      The policy; its `update` raises `InvalidArgumentError` for scores that are NaN or
      infinite, but no longer looks at them once the mask is fixed.
    """

    def update(spec: FlatSpec, scores: Vector, state: FirstState) -> tuple[Mask, Any]:
        scores = tf.ensure_shape(scores, [spec.size])

        def choose() -> FirstState:
            finite = check_finite(scores)
            mask, policy_state = policy.update(spec, finite, state.policy)
            is_ranking = tf.reduce_min(finite) < tf.reduce_max(finite)
            return FirstState(is_ranking, mask, policy_state)

        kept = tf.cond(state.is_fixed, lambda: state, choose)
        return tf.ensure_shape(kept.mask, [spec.size]), kept

    return MaskPolicy(
        name=f"fixed_after_first({policy.name})",
        num_hidden=policy.num_hidden,
        init=lambda spec: FirstState(
            tf.constant(False), tf.zeros([spec.size], tf.bool), policy.init(spec)
        ),
        update=update,
    )


def fixed(mask: ArrayLike) -> MaskPolicy:
    """Hides what a given mask says, in every round. Scores are not looked at.

    Runs on: any party.

    Args:
      mask: bool [n], known before anything is traced.

    Returns:
      The policy; its functions raise ValueError for a model of another length.

    Raises:
      TypeError: If the mask is not boolean.
      ValueError: If it has not one axis.
    """
    given = np.array(mask)
    if given.dtype != np.bool_:
        raise TypeError(
            f"`mask` must be boolean, got {given.dtype}. Compare first, as `mask > 0`."
        )
    if given.ndim != 1:
        raise ValueError(f"`mask` must have one axis, got the shape {given.shape}.")

    def checked(spec: FlatSpec) -> NDArray[np.bool_]:
        if given.size != spec.size:
            raise ValueError(
                f"`mask` must have {spec.size} entries, one for each parameter, got "
                f"{given.size}."
            )
        return given

    def update(spec: FlatSpec, scores: Vector, state: Mask) -> tuple[Mask, Any]:
        return tf.ensure_shape(state, [checked(spec).size]), state

    # The mask travels as the state: one constant, where the state begins.
    return MaskPolicy(
        name="fixed",
        num_hidden=lambda spec: int(np.count_nonzero(checked(spec))),
        init=lambda spec: tf.constant(checked(spec)),
        update=update,
    )
