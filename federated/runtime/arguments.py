"""Python arguments into running values, checked against the parameter's type.

Lists, tuples, dictionaries, NumPy arrays, tensors and data sets become values. An error
names the place in the argument, the expected type and the found Python type or shape,
and never a client's value.
"""

import asyncio
import collections
import concurrent.futures
import dataclasses
import typing
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff
import tree
from tensorflow_federated.python.core.impl.compiler import array as tff_array
from tensorflow_federated.python.core.impl.executors import cardinalities_utils

from federated.runtime.placed_values import (
    AtClients,
    AtServer,
    Function,
    Value,
    element_types,
)
from federated.runtime.sequences import DatasetSequence, ListSequence, tf_dtype

_ARRAYS = typing.get_args(tff_array.Array)


class NotAListOfClientValuesError(cardinalities_utils.InvalidNonAllEqualValueError):
    """A federated argument is not a list with one member for each client.

    It is TFF's own error without the client's value in its message.
    """

    def __init__(self, where: str, found: type, type_spec: tff.FederatedType):
        """Says which argument is not a list, and what it is instead."""
        TypeError.__init__(
            self,
            f"Expected a list with one value for each participant as {where} of type "
            f"{type_spec}; found a `{found.__name__}`. Pass a list, also for a single "
            "participant.",
        )


def cardinalities_of(
    value: Any, type_spec: tff.Type | None, where: str = "the argument"
) -> dict[Any, int]:
    """How many participants each placement has, by the lengths of an argument's lists.

    Args:
      value: the argument, as the caller wrote it.
      type_spec: the parameter's type, None if there is no parameter.
      where: how errors call this part of the argument.

    Returns:
      From placement to number; only for the placements that the argument fixes.

    Raises:
      ValueError: if two parts of the argument disagree (TFF's own error).
      NotAListOfClientValuesError: if a federated value is not a list.
    """
    if type_spec is None:
        return {}
    if isinstance(value, tff.framework.CardinalityCarrying):
        return value.cardinality
    if isinstance(type_spec, tff.FederatedType):
        if type_spec.all_equal:
            return {}
        if not isinstance(value, (list, tuple)):
            raise NotAListOfClientValuesError(where, type(value), type_spec)
        return {type_spec.placement: len(value)}
    found: dict[Any, int] = {}
    if isinstance(type_spec, tff.StructType):
        for part_where, part, member in _parts(value, type_spec, where):
            found = tff.framework.merge_cardinalities(
                found, cardinalities_of(part, member, part_where)
            )
    return found


def from_python(
    value: Any,
    type_spec: tff.Type,
    num_clients: int,
    function_of: Callable[[Any], Function],
    where: str = "the argument",
) -> Value:
    """Checks an argument against its type and makes it a running value.

    Args:
      value: the argument, as the caller wrote it.
      type_spec: the parameter's type.
      num_clients: size of the cohort, for values that all clients share.
      function_of: makes a TFF computation a callable.
      where: how errors call this part of the argument.

    Returns:
      The value.

    Raises:
      TypeError: if the argument does not have the type.
      ValueError: if a data set's fields have no unambiguous order.
    """
    if isinstance(value, tff.Computation):
        if not isinstance(type_spec, tff.FunctionType):
            raise TypeError(_mismatch(where, type_spec, f"a {value.type_signature}"))
        type_spec.check_assignable_from(value.type_signature)
        return function_of(value)
    if isinstance(value, tff.framework.Ingestable):
        type_spec.check_assignable_from(value.type_signature)
        return _ingest(value, _Ingestion(num_clients, function_of, where))
    if isinstance(type_spec, tff.FederatedType):
        return _federated(value, type_spec, num_clients, function_of, where)
    if isinstance(type_spec, tff.StructType):
        return tuple(
            from_python(part, member, num_clients, function_of, part_where)
            for part_where, part, member in _parts(value, type_spec, where)
        )
    if isinstance(type_spec, tff.SequenceType):
        return _sequence(value, type_spec, where)
    if isinstance(type_spec, tff.TensorType):
        return _tensor(value, type_spec, where)
    raise TypeError(_mismatch(where, type_spec, f"a `{type(value).__name__}`"))


