"""Structures of tensors as the one vector that masks and codecs work on."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from federated.tensor_names import layout_name
from selenc_tf import flatten


def tensor_specs(value_type: tff.Type) -> Any:
    """The Python structure of a value, with a `tf.TensorSpec` for each leaf."""

    def check(leaf: tff.TensorType) -> tf.TensorSpec:
        shape = tf.TensorShape(leaf.shape)
        if leaf.dtype != np.float32 or not shape.is_fully_defined():
            raise TypeError(
                "`value_type` must be a structure of float32 tensors of static shape, "
                f"but it holds {leaf}. Cast the value, or aggregate it beside this one."
            )
        return tf.TensorSpec(shape, tf.float32)

    return tff.types.structure_from_tensor_type_tree(check, value_type)


def flat_spec(structure: Any, names: tuple[str, ...] | None = None) -> flatten.FlatSpec:
    """The names and shapes of a structure's leaves, in the order of the vector.

    Args:
      structure: Of `tensor_specs`.
      names: Of the leaves; None for the keys of a flat mapping, or numbers.
    """
    leaves = tf.nest.flatten(structure)
    shapes = tuple(tuple(leaf.shape) for leaf in leaves)
    if (
        names is None
        and isinstance(structure, Mapping)
        and len(structure) == len(leaves)
    ):
        names = tuple(layout_name(key) for key in sorted(structure))
    if names is None:
        numbers = tuple(f"tensor{index}" for index in range(len(leaves)))
        return flatten.FlatSpec(numbers, shapes, named=False)
    return flatten.FlatSpec(names, shapes)


def unflatten_like(vector: tf.Tensor, structure: Any) -> Any:
    """The vector, float32 [n], in the shapes and the nesting of `structure`."""
    return tf.nest.pack_sequence_as(
        structure, flatten.unflatten(vector, flat_spec(structure))
    )
