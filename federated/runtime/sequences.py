"""TFF sequences while a computation runs: data set variants, or lists of values.

TensorFlow graphs take and return a sequence as a variant tensor; `tff.sequence_*` and
`tff.federated_select` work on its elements. Both views are made only when asked for, so
a data set that goes from a client's storage into a graph is never read in Python.
"""

import collections
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from federated.runtime.placed_values import Value, element_types


class Sequence(Protocol):
    """A sequence value; both methods may be called any number of times."""

    def elements(self) -> Iterator[Value]:
        """Yields the elements as values of the element type."""

    def variant(self) -> tf.Tensor:
        """A scalar `tf.variant` tensor that holds a `tf.data.Dataset`."""


@dataclasses.dataclass(frozen=True)
class DatasetSequence:
    """A sequence that TensorFlow holds.

    Attributes:
      tensor: scalar variant tensor of the data set.
      element_type: the TFF type of an element.
      dataset: the data set itself where there is one. It is kept because functions
        that it maps over its elements live as long as the Python object.
    """

    tensor: tf.Tensor
    element_type: tff.Type
    dataset: tf.data.Dataset | None = None

    def elements(self) -> Iterator[Value]:
        """Yields the elements as values of the element type."""
        dataset = self.dataset
        if dataset is None:
            dataset = dataset_of_variant(self.tensor, self.element_type)
        for element in dataset:
            yield value_of_element(element, self.element_type)

    def variant(self) -> tf.Tensor:
        """The data set's variant tensor."""
        return self.tensor


@dataclasses.dataclass(frozen=True)
class ListSequence:
    """A sequence whose elements are at hand.

    Attributes:
      values: the elements.
      element_type: the TFF type of an element.
    """

    values: tuple[Value, ...]
    element_type: tff.Type

    def elements(self) -> Iterator[Value]:
        """Yields the elements."""
        return iter(self.values)

    def variant(self) -> tf.Tensor:
        """A variant tensor of a data set with these elements."""
        return variant_of_elements(self.values, self.element_type)


@dataclasses.dataclass(frozen=True)
class MappedSequence:
    """A function applied to a sequence, element by element and only when read.

    Attributes:
      source: the sequence.
      fn: the function, from element value to element value.
      element_type: the TFF type of `fn`'s result.
    """

    source: Sequence
    fn: Callable[[Value], Value]
    element_type: tff.Type

    def elements(self) -> Iterator[Value]:
        """Yields `fn` of each element of the source.

        All of them are read first: a data set that is open has threads, which would run
        its functions beside those of `fn`, and whatever these keep secret.
        """
        return map(self.fn, list(self.source.elements()))

    def variant(self) -> tf.Tensor:
        """A variant tensor of a data set with these elements."""
        return variant_of_elements(tuple(self.elements()), self.element_type)


def tf_structure(element_type: tff.Type) -> Any:
    """The `tf.data` structure of `tf.TensorSpec`s for an element type.

    Named structs without a Python container become `OrderedDict`, unnamed ones `tuple`.

    Raises:
      TypeError: for element types that a data set cannot hold.
    """
    return _pack(
        element_type,
        lambda leaf, _: tf.TensorSpec(leaf.shape, tf_dtype(leaf)),
        lambda _, index: None,
        None,
    )


def tf_dtype(tensor_type: tff.TensorType) -> tf.DType:
    """TensorFlow's dtype for a TFF tensor type (TFF calls `tf.string` `np.str_`)."""
    if tensor_type.dtype.type is np.str_:
        return tf.string
    return tf.dtypes.as_dtype(tensor_type.dtype)


def dataset_of_variant(variant: tf.Tensor, element_type: tff.Type) -> tf.data.Dataset:
    """The data set behind a variant tensor."""
    return tf.data.experimental.from_variant(variant, tf_structure(element_type))


def value_of_element(element: Any, element_type: tff.Type) -> Value:
    """A data set's element (any container of tensors) as a value.

    Elements of named containers are taken by name: `tf.data` yields dictionaries whose
    order need not be the type's.
    """
    if not isinstance(element_type, tff.StructType):
        return element
    struct = tff.structure.from_container(element)
    return tuple(
        value_of_element(
            struct[name]
            if name is not None and tff.structure.has_field(struct, name)
            else struct[index],
            member,
        )
        for index, (name, member) in enumerate(element_types(element_type))
    )


def element_of_value(value: Value, element_type: tff.Type) -> Any:
    """A value in the containers that `tf_structure` describes."""
    return _pack(
        element_type,
        lambda _, leaf: leaf,
        lambda container, index: container[index],
        value,
    )


def variant_of_elements(values: tuple[Value, ...], element_type: tff.Type) -> tf.Tensor:
    """A variant tensor of a data set with exactly `values`, in order.

    Neighbours of equal shapes are stacked, so that the common case of many equally
    shaped elements makes one node and not one a piece.
    """
    structure = tf_structure(element_type)
    if not tf.nest.flatten(structure):
        # Elements without a tensor: only their number is information.
        dataset = tf.data.Dataset.range(len(values)).map(lambda _: structure)
        return tf.data.experimental.to_variant(dataset)
    runs: list[list[Any]] = []
    for value in values:
        element = element_of_value(value, element_type)
        if runs and _shapes(runs[-1][0]) == _shapes(element):
            runs[-1].append(element)
        else:
            runs.append([element])
    dataset = _empty_dataset(structure)
    for number, run in enumerate(runs):
        piece = tf.data.Dataset.from_tensor_slices(
            tf.nest.map_structure(lambda *leaves: tf.stack(leaves), *run)
        )
        dataset = dataset.concatenate(piece) if number else piece
    return tf.data.experimental.to_variant(dataset)


def _empty_dataset(structure: Any) -> tf.data.Dataset:
    def no_elements(spec: tf.TensorSpec) -> tf.Tensor:
        dims = spec.shape.as_list() if spec.shape.rank is not None else []
        return tf.zeros([0] + [dim or 0 for dim in dims], spec.dtype)

    return tf.data.Dataset.from_tensor_slices(
        tf.nest.map_structure(no_elements, structure)
    )


def _shapes(element: Any) -> list[tuple[int, ...]]:
    return [tuple(leaf.shape) for leaf in tf.nest.flatten(element)]


def _pack(
    type_spec: tff.Type,
    leaf: Callable[[tff.TensorType, Any], Any],
    select: Callable[[Any, int], Any],
    source: Any,
) -> Any:
    """Builds the containers of `type_spec` around `leaf`'s results."""
    if isinstance(type_spec, tff.TensorType):
        return leaf(type_spec, source)
    if not isinstance(type_spec, tff.StructType):
        raise TypeError(
            f"Expected sequence elements made of tensors, found the type {type_spec}."
        )
    names_and_items = [
        (name, _pack(member, leaf, select, select(source, index)))
        for index, (name, member) in enumerate(element_types(type_spec))
    ]
    names = [name for name, _ in names_and_items]
    items = [item for _, item in names_and_items]
    container = type_spec.python_container
    if all(name is None for name in names):
        return list(items) if container is list else tuple(items)
    if any(name is None for name in names):
        raise TypeError(
            "Expected a struct with all of its fields named, or none, as the element "
            f"of a sequence; found {type_spec}."
        )
    if container is None or issubclass(container, collections.abc.Mapping):
        return collections.OrderedDict(names_and_items)
    return container(**{str(name): item for name, item in names_and_items})
