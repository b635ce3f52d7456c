"""The nesting of a model's inputs."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf


def inputs_of(model: keras.Model) -> Any:
    """What a model says that it takes.

    Args:
      model: A `keras.Sequential` or `keras.Model(inputs, outputs)`.

    Returns:
      `tf.TensorSpec`s with the batch axis, nested as in Keras.

    Raises:
      ValueError: If the model does not say it.
    """
    if isinstance(model, keras.Sequential) and model.built and model.inputs:
        return _spec(model.inputs[0])
    found = getattr(model, "_inputs_struct", None)
    if found is None:
        raise ValueError(
            f"`model` must say what it takes, but {model.name!r} does not: give it a "
            "`keras.Input`, or pass `inputs`, the `tf.TensorSpec`s of a batch."
        )
    if isinstance(found, list | tuple) and len(found) == 1:
        return _spec(found[0])
    return mapped(_spec, found)


def given_inputs(model: keras.Model, inputs: Any) -> Any:
    """The specs of a batch: those given, if they are the model's, or the model's own.

    Raises:
      ValueError: If the model does not say what it takes, or takes something else.
    """
    if inputs is None:
        return inputs_of(model)
    says = isinstance(model, keras.Sequential) and model.built
    if says or getattr(model, "_inputs_struct", None) is not None:
        like(inputs_of(model), zeros(inputs))
    return inputs


def like(specs: Any, values: Any) -> Any:
    """Values in the nesting and order of a model's inputs.

    Args:
      specs: Nested as the model takes them.
      values: Tensors in a nesting that says the same: lists for tuples, dictionaries in
        any order.

    Returns:
      The tensors, nested as `specs`.

    Raises:
      ValueError: If something is missing or left over.
    """
    if isinstance(specs, Mapping):
        if not isinstance(values, Mapping) or set(values) != set(specs):
            found = (
                list(values) if isinstance(values, Mapping) else type(values).__name__
            )
            raise ValueError(
                f"`inputs` must be a dictionary of {list(specs)}, which the model takes, "
                f"got {found}."
            )
        return {key: like(specs[key], values[key]) for key in specs}
    if isinstance(specs, list | tuple):
        if not isinstance(values, list | tuple) or len(values) != len(specs):
            raise ValueError(
                f"`inputs` must be a tuple of the {len(specs)} inputs that the model "
                f"takes, got {type(values).__name__}."
            )
        return [like(*pair) for pair in zip(specs, values, strict=True)]
    value = tf.convert_to_tensor(values)
    if not value.shape.is_compatible_with(specs.shape):
        raise ValueError(
            f"`inputs` must have the shape {specs.shape}, which the model takes, got "
            f"{value.shape}."
        )
    return value


def zeros(specs: Any) -> Any:
    """One example of zeros; open sizes become 1. Zero is in every vocabulary."""
    return mapped(
        lambda spec: tf.zeros([size or 1 for size in spec.shape], spec.dtype), specs
    )


def mapped(function: Any, nested: Any) -> Any:
    """The nesting with another value at each place, in its own order."""
    if isinstance(nested, Mapping):
        return {key: mapped(function, part) for key, part in nested.items()}
    if isinstance(nested, list | tuple):
        return [mapped(function, part) for part in nested]
    return function(nested)


def flat(nested: Any) -> list[Any]:
    """The values in the nesting's own order (`tf.nest` would sort dictionaries)."""
    found: list[Any] = []
    mapped(found.append, nested)
    return found


def _spec(tensor: keras.KerasTensor) -> tf.TensorSpec:
    return tf.TensorSpec(tensor.shape, tensor.dtype)
