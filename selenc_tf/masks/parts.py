"""Parts of a model: given tensors and rows, by name or by what they are for.

A selector finds parts in a layout. One that finds nothing raises, so that what a policy
promises to hide is never empty.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from selenc_tf import flatten
from selenc_tf.flatten import FlatSpec
from selenc_tf.masks import units
from selenc_tf.types import Mask

_EMBEDDINGS = re.compile(r"embeddings?$")
_NORMALISATION = re.compile(r"(^|/)(gamma|beta|scale)$")


class Part(NamedTuple):
    """A tensor, or rows of it.

    Attributes:
      tensor: Its index in the layout.
      rows: Which rows, as `units.rows` cuts them; None for all.
    """

    tensor: int
    rows: tuple[int, ...] | None = None


Selector: TypeAlias = Callable[[FlatSpec], tuple[Part, ...]]
"""Finds parts in a layout; raises ValueError if it finds none."""


def tensors_matching(patterns: Sequence[str]) -> Selector:
    """Selects tensors in whose names one of some regular expressions is found.

    Args:
      patterns: Regular expressions, searched for anywhere in a name.

    Returns:
      The selector; it raises ValueError for a pattern that is in no name.

    Raises:
      TypeError: If `patterns` is one string.
      ValueError: If there is no pattern, or one is not a regular expression.
    """
    if isinstance(patterns, str):
        raise TypeError(
            f"`patterns` must be a sequence of strings, got the string {patterns!r}. "
            f"Write [{patterns!r}]."
        )
    if not patterns:
        raise ValueError("`patterns` must have at least one pattern, got none.")
    compiled = tuple(_compile(pattern) for pattern in patterns)

    def select(spec: FlatSpec) -> tuple[Part, ...]:
        found = {index for pattern in compiled for index in _matching(spec, pattern)}
        return tuple(Part(index) for index in sorted(found))

    return select


def rows_matching(pattern: str, rows: Sequence[int]) -> Selector:
    """Selects rows of all tensors in whose names a regular expression is found.

    Args:
      pattern: Searched for anywhere in a name.
      rows: Which rows, for example numbers of words in an embedding table.

    Returns:
      The selector; it raises ValueError if the pattern is in no name, or a tensor has
      not so many rows.

    Raises:
      ValueError: If `rows` is empty or `pattern` not a regular expression.
    """
    if not rows:
        raise ValueError("`rows` must have at least one row, got none.")
    compiled = _compile(pattern)

    def select(spec: FlatSpec) -> tuple[Part, ...]:
        found = _matching(spec, compiled)
        for index in found:
            number = units.rows(spec.names[index], spec.shapes[index]).number
            wrong = [row for row in rows if not 0 <= row < number]
            if wrong:
                raise ValueError(
                    f"`rows` must be from 0 to {number - 1} for the tensor "
                    f"{spec.names[index]!r} of shape {spec.shapes[index]}, got {wrong}."
                )
        return tuple(Part(index, tuple(rows)) for index in found)

    return select


def classifier_head(spec: FlatSpec) -> tuple[Part, ...]:
    """The last dense kernel and its bias, if it has one.

    Hidden, they close the labels: for one example the only negative entry of the bias's
    gradient, and the only column of the kernel's with the opposite sign, is the
    label's; for a batch the bias's entries count labels (Zhao, Mopuri, Bilen, "iDLG",
    arXiv:2001.02610; Wainakh et al., "LLG", arXiv:2105.09369).

    A model whose output layer is its embedding table has no such head: `embeddings`.

    Args:
      spec: The layout; its last kernel [in, out] that is no embedding table is taken.

    Returns:
      The parts.

    Raises:
      ValueError: If there is no such kernel.
    """
    kernels = [
        index
        for index, (name, shape) in _tensors(spec)
        if len(shape) == 2
        and not units.is_bias(name, shape)
        and not _EMBEDDINGS.search(name)
    ]
    last = _some(spec, "a dense kernel [in, out]", kernels)[-1]
    bias_shape = spec.shapes[last][1:]
    has_bias = spec.shapes[last + 1 : last + 2] == (bias_shape,)
    return _parts([last, last + 1] if has_bias else [last])


def biases(spec: FlatSpec) -> tuple[Part, ...]:
    """All tensors with one axis, and those of heads that are called `bias`.

    Hidden, they close the exact inputs of dense layers: for one example (or a unit that
    only one example of a batch activates) x = dW_:j / db_j, with column j of the kernel
    (Geiping et al., arXiv:2003.14053, Proposition 3.1). A visible column still shows x
    up to its length: only hidden columns close that.

    Normalisation's gamma and beta have one axis, so they are among these tensors.

    Raises:
      ValueError: If there are none.
    """
    found = [index for index, tensor in _tensors(spec) if units.is_bias(*tensor)]
    return _parts(_some(spec, "a tensor with one axis", found))


def embeddings(spec: FlatSpec) -> tuple[Part, ...]:
    """All embedding tables: tensors [words, width] whose name ends in `embedding(s)`.

    Hidden, they close the words: the rows that are not zero are those of the words that
    occur, and so are the rows that a mask of the largest entries would pick.

    Raises:
      ValueError: If there are none.
    """
    found = [
        index
        for index, (name, shape) in _tensors(spec)
        if len(shape) == 2 and _EMBEDDINGS.search(name)
    ]
    return _parts(_some(spec, "a table with a name ending in `embeddings`", found))


def normalisation(spec: FlatSpec) -> tuple[Part, ...]:
    """The scales and offsets of normalisation: names ending in gamma, beta or scale.

    Hidden, they close the exact normalised activation where only one position has a
    gradient, as after the pooling of a transformer: dgamma_c / dbeta_c. For several
    positions the two are sums over them.

    Raises:
      ValueError: If there are none.
    """
    found = [
        index for index, (name, _) in _tensors(spec) if _NORMALISATION.search(name)
    ]
    return _parts(_some(spec, "a name ending in gamma, beta or scale", found))


def count(spec: FlatSpec, parts: Sequence[Part]) -> int:
    """How many entries some parts have together; what they share counts once."""
    total = 0
    for index, (name, shape) in _tensors(spec):
        of = units.rows(name, shape)
        total += int(np.count_nonzero(_rows(of.number, index, parts))) * of.size
    return total


def region(spec: FlatSpec, parts: Sequence[Part]) -> Mask:
    """Marks the entries of some parts.

    Args:
      spec: The layout.
      parts: What to mark.

    Returns:
      bool [n]. Made by operations, so that no constant of n entries is in the graph.
    """
    marks = []
    for index, (name, shape) in _tensors(spec):
        of = units.rows(name, shape)
        rows = _rows(of.number, index, parts)
        if rows.all() or not rows.any():
            marks.append(tf.fill(shape, bool(rows.all())))
        else:
            marks.append(
                tf.broadcast_to(
                    tf.constant(rows)[:, tf.newaxis], [of.before, of.number, of.after]
                )
            )
    return flatten.flatten(marks)


def _rows(num_rows: int, index: int, parts: Sequence[Part]) -> NDArray[np.bool_]:
    """Which rows of a tensor are in some parts: bool [num_rows]."""
    chosen = np.zeros([num_rows], np.bool_)
    for part in parts:
        if part.tensor == index:
            chosen[slice(None) if part.rows is None else list(part.rows)] = True
    return chosen


def _parts(indices: Sequence[int]) -> tuple[Part, ...]:
    return tuple(Part(index) for index in indices)


def _tensors(spec: FlatSpec) -> Sequence[tuple[int, tuple[str, tuple[int, ...]]]]:
    return list(enumerate(zip(spec.names, spec.shapes, strict=True)))


def _matching(spec: FlatSpec, pattern: re.Pattern[str]) -> list[int]:
    found = [index for index, name in enumerate(spec.names) if pattern.search(name)]
    return _some(spec, f"a name that matches {pattern.pattern!r}", found)


def _some(spec: FlatSpec, what: str, found: list[int]) -> list[int]:
    if not found:
        raise ValueError(
            f"The model must have {what} to hide it, but its tensors are: "
            f"{', '.join(spec.names)}."
        )
    return found


def _compile(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"`pattern` must be a regular expression, got {pattern!r}: {error}."
        ) from None
