"""How tensors fall into rows, columns and heads.

A kernel is read as [space, inputs, outputs]:

    dense [in, out] and embedding [words, width]       space 1
    convolution [*window, in, out]                     space is the window
    query, key, value [in, heads, head size]           space 1, outputs = heads * size
    attention output [heads, head size, out]           space 1, inputs = heads * size

The last two are told from a one-dimensional convolution by their names, as Keras and
KerasHub give them. What has one axis or is called `bias` falls into single entries.
"""

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

Shape: TypeAlias = tuple[int, ...]

_TO_HEADS = frozenset({"query", "key", "value"})
_FROM_HEADS = frozenset({"attention_output"})


class Units(NamedTuple):
    """A tensor seen as [before, number, after], row-major; unit u is its part [:, u, :].

    Attributes:
      before: Entries of a unit that lie apart.
      number: How many units there are.
      after: Entries of a unit that lie side by side.
    """

    before: int
    number: int
    after: int

    @property
    def size(self) -> int:
        """The entries of one unit."""
        return self.before * self.after


Layout: TypeAlias = Callable[[str, Shape], Units]
"""From the name and the shape of a tensor to its units."""


def is_bias(name: str, shape: Shape) -> bool:
    """Whether a tensor has at most one axis or is called `bias` (of heads, with two)."""
    return len(shape) <= 1 or name.rpartition("/")[2] == "bias"


def whole(name: str, shape: Shape) -> Units:
    """One unit: the tensor."""
    return Units(1, 1, math.prod(shape))


def rows(name: str, shape: Shape) -> Units:
    """A unit for each input: of a convolution all that reads from one channel."""
    if is_bias(name, shape):
        return _entries(shape)
    return Units(*_kernel(name, shape))


def columns(name: str, shape: Shape) -> Units:
    """A unit for each output: of a convolution one filter."""
    if is_bias(name, shape):
        return _entries(shape)
    space, inputs, outputs = _kernel(name, shape)
    return Units(space * inputs, outputs, 1)


def heads(head_size: int) -> Layout:
    """Groups of `head_size` neighbouring columns; of attention outputs, of rows.

    Args:
      head_size: The width of a head.

    Returns:
      A layout in which tensors without heads fall into columns; `has_heads` tells.
    """

    def layout(name: str, shape: Shape) -> Units:
        if not has_heads(name, shape, head_size):
            return columns(name, shape)
        _, inputs, outputs = _kernel(name, shape)
        if _is_from_heads(name):
            return Units(1, inputs // head_size, head_size * outputs)
        return Units(inputs, outputs // head_size, head_size)

    return layout


def has_heads(name: str, shape: Shape, head_size: int) -> bool:
    """Whether a tensor is a kernel without a window that heads of this size divide."""
    if is_bias(name, shape):
        return False
    space, inputs, outputs = _kernel(name, shape)
    divided = inputs if _is_from_heads(name) else outputs
    return space == 1 and divided % head_size == 0


def head_size(name: str, shape: Shape) -> int | None:
    """The width of a head where the kernel's own shape tells it, or else None."""
    if is_bias(name, shape) or len(shape) != 3:
        return None
    if _is_from_heads(name):
        return shape[1]
    return shape[2] if _is_to_heads(name) else None


def _entries(shape: Shape) -> Units:
    return Units(1, math.prod(shape), 1)


def _kernel(name: str, shape: Shape) -> tuple[int, int, int]:
    """Space, inputs and outputs."""
    if len(shape) == 3 and _is_from_heads(name):
        return 1, shape[0] * shape[1], shape[2]
    if len(shape) == 3 and _is_to_heads(name):
        return 1, shape[0], shape[1] * shape[2]
    return math.prod(shape[:-2]), shape[-2], shape[-1]


def _is_from_heads(name: str) -> bool:
    return not _FROM_HEADS.isdisjoint(name.split("/"))


def _is_to_heads(name: str) -> bool:
    return not _TO_HEADS.isdisjoint(name.split("/"))
