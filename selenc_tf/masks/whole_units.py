"""Whole rows, columns, heads or tensors."""

from typing import Any

import tensorflow as tf

from selenc_tf import flatten, validation
from selenc_tf.flatten import FlatSpec
from selenc_tf.masks import units
from selenc_tf.masks.policy import MaskPolicy, check_finite, memoryless
from selenc_tf.masks.units import Layout, Units
from selenc_tf.types import Mask, Vector


def rows(encryption_ratio: float) -> MaskPolicy:
    """Hides rows of kernels: all that reads one input; the last one only in part.

    With the row of input i nothing is visible that is a multiple of that input alone,
    whereas a single visible entry and its bias give it away: x_i = dW_ij / db_j.

    Args:
      encryption_ratio: m / n, in [0, 1].

    Returns:
      The policy, as `_of_units` describes it.

    Raises:
      ValueError: If the ratio is outside [0, 1].
    """
    return _of_units("rows_last_in_part", encryption_ratio, units.rows)


def columns(encryption_ratio: float) -> MaskPolicy:
    """Hides columns of kernels: all that makes one output; the last one only in part.

    A visible column of a dense layer is a multiple of its input, dW_:j = x db_j, for a
    batch of one.

    Args:
      encryption_ratio: m / n, in [0, 1].

    Returns:
      The policy, as `_of_units` describes it.

    Raises:
      ValueError: If the ratio is outside [0, 1].
    """
    return _of_units("columns_last_in_part", encryption_ratio, units.columns)


def heads(encryption_ratio: float, head_size: int) -> MaskPolicy:
    """Hides attention heads; the last one only in part.

    A head is a group of columns of a query, key or value kernel, or of rows of an
    attention output. Other kernels without a window are cut into groups of columns as
    well where their outputs are a multiple of `head_size`; the rest falls into columns.

    Args:
      encryption_ratio: m / n, in [0, 1].
      head_size: Columns of one head.

    Returns:
      The policy, as `_of_units` describes it. It raises ValueError for a model that has
      no kernel of which `head_size` divides the columns, or whose kernels [in, heads,
      head size] say that its heads have another size.

    Raises:
      ValueError: If the ratio is outside [0, 1] or the head size not positive.
    """
    validation.check_at_least("head_size", head_size, 1)
    policy = _of_units("heads_last_in_part", encryption_ratio, units.heads(head_size))

    def num_hidden(spec: FlatSpec) -> int:
        _check_heads(spec, head_size)
        return policy.num_hidden(spec)

    def update(spec: FlatSpec, scores: Vector, state: Any) -> tuple[Mask, Any]:
        _check_heads(spec, head_size)
        return policy.update(spec, scores, state)

    return policy._replace(num_hidden=num_hidden, update=update)


def tensors(encryption_ratio: float) -> MaskPolicy:
    """Hides tensors; the last one only in part.

    Args:
      encryption_ratio: m / n, in [0, 1].

    Returns:
      The policy, as `_of_units` describes it.

    Raises:
      ValueError: If the ratio is outside [0, 1].
    """
    return _of_units("tensors_last_in_part", encryption_ratio, units.whole)


def _of_units(name: str, encryption_ratio: float, layout: Layout) -> MaskPolicy:
    """Hides the units with the highest mean score, and a part of one more.

    Units are taken in the order of the mean score of their entries (ties: the earlier
    tensor, then the lower index) until the next does not fit. Of that one as many
    entries are hidden, from its lowest indices on, as the exact number leaves. Biases
    are units of one entry.

    Runs on: whoever holds the scores.

    Args:
      name: Of the policy.
      encryption_ratio: m / n, in [0, 1].
      layout: How tensors fall into units.

    Returns:
      The policy; its `update` raises `InvalidArgumentError` for scores that are NaN or
      infinite.
    """

    def choose(spec: FlatSpec, scores: Vector, m: int) -> Mask:
        names = spec.shapes if layout is units.whole else spec.own_names(f"`{name}`")
        layouts = [
            layout(str(of), shape) for of, shape in zip(names, spec.shapes, strict=True)
        ]
        means = flatten.flatten(
            [
                _means(tensor, of)
                for tensor, of in zip(
                    flatten.unflatten(scores, spec), layouts, strict=True
                )
            ]
        )
        sizes = tf.concat([tf.fill([of.number], of.size) for of in layouts], axis=0)
        taken = tf.split(
            _taken(check_finite(means), sizes, m), [of.number for of in layouts]
        )
        return flatten.flatten(
            [_first(count, of) for count, of in zip(taken, layouts, strict=True)]
        )

    return memoryless(name, encryption_ratio, choose)


def _means(tensor: tf.Tensor, of: Units) -> tf.Tensor:
    """The mean score of each unit, float32 [number]."""
    entries = tf.reshape(tensor, [of.before, of.number, of.after])
    # In float64 and rounded once: units of equal entries tie whatever their sizes.
    means = tf.reduce_mean(tf.cast(entries, tf.float64), axis=[0, 2])
    return tf.cast(means, tf.float32)


def _taken(means: tf.Tensor, sizes: tf.Tensor, m: int) -> tf.Tensor:
    """How many entries of each unit are hidden: int32 [units], their sum m."""
    best_first = tf.argsort(means, direction="DESCENDING", stable=True)
    ordered = tf.gather(sizes, best_first)
    before = tf.cumsum(tf.cast(ordered, tf.int64), exclusive=True)
    left = tf.cast(tf.maximum(m - before, 0), tf.int32)
    return tf.scatter_nd(
        best_first[:, tf.newaxis], tf.minimum(ordered, left), tf.shape(sizes)
    )


def _first(taken: tf.Tensor, of: Units) -> Mask:
    """Marks the first so many entries of each unit of a tensor."""
    places = tf.reshape(tf.range(of.size), [of.before, 1, of.after])
    return places < taken[:, tf.newaxis]


def _check_heads(spec: FlatSpec, head_size: int) -> None:
    kernels = list(zip(spec.names, spec.shapes, strict=True))
    # LoRA's halves have the heads' axes but not their width.
    told = {
        size
        for name, shape in kernels
        if name.endswith("/kernel") and (size := units.head_size(name, shape))
    }
    if told and head_size not in told:
        raise ValueError(
            "`head_size` must be the width of the model's heads, "
            f"{' or '.join(map(str, sorted(told)))}, got {head_size}."
        )
    if not any(units.has_heads(*kernel, head_size) for kernel in kernels):
        listed = ", ".join(
            f"{name} {list(shape)}"
            for name, shape in zip(spec.names, spec.shapes, strict=True)
        )
        raise ValueError(
            f"`head_size` must divide the columns of some kernel, got {head_size} for "
            f"the tensors {listed}."
        )
