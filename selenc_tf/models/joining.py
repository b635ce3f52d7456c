"""Several inputs of numbers as one vector, for whoever looks for all of them at once."""

import math
from typing import Any

import tensorflow as tf

from selenc_tf.models import structures


def width(specs: Any) -> int:
    """Length of the vector of one example.

    Args:
      specs: `tf.TensorSpec`s with the batch axis, nested.

    Returns:
      The numbers of all inputs together.

    Raises:
      ValueError: If an input is of integers, or leaves a size open.
    """
    return sum(_sizes(specs))


def join(specs: Any, inputs: Any) -> tf.Tensor:
    """All inputs of each example in a row, in the order of the nesting.

    Args:
      specs: Nested `tf.TensorSpec`s.
      inputs: Tensors nested alike.

    Returns:
      [b, width].

    Example:
      Inputs {"a": [[1, 2]], "b": [[3]]} become [[1, 2, 3]].
    """
    flat = structures.flat(structures.like(specs, inputs))
    return tf.concat([tf.reshape(part, [tf.shape(part)[0], -1]) for part in flat], 1)


def split(specs: Any, vectors: tf.Tensor) -> Any:
    """The inverse of `join`.

    Args:
      specs: Nested `tf.TensorSpec`s.
      vectors: [b, width].

    Returns:
      Tensors nested as `specs`.
    """
    parts = iter(tf.split(vectors, _sizes(specs), axis=1))

    def take(spec: tf.TensorSpec) -> tf.Tensor:
        return tf.reshape(next(parts), [-1, *spec.shape[1:]])

    return structures.mapped(take, specs)


def _sizes(specs: Any) -> list[int]:
    listed = structures.flat(specs)
    for spec in listed:
        if not spec.dtype.is_floating or not spec.shape[1:].is_fully_defined():
            raise ValueError(
                "Inputs must be numbers of a known size to be joined into one vector, "
                f"but one of them is {spec.dtype.name} {tuple(spec.shape)}."
            )
    return [math.prod(spec.shape[1:]) for spec in listed]
