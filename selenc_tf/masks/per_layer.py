"""A share of every tensor."""

from typing import Any

import tensorflow as tf

from selenc_tf.flatten import FlatSpec
from selenc_tf.masks import order, selection
from selenc_tf.masks.policy import MaskPolicy, check_finite, memoryless
from selenc_tf.types import Mask, Vector


def shares(spec: FlatSpec, m: int) -> tuple[int, ...]:
    """Divides a number of entries among tensors in proportion to their sizes.

    Every tensor gets the whole part of its share; what is left goes, one entry each, to
    the tensors with the largest remainders (ties to the earlier tensor).

    Args:
      spec: The layout.
      m: What to divide, 0 <= m <= n.

    Returns:
      The entries of each tensor; their sum is m.

    Example: of sizes 6, 3, 1 the shares of 5 are 3, 1.5, 0.5.

    >>> shares(FlatSpec(("a", "b", "c"), ((6,), (3,), (1,))), 5)
    (3, 2, 0)
    """
    products = [m * size for size in spec.sizes]
    whole = [product // spec.size for product in products]
    by_remainder = sorted(
        range(len(products)), key=lambda index: -(products[index] % spec.size)
    )
    for index in by_remainder[: m - sum(whole)]:
        whole[index] += 1
    return tuple(whole)


def per_layer(encryption_ratio: float) -> MaskPolicy:
    """Hides the highest scores of each tensor, the same share of every one.

    No tensor is left out because its scores are small beside those of the others.
    Ties go to the lower index.

    Runs on: whoever holds the scores.

    Args:
      encryption_ratio: m / n, in [0, 1]. `shares` divides m among the tensors, so that
        their sum is as exact as that of `top_fraction`.

    Returns:
      The policy; its `update` raises `InvalidArgumentError` for scores that are NaN or
      infinite.

    Raises:
      ValueError: If the ratio is outside [0, 1].
    """
    return memoryless("per_layer", encryption_ratio, _highest_of_each)


def _highest_of_each(spec: FlatSpec, scores: Vector, m: int) -> Mask:
    counts, scores = shares(spec, m), check_finite(scores)
    sizes = tf.constant(spec.sizes, tf.int64)
    starts = tf.cumsum(sizes, exclusive=True)
    marked = tf.constant(counts, tf.int64)
    total = len(counts)

    def mark(index: tf.Tensor, masks: tf.TensorArray) -> tuple[Any, tf.TensorArray]:
        first = starts[index]
        mask = selection.highest(
            lambda start, end: order.keys(scores[first + start : first + end]),
            sizes[index],
            marked[index],
        )
        return index + 1, masks.write(index, mask)

    # A loop, not one piece of graph for each tensor: large models have hundreds.
    array = tf.TensorArray(tf.bool, total, infer_shape=False, element_shape=[None])
    _, masks = tf.while_loop(
        lambda index, _: index < total,
        mark,
        (tf.constant(0), array),
        parallel_iterations=1,
    )
    return masks.concat()
