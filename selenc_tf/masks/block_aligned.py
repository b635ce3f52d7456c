"""Masks that fill whole ciphertext blocks."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from selenc_tf import validation
from selenc_tf.flatten import FlatSpec
from selenc_tf.masks import order, selection
from selenc_tf.masks.policy import MaskPolicy, check_finite
from selenc_tf.types import Mask, Vector


def block_aligned(
    policy: MaskPolicy,
    codes_per_block: int,
    count_codes: Callable[[int], int] = lambda hidden: 1,
) -> MaskPolicy:
    """Hides what a policy hides, and so many more that no slot of a block is empty.

    A ciphertext is paid for in whole blocks: the rest of the last one hides more entries
    for nothing. They are the highest scores of what the policy leaves visible (ties: the
    lower index). The last block also holds the count of saturated entries, so the number
    hidden is a little below a multiple of `codes_per_block`.

    A model with fewer entries than that is hidden completely. Where the policy hides
    nothing, nothing is added.

    Runs on: whoever holds the scores.

    Args:
      policy: What to hide first.
      codes_per_block: `lattice.engine.Engine.codes_per_block`.
      count_codes: `lattice.engine.Engine.count_codes`: how many codes count the
        saturated ones of so many hidden entries, at least 1 and never decreasing. One
        is right below 2^15 hidden entries of 16 bits.

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
        room = -(-(m + count_codes(m)) // codes_per_block) * codes_per_block
        most = room
        while most + count_codes(most) > room:
            most -= 1
        return min(spec.size, most)

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
