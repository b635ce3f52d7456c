"""Parts of a model that are hidden whatever the scores say."""

from typing import Any

import tensorflow as tf

from selenc_tf.flatten import FlatSpec
from selenc_tf.masks import order, parts, selection
from selenc_tf.masks.parts import Selector
from selenc_tf.masks.policy import MaskPolicy, check_finite
from selenc_tf.types import Mask, Vector

_FIRST = 1e38
"""Above the scores of any gradient; averages of it are still finite."""


def always_hide(policy: MaskPolicy, *selectors: Selector) -> MaskPolicy:
    """Hides given parts of the model, and spends the rest of the budget on a policy.

    Some small tensors give things away exactly, however small their scores are:

        selector               closes
        classifier_head        the labels, from the signs of the head's gradient
        embeddings             the words, from the rows that are not zero
        biases                 the inputs of dense layers, x = dW_:j / db_j
        normalisation          an activation, dgamma / dbeta
        projections            the spans of a sentence's vectors

    as the docstrings in `parts.py` say, where `tensors_matching` selects by name.

    The number hidden is the policy's, or that of the parts if they are more. The policy
    sees the parts with scores above all others; what it takes beyond them stays, down
    to the exact number, in the order of the scores (ties: the lower index). So a policy
    of whole units keeps its units as long as the parts consist of units.

    Runs on: whoever holds the scores.

    Args:
      policy: What else to hide.
      *selectors: Which parts, at least one selector.

    Returns:
      The policy; its `update` raises `InvalidArgumentError` for scores that are NaN or
      infinite, and all its functions ValueError where a selector finds nothing.

    Raises:
      ValueError: If there is no selector.
    """
    if not selectors:
        raise ValueError(
            "`selectors` must have at least one selector, got none. For example "
            "`parts.classifier_head`."
        )

    def select(spec: FlatSpec) -> tuple[int, ...]:
        return tuple(index for select in selectors for index in select(spec))

    def num_hidden(spec: FlatSpec) -> int:
        return max(policy.num_hidden(spec), parts.count(spec, select(spec)))

    def update(spec: FlatSpec, scores: Vector, state: Any) -> tuple[Mask, Any]:
        always = parts.region(spec, select(spec))
        scores = check_finite(tf.ensure_shape(scores, [spec.size]))
        raised = tf.where(always, _FIRST, scores)
        wanted, state = policy.update(spec, raised, state)

        def read(start: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
            keys = order.keys(raised[start:end])
            keys = tf.where(wanted[start:end], keys, order.LEAST)
            return tf.where(always[start:end], order.GREATEST, keys)

        mask = selection.highest(read, spec.size, num_hidden(spec))
        return tf.ensure_shape(mask, [spec.size]), state

    return MaskPolicy(
        name=f"always_hide({policy.name})",
        num_hidden=num_hidden,
        init=policy.init,
        update=update,
    )