@dataclasses.dataclass(frozen=True)
class _Ingestion:
    """The little of TFF's executor interface that self-loading arguments use.

    `tff.framework.DataDescriptor` and its like load themselves through these methods.
    """

    num_clients: int
    function_of: Callable[[Any], Function]
    where: str

    async def create_value(self, value: Any, type_spec: tff.Type) -> Value:
        return from_python(
            value, type_spec, self.num_clients, self.function_of, self.where
        )

    async def create_call(self, fn: Function, argument: Value | None = None) -> Value:
        return fn(argument)

    async def create_struct(self, elements: Any) -> Value:
        return tuple(tff.structure.from_container(elements))

    async def create_selection(self, source: Value, index: int) -> Value:
        return source[index]


def _ingest(value: Any, executor: _Ingestion) -> Value:
    """Lets an argument load itself, whether or not this thread runs an event loop."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, value.ingest(executor)).result()


def _federated(
    value: Any,
    type_spec: tff.FederatedType,
    num_clients: int,
    function_of: Callable[[Any], Function],
    where: str,
) -> Value:
    def member(part: Any, part_where: str) -> Value:
        return from_python(part, type_spec.member, num_clients, function_of, part_where)

    if type_spec.placement is tff.SERVER:
        if type_spec.all_equal:
            return AtServer(member(value, where))
        if len(value) != 1:
            raise TypeError(_mismatch(where, type_spec, f"{len(value)} values"))
        return AtServer(member(value[0], where))
    if type_spec.all_equal:
        return AtClients.all_equal(member(value, where), num_clients)
    return AtClients(
        tuple(member(part, f"{where}, client {i}") for i, part in enumerate(value))
    )


def _parts(
    value: Any, type_spec: tff.StructType, where: str
) -> list[tuple[str, Any, tff.Type]]:
    """The (place, part, type) triples of a struct argument, in the type's order.

    A container whose names are the type's, in whatever order, is read by name;
    otherwise by position, where a name that is given must be the type's.
    """
    elements = element_types(type_spec)
    try:
        struct = tff.structure.from_container(value)
    except TypeError:
        found = f"a `{type(value).__name__}`"
        raise TypeError(_mismatch(where, type_spec, found)) from None
    if len(struct) != len(elements):
        raise TypeError(_mismatch(where, type_spec, f"{len(struct)} elements"))
    names = tff.structure.name_list_with_nones(struct)
    wanted = [name for name, _ in elements]
    by_name = None not in wanted and sorted(map(str, names)) == sorted(map(str, wanted))
    if not by_name and any(
        name is not None and want is not None and name != want
        for name, want in zip(names, wanted, strict=True)
    ):
        raise TypeError(_mismatch(where, type_spec, f"the field names {names}"))
    return [
        (
            f"{where}.{name}" if name is not None else f"{where}[{index}]",
            struct[name] if by_name else struct[index],
            member,
        )
        for index, (name, member) in enumerate(elements)
    ]


def _tensor(value: Any, type_spec: tff.TensorType, where: str) -> tf.Tensor:
    if isinstance(value, tf.Variable):
        value = value.read_value()
    if isinstance(value, tf.Tensor):
        if value.dtype == tf_dtype(type_spec) and value.shape.is_compatible_with(
            type_spec.shape
        ):
            return value
        value = value.numpy()
    dtype = type_spec.dtype.type
    if isinstance(value, (list, tuple)):
        items = tree.flatten(value)
        if any(isinstance(item, (tf.Tensor, tf.Variable)) for item in items):
            items = [_without_tensorflow(item) for item in items]
            value = tree.unflatten_as(value, items)
        if not all(
            isinstance(item, _ARRAYS) and tff_array.is_compatible_dtype(item, dtype)
            for item in items
        ):
            found = f"a `{type(value).__name__}` with items of other dtypes"
            raise TypeError(_mismatch(where, type_spec, found))
        value = np.asarray(value, object if dtype is np.str_ else dtype)
    if not isinstance(value, _ARRAYS):
        found = f"a `{type(value).__name__}`"
        raise TypeError(_mismatch(where, type_spec, found))
    if not (
        tff_array.is_compatible_dtype(value, dtype)
        and tff_array.is_compatible_shape(value, type_spec.shape)
    ):
        raise TypeError(_mismatch(where, type_spec, _describe(value)))
    if dtype is np.str_:
        return tf.constant(value, tf.string)
    return tf.constant(np.asarray(value, type_spec.dtype), tf_dtype(type_spec))


def _without_tensorflow(item: Any) -> Any:
    """A tensor or a variable as NumPy, anything else unchanged."""
    if isinstance(item, tf.Variable):
        item = item.read_value()
    return item.numpy() if isinstance(item, tf.Tensor) else item


def _describe(value: Any) -> str:
    if isinstance(value, (np.ndarray, np.generic)):
        return f"dtype {value.dtype} and shape {value.shape}"
    return f"a `{type(value).__name__}`"


def _sequence(value: Any, type_spec: tff.SequenceType, where: str) -> Value:
    if isinstance(value, list):
        items = (
            from_python(item, type_spec.element, 0, _no_function, f"{where}[{i}]")
            for i, item in enumerate(value)
        )
        return ListSequence(tuple(items), type_spec.element)
    if not isinstance(value, tf.data.Dataset):
        found = f"a `{type(value).__name__}`"
        raise TypeError(_mismatch(where, type_spec, found))
    value = _with_fields_of(value, type_spec.element)
    element_type = tff.types.tensorflow_to_type(value.element_spec)
    if not type_spec.is_assignable_from(tff.SequenceType(element_type)):
        found = f"a data set with elements of type {element_type}"
        raise TypeError(_mismatch(where, type_spec, found))
    variant = tf.data.experimental.to_variant(value)
    return DatasetSequence(variant, type_spec.element, value)


def _with_fields_of(data: tf.data.Dataset, element_type: tff.Type) -> tf.data.Dataset:
    """Dictionaries as OrderedDicts, with their fields in the order of the type.

    `tf.data` and a graph that expects another order would take one field for another.
    """
    spec = data.element_spec
    if not _has_mapping(spec):
        return data

    def ordered(*parts: Any) -> Any:
        return _ordered(parts if isinstance(spec, tuple) else parts[0], element_type)

    return data.map(ordered)


def _has_mapping(nested: Any) -> bool:
    if isinstance(nested, Mapping):
        return True
    return isinstance(nested, tuple) and any(_has_mapping(part) for part in nested)


def _ordered(element: Any, element_type: Any) -> Any:
    types: dict[str | None, Any] = {}
    listed: list[Any] = []
    if isinstance(element_type, tff.StructType):
        types = dict(element_types(element_type))
        listed = [member for _, member in element_types(element_type)]
    if isinstance(element, Mapping):
        names = [str(name) for name in types if name in element]
        names += [name for name in element if name not in names]
        return collections.OrderedDict(
            (name, _ordered(element[name], types.get(name))) for name in names
        )
    if isinstance(element, tuple):
        members = listed if len(listed) == len(element) else [None] * len(element)
        parts = [_ordered(*pair) for pair in zip(element, members, strict=True)]
        return type(element)(*parts) if hasattr(element, "_fields") else tuple(parts)
    return element


def _no_function(_: Any) -> Function:
    raise TypeError("Expected the elements of a sequence to be data, found a function.")


def _mismatch(where: str, expected: tff.Type, found: str) -> str:
    return (
        f"Expected {where} to be of the TFF type {expected}; found {found}. Convert it "
        "before the call."
    )
