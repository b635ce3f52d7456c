"""Running values into Python: a computation's results, and what an observer sees.

Tensors become NumPy scalars and arrays, structs the Python containers of their types.
The containers are those that TFF's own contexts return.
"""

import collections
from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
import tensorflow_federated as tff

from federated.runtime.placed_values import AtServer, Value, element_types
from federated.runtime.sequences import dataset_of_variant


def to_python(value: Value, type_spec: tff.Type) -> Any:
    """A computation's result as Python and NumPy values.

    Args:
      value: a value of type `type_spec`.
      type_spec: the result type, with its Python containers.

    Returns:
      NumPy scalars and arrays (bytes, and arrays of bytes, for strings), in the type's
      containers; a `tf.data.Dataset` for a sequence; a list for a value that differs
      between clients, the value itself for one that they share.

    Raises:
      TypeError: if the type contains a function.
      ValueError: if the type has a struct with some fields named and others not, or if
        a value that all clients share was asked of no client.
    """
    if isinstance(type_spec, tff.FederatedType):
        return _federated_to_python(value, type_spec)
    if isinstance(type_spec, tff.StructType):
        return _contain(
            type_spec,
            [
                to_python(part, member)
                for part, (_, member) in zip(
                    value, element_types(type_spec), strict=True
                )
            ],
        )
    if isinstance(type_spec, tff.SequenceType):
        return dataset_of_variant(value.variant(), type_spec.element)
    if isinstance(type_spec, tff.TensorType):
        return value.numpy()
    raise TypeError(
        f"Expected a result made of data; found one of type {type_spec}, and a "
        "function has no value in Python. Return what the function computes."
    )


def to_observed(value: Value, type_spec: tff.Type) -> Any:
    """What a receiver sees of a value: as `to_python`, for inspection.

    Arrays are read-only, a sequence is the list of its elements, and a struct with
    only some fields named is a `tff.structure.Struct`.
    """
    if isinstance(type_spec, tff.StructType):
        elements = element_types(type_spec)
        parts = [
            to_observed(part, member)
            for part, (_, member) in zip(value, elements, strict=True)
        ]
        if 0 < sum(name is None for name, _ in elements) < len(elements):
            names = [name for name, _ in elements]
            return tff.structure.Struct(zip(names, parts, strict=True))
        return _contain(type_spec, parts)
    if isinstance(type_spec, tff.SequenceType):
        return [to_observed(item, type_spec.element) for item in value.elements()]
    seen = value.numpy()
    if isinstance(seen, np.ndarray):
        seen.flags.writeable = False
    return seen


def _federated_to_python(value: Value, type_spec: tff.FederatedType) -> Any:
    if isinstance(value, AtServer):
        member = to_python(value.value, type_spec.member)
        return member if type_spec.all_equal else [member]
    if not type_spec.all_equal:
        return [to_python(part, type_spec.member) for part in value.values]
    shared = value.common or value.values
    if not shared:
        raise ValueError(
            f"Expected at least one client for a result of type {type_spec}; found "
            "none, so that no client computed it. Pass at least one client's data."
        )
    return to_python(shared[0], type_spec.member)


def _contain(type_spec: tff.StructType, parts: list[Any]) -> Any:
    """Puts a struct's converted parts into the Python container of its type."""
    names = [name for name, _ in element_types(type_spec)]
    container = type_spec.python_container
    if all(name is None for name in names):
        return tuple(parts) if container is None else container(parts)
    if any(name is None for name in names):
        raise ValueError(
            "Expected a struct with all of its fields named, or none, in a result; "
            f"found {type_spec}, for which Python has no container. Name all fields."
        )
    pairs = list(zip(names, parts, strict=True))
    if container is None:
        return collections.OrderedDict(pairs)
    if hasattr(container, "_asdict") or attrs.has(container):
        return container(**{str(name): part for name, part in pairs})
    if issubclass(container, (list, tuple)) and not issubclass(container, Mapping):
        raise ValueError(
            f"Expected a container with named fields for {type_spec}; found "
            f"`{container.__name__}`, which would lose the names. Return a NamedTuple."
        )
    return container(pairs)
