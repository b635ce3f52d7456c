"""Significance by tensor: which layers to hide first.

All entries of a tensor (a kernel, a bias) get one score. A policy that hides the m
highest scores and gives ties to the lower index, as `top_fraction` does, therefore fills
whole tensors in the order of their scores, and the last one in part, from its first entry
in row-major order. An encryption ratio that ends between two tensors hides whole tensors
only: `m / n` for m the summed sizes of the first few.
"""

from collections.abc import Sequence

import tensorflow as tf

from selenc_tf import flatten
from selenc_tf.flatten import FlatSpec
from selenc_tf.significance import required
from selenc_tf.significance.context import ScoreContext
from selenc_tf.types import Vector


def first_layers(context: ScoreContext) -> Vector:
    """Prefers tensors near the input.

    score = number of tensors - position of the tensor, in the order of the layout: the
    model's own, kernel before bias. A baseline without a source of its own.

    Runs on: any party. Sees: the layout, which is public. No gradient evaluation.

    Args:
      context: Its `spec` is used.

    Returns:
      float32 [n], integers in [1, number of tensors].
    """
    spec = context.spec
    return _constant_in_tensors(spec, range(len(spec.names), 0, -1))


def last_layers(context: ScoreContext) -> Vector:
    """Prefers tensors near the output.

    score = position of the tensor + 1, in the order of the layout: the reverse of
    `first_layers`, so the head's bias comes first and its kernel next. Both give the
    labels away (Zhao, Mopuri, Bilen, "iDLG", arXiv:2001.02610).

    Runs on: any party. Sees: the layout, which is public. No gradient evaluation.

    Args:
      context: Its `spec` is used.

    Returns:
      float32 [n], integers in [1, number of tensors].
    """
    spec = context.spec
    return _constant_in_tensors(spec, range(1, len(spec.names) + 1))


def sensitivity_per_byte(context: ScoreContext) -> Vector:
    """Scores an entry by the mean of g_j^2 over its tensor.

    The energy of the gradient that is hidden for each byte encrypted, where all entries
    cost the same: the ranking by which whole tensors take the most energy
    ||g - g~||^2 out of the visible part for their size. `magnitude` takes more at every
    ratio, with single entries; whole tensors leave an attacker no part of a layer.

    Runs on: whoever holds `context.gradient`. Sees: it, and the public layout.

    Args:
      context: Its `gradient`, float32 [n], and `spec` are used. No gradient evaluation
        beyond the one that made `gradient`.

    Returns:
      float32 [n], >= 0. g_i^2, the ranking of `magnitude`, where each tensor has one
      entry.

    Raises:
      ValueError: If the context has no gradient.
    """
    gradient = required.gradient(context, "sensitivity_per_byte")
    parts = flatten.unflatten(tf.square(gradient), context.spec)
    return _constant_in_tensors(context.spec, [tf.reduce_mean(part) for part in parts])


def _constant_in_tensors(
    spec: FlatSpec, scores: Sequence[int] | Sequence[tf.Tensor]
) -> Vector:
    """Repeats one number for each tensor over its entries."""
    return tf.concat(
        [
            tf.fill([size], tf.cast(score, tf.float32))
            for size, score in zip(spec.sizes, scores, strict=True)
        ],
        axis=0,
    )
