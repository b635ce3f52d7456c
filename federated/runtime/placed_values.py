"""What a value looks like while a computation runs: tensors, tuples, placed values.

A TFF value of type | is, between two steps of a computation,
--- | ---
`tff.TensorType` | an eager `tf.Tensor`
`tff.StructType` | a `tuple` of values, in the type's order (names live in the type)
`tff.SequenceType` | a `Sequence` (see `sequences.py`)
`tff.FunctionType` | a Python callable from the argument's value (or None)
`T@SERVER` | `AtServer`
`{T}@CLIENTS`, `T@CLIENTS` | `AtClients`

Keeping eager tensors between the graphs of a computation is what makes a round cheap:
nothing is converted to NumPy before it leaves the computation.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import tensorflow_federated as tff

# Recursive: a tensor, tuple, sequence, function or placed value (see above).
Value = Any
Function = Callable[[Value | None], Value]


class AtServer(NamedTuple):
    """A value that the server has.

    Attributes:
      value: the member value.
    """

    value: Value


class AtClients(NamedTuple):
    """A value that every client has.

    Attributes:
      values: one member value per client of the cohort, in order.
      common: for a value that is the same at all clients, a tuple of that value;
        otherwise None. It lets an all-equal value survive an empty cohort.
    """

    values: tuple[Value, ...]
    common: tuple[Value] | None = None

    @classmethod
    def all_equal(cls, value: Value, num_clients: int) -> "AtClients":
        """The same `value` at each of `num_clients` clients."""
        return cls((value,) * num_clients, (value,))


class UnsupportedIntrinsicError(NotImplementedError):
    """A computation calls an intrinsic that this runtime does not execute.

    Attributes:
      uri: the intrinsic's URI, for example `"federated_secure_sum"`.
    """

    def __init__(self, uri: str, detail: str):
        """Names the intrinsic and says what to know about it."""
        super().__init__(
            f"The in-process TFF runtime does not execute the intrinsic `{uri}`: "
            f"{detail}"
        )
        self.uri = uri


class UnsupportedBlockError(NotImplementedError):
    """A computation contains a building block that this runtime cannot run."""


def element_types(type_spec: tff.Type) -> list[tuple[str | None, tff.Type]]:
    """The (name or None, type) pairs of a struct type, in order."""
    return list(tff.structure.iter_elements(type_spec))


def leaf_types(type_spec: tff.Type) -> Iterator[tff.Type]:
    """The types of the tensors and sequences of a type, in order."""
    if isinstance(type_spec, tff.StructType):
        for _, member in element_types(type_spec):
            yield from leaf_types(member)
    else:
        yield type_spec


def map_tensors(fn: Callable[..., Value], type_spec: tff.Type, *values: Value) -> Value:
    """Applies `fn` to the tensors of equally structured values.

    Args:
      fn: takes the leaf's `tff.TensorType` and one tensor of each of `values`.
      type_spec: a struct of tensors, or a tensor type.
      *values: values of that structure.

    Returns:
      The structure of `fn`'s results.

    Raises:
      TypeError: if `type_spec` holds anything but structs and tensors.
    """
    if isinstance(type_spec, tff.StructType):
        return tuple(
            map_tensors(fn, element, *(value[index] for value in values))
            for index, (_, element) in enumerate(element_types(type_spec))
        )
    if not isinstance(type_spec, tff.TensorType):
        raise TypeError(f"Expected a structure of tensors, found the type {type_spec}.")
    return fn(type_spec, *values)
