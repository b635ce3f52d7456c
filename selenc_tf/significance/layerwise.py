"""Significance by tensor: which layers to hide first.

All entries of a tensor (a kernel, a bias) get one score. A policy that hides the m
highest scores and gives ties to the lower index, as `top_fraction` does, therefore fills
whole tensors in the order of their scores, and the last one in part, from its first entry
in row-major order. An encryption ratio that ends between two tensors hides whole tensors
only: `m / n` for m the summed sizes of the first few.
"""

import re
from collections.abc import Sequence

import tensorflow as tf

from selenc_tf import flatten
from selenc_tf.flatten import FlatSpec
from selenc_tf.significance import required
from selenc_tf.significance.context import ScoreContext, SignificanceFn
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

    Raises:
      ValueError: If the context has no layout.
    """
    spec = required.spec(context, "first_layers")
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

    Raises:
      ValueError: If the context has no layout.
    """
    spec = required.spec(context, "last_layers")
    return _constant_in_tensors(spec, range(1, len(spec.names) + 1))


def by_pattern(regexes: Sequence[str]) -> SignificanceFn:
    """Builds the metric that prefers tensors by name, most important pattern first.

    score = number of patterns - index of the first that is found in the tensor's name
    (`re.search`), and 0 where none is.

    Runs on: any party. Sees: the layout, which is public. No gradient evaluation.

    Args:
      regexes: Regular expressions, in order of priority, for names such as
        "conv0/kernel".

    Returns:
      The metric: float32 [n], integers in [0, number of patterns]. It uses the context's
      `spec`, and raises ValueError without one or if a pattern is found in no name.

    Raises:
      TypeError: If `regexes` is one string.
      ValueError: If `regexes` is empty or one of them is not a regular expression.
    """
    if isinstance(regexes, str):
        raise TypeError(
            f"`regexes` must be a list of regular expressions, got the string "
            f"{regexes!r}. Put it in brackets."
        )
    if not regexes:
        raise ValueError("`regexes` must name at least one pattern, got an empty list.")
    patterns = [_compiled(regex) for regex in regexes]

    def score(context: ScoreContext) -> Vector:
        spec = required.spec(context, "by_pattern")
        for pattern in patterns:
            # A layer that was renamed would otherwise go unprotected without a word.
            if not any(pattern.search(name) for name in spec.names):
                raise ValueError(
                    f"`regexes` must each be found in the name of some tensor, but "
                    f"{pattern.pattern!r} is in none of: {', '.join(spec.names)}."
                )
        return _constant_in_tensors(
            spec, [_priority(patterns, name) for name in spec.names]
        )

    return score


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
      ValueError: If the context has no layout.
    """
    spec = required.spec(context, "sensitivity_per_byte")
    parts = flatten.unflatten(tf.square(context.gradient), spec)
    return _constant_in_tensors(spec, [tf.reduce_mean(part) for part in parts])


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


def _compiled(regex: str) -> re.Pattern[str]:
    try:
        return re.compile(regex)
    except re.error as error:
        raise ValueError(
            f"`regexes` must be regular expressions, got {regex!r}: {error}."
        ) from error


def _priority(patterns: Sequence[re.Pattern[str]], name: str) -> int:
    for index, pattern in enumerate(patterns):
        if pattern.search(name):
            return len(patterns) - index
    return 0
