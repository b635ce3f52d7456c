"""Masks that fill whole ciphertext blocks."""

from typing import Any

import tensorflow as tf

from selenc_tf import validation
from selenc_tf.flatten import FlatSpec
from selenc_tf.masks import order, selection
from selenc_tf.masks.policy import MaskPolicy, check_finite
from selenc_tf.types import Mask, Vector

_SATURATED_COUNT = 1
"""A message has one code more than hidden entries: `lattice.engine.num_codes`."""


def block_aligned(policy: MaskPolicy, codes_per_block: int) -> MaskPolicy:
    """Hides what a policy hides, and so many more that no slot of a block is empty.

    A ciphertext is paid for in whole blocks: the rest of the last one hides more entries
    for nothing. They are the highest scores of what the policy leaves visible (ties: the
    lower index). The last block also holds the count of saturated entries, so the number
    hidden is one below a multiple of `codes_per_block`.

    A model with fewer entries than that is hidden completely. Where the policy hides
    nothing, nothing is added.

    Runs on: whoever holds the scores.

    Args:
      policy: What to hide first.
      codes_per_block: `lattice.engine.Engine.codes_per_block`.

    Returns:
      The policy; its `update` raises `InvalidArgumentError` for scores that are NaN or
      infinite.

    Raises:
      ValueError: If `codes_per_block` is not positive.
    """
    validation.check_at_least("codes_per_block", codes_per_block, 1)

    def num_hidden(spec: FlatSpec) -> int:
        m = policy.num_hidden(spec)
        if m == 0:
            return 0
        blocks = -(-(m + _SATURATED_COUNT) // codes_per_block)
        return min(spec.size, blocks * codes_per_block - _SATURATED_COUNT)

    def update(spec: FlatSpec, scores: Vector, state: Any) -> tuple[Mask, Any]:
        scores = tf.ensure_shape(scores, [spec.size])
        first, state = policy.update(spec, scores, state)
        m = num_hidden(spec)
        if m == policy.num_hidden(spec):
            return first, state
        finite = check_finite(scores)

        def read(start: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
            keys = order.keys(finite[start:end])
            return tf.where(first[start:end], order.GREATEST, keys)

        mask = selection.highest(read, spec.size, m)
        return tf.ensure_shape(mask, [spec.size]), state

    return MaskPolicy(
        name=f"block_aligned({policy.name})",
        num_hidden=num_hidden,
        init=policy.init,
        update=update,
    )
