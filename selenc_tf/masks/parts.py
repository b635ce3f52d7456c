"""Tensors of a model, by name or by what they are for.

A selector finds them in a layout. One that finds nothing raises, so that what a policy
promises to hide is never empty.
"""

import re
from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

import tensorflow as tf

from selenc_tf.flatten import FlatSpec
from selenc_tf.masks import units
from selenc_tf.types import Mask

_EMBEDDINGS = re.compile(r"embeddings?$")
_NORMALISATION = re.compile(r"(^|/)(gamma|beta|scale|moving_\w+)$")
_PROJECTIONS = re.compile(
    r"(^|/)(query|key|value|attention_output|feedforward_(intermediate|gate|output)_dense)"
    r"/(kernel|lora_kernel_[ab])$"
)
_POOLER = re.compile(r"(^|/)pooled_dense/(kernel|bias)$")
_MOST_NAMES = 12

Selector: TypeAlias = Callable[[FlatSpec], tuple[int, ...]]
"""Finds tensors in a layout, by their indices; raises ValueError if it finds none."""


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

    def select(spec: FlatSpec) -> tuple[int, ...]:
        found = {index for pattern in compiled for index in _matching(spec, pattern)}
        return tuple(sorted(found))

    return select


def classifier_head(spec: FlatSpec) -> tuple[int, ...]:
    """The last dense kernel and its bias, if it has one.

    Hidden, they close the labels: for one example the only negative entry of the bias's
    gradient, and the only column of the kernel's with the opposite sign, is the
    label's; for a batch the bias's entries count labels (Zhao, Mopuri, Bilen, "iDLG",
    arXiv:2001.02610; Wainakh et al., "LLG", arXiv:2105.09369).

    A model whose output layer is its embedding table has no such head: `embeddings`.

    Args:
      spec: The layout; its last kernel [in, out] that is no embedding table is taken.

    Returns:
      Their indices.

    Raises:
      ValueError: If there is no such kernel, or the model has an embedding table and
        ends in something else, so that the kernel is one of its last block.
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
    found = tuple([last, last + 1] if has_bias else [last])
    tables = [name for name in spec.names if _EMBEDDINGS.search(name)]
    behind = spec.names[found[-1] + 1 :]
    if tables and behind:
        raise ValueError(
            "The model must have a dense kernel [in, out] at its end to hide it as its "
            f"head, but behind {spec.names[last]} come {', '.join(behind)}. If the "
            f"embedding table ({tables[0]}) is its output layer too, hide the "
            "`embeddings`."
        )
    return found


def biases(spec: FlatSpec) -> tuple[int, ...]:
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
    return tuple(_some(spec, "a tensor with one axis", found))


def embeddings(spec: FlatSpec) -> tuple[int, ...]:
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
    return tuple(_some(spec, "a table with a name ending in `embeddings`", found))


def projections(spec: FlatSpec) -> tuple[int, ...]:
    """All kernels of a Transformer's blocks: each multiplies a vector of every token.

    Query, key, value, the attention's output and both feed-forward kernels of every
    block, with their gate, by the names of KerasHub; of LoRA adapters both halves.
    Hidden, they close the spans of the vectors of a sentence (`docs/distance.md`,
    "Sentences"), which any one of these kinds alone shows; those of the output layer of
    a language model, and of what pools, stay open.

    Raises:
      ValueError: If there are none.
    """
    found = [index for index, (name, _) in _tensors(spec) if _PROJECTIONS.search(name)]
    return tuple(_some(spec, "a name ending in query/kernel or the like", found))


def pooler(spec: FlatSpec) -> tuple[int, ...]:
    """The kernel and the bias of BERT's pooling layer, by the names of KerasHub.

    Of one sentence they show the vector of the first position behind the last block,
    kernel by bias, as those of the head show the head's. Hide both.

    Raises:
      ValueError: If there are none.
    """
    found = [index for index, (name, _) in _tensors(spec) if _POOLER.search(name)]
    return tuple(_some(spec, "a name ending in pooled_dense/kernel or /bias", found))


def normalisation(spec: FlatSpec) -> tuple[int, ...]:
    """Scales, offsets and moving statistics of normalisation, by their names.

    Hidden, they close the exact normalised activation where only one position has a
    gradient, as after the pooling of a transformer: dgamma_c / dbeta_c. For several
    positions the two are sums over them.

    Raises:
      ValueError: If there are none.
    """
    found = [
        index for index, (name, _) in _tensors(spec) if _NORMALISATION.search(name)
    ]
    return tuple(
        _some(spec, "a name ending in gamma, beta, scale or moving_...", found)
    )


def count(spec: FlatSpec, tensors: Collection[int]) -> int:
    """How many entries some tensors have together; each counts once."""
    return sum(spec.sizes[index] for index in set(tensors))


def region(spec: FlatSpec, tensors: Collection[int]) -> Mask:
    """Marks the entries of some tensors.

    Args:
      spec: The layout.
      tensors: Their indices in it.

    Returns:
      bool [n]. Made by operations, so that no constant of n entries is in the graph.
    """
    marks = [tf.fill([size], i in tensors) for i, size in enumerate(spec.sizes)]
    return tf.concat(marks, axis=0)


def _tensors(spec: FlatSpec) -> Sequence[tuple[int, tuple[str, tuple[int, ...]]]]:
    names = spec.own_names("A selector of parts")
    return list(enumerate(zip(names, spec.shapes, strict=True)))


def _matching(spec: FlatSpec, pattern: re.Pattern[str]) -> list[int]:
    names = spec.own_names("A selector of parts")
    found = [index for index, name in enumerate(names) if pattern.search(name)]
    return _some(spec, f"a name that matches {pattern.pattern!r}", found)


def _some(spec: FlatSpec, what: str, found: list[int]) -> list[int]:
    if not found:
        raise ValueError(
            f"The model must have {what} to hide it, but its {_kinds(spec.names)}."
        )
    return found


def _kinds(names: Sequence[str]) -> str:
    """The tensors that there are; of many their kinds, without places and numbers."""
    if len(names) <= _MOST_NAMES:
        return f"tensors are: {', '.join(names)}"
    ends = ("/".join(name.split("/")[-2:]) for name in names)
    kinds = dict.fromkeys(re.sub(r"_?\d+", "", end) for end in ends)
    return f"{len(names)} tensors are of these kinds: {', '.join(kinds)}"


def _compile(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"`pattern` must be a regular expression, got {pattern!r}: {error}."
        ) from None
