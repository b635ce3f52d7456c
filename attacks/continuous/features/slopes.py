"""The derivative of an example's loss by what a dense layer hands on.

The gradient of a dense kernel is the mean over the batch of h_n d_n^T, input times this
derivative. What is above the layer makes d_n of the layer's own outputs z_n and of the
label, example by example. It is affine in the label, and found by automatic
differentiation, so any layers may be above.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from attacks.structure import cut as cut_lib
from selenc_tf.models import objectives
from selenc_tf.types import Weights


class Programs(NamedTuple):
    """The compiled derivatives, for any weights and batch size; all float64.

    Attributes:
      slopes: `(weights, z [b, u], labels [b, c]) -> d [b, u]`.
      bends: `(weights, z, labels, directions [k, b, u]) -> [k, b, u]`, the derivative of
        `slopes` by z in each direction.
      pulls: `(weights, z, vectors [b, c]) -> [b, u]`, vectors times the derivative of the
        model's outputs by z.
    """

    slopes: Callable[[Weights, tf.Tensor, tf.Tensor], tf.Tensor]
    bends: Callable[[Weights, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
    pulls: Callable[[Weights, tf.Tensor, tf.Tensor], tf.Tensor]


class Slopes(NamedTuple):
    """The derivatives at the weights of a round.

    Attributes:
      slopes: `(z [b, u], labels [b, c]) -> d [b, u]`, float64.
      bends: `(z, labels, directions [k, b, u]) -> [k, b, u]`.
      pulls: `(z, vectors [b, c]) -> [b, u]`.
      classes: c.
    """

    slopes: Callable[[np.ndarray, np.ndarray], np.ndarray]
    bends: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    pulls: Callable[[np.ndarray, np.ndarray], np.ndarray]
    classes: int


def build(
    after: Callable[[Weights, tf.Tensor], tf.Tensor], kind: objectives.Kind
) -> Programs:
    """Compiles the derivatives of one layer.

    Args:
      after: `Cut.after` of the layer.
      kind: What the model learns.

    Returns:
      The programs.
    """

    def slopes(weights: Weights, z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(z)
            # A sum: examples have nothing to do with each other.
            loss = tf.reduce_sum(objectives.soft(kind, labels, after(weights, z)))
        return tape.gradient(loss, z)

    def bends(
        weights: Weights, z: tf.Tensor, labels: tf.Tensor, directions: tf.Tensor
    ) -> tf.Tensor:
        shape = tf.shape(directions)
        flat = tf.reshape(directions, [shape[0] * shape[1], shape[2]])
        # Every direction as examples of its own: one forward pass for all.
        many = tf.tile(z, [shape[0], 1])
        with tf.autodiff.ForwardAccumulator(many, flat) as forward:
            slope = slopes(weights, many, tf.tile(labels, [shape[0], 1]))
        found = forward.jvp(slope, tf.UnconnectedGradients.ZERO)
        return tf.reshape(found, shape)

    def pulls(weights: Weights, z: tf.Tensor, vectors: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(z)
            outputs = after(weights, z)
        return tape.gradient(outputs, z, output_gradients=vectors)

    return Programs(
        tf.function(slopes, autograph=False, reduce_retracing=True),
        tf.function(bends, autograph=False, reduce_retracing=True),
        tf.function(pulls, autograph=False, reduce_retracing=True),
    )


def at(programs: Programs, cut: cut_lib.Cut, weights: Weights, classes: int) -> Slopes:
    """The derivatives at given weights, from arrays to arrays.

    Args:
      programs: Of the layer.
      cut: The layer's.
      weights: float64, of the whole model.
      classes: Length of a label.

    Returns:
      The functions.
    """
    units = cut.layer.units

    def on_arrays(program: Any, *shapes: list[int | None]) -> Callable[..., np.ndarray]:
        @functools.cache
        def traced() -> Any:
            # When it is first wanted, and once for any number of examples.
            specs = [tf.TensorSpec(shape, tf.float64) for shape in shapes]
            return program.get_concrete_function(weights, *specs)

        def run(*arrays: np.ndarray) -> np.ndarray:
            tensors = [tf.constant(one, tf.float64) for one in arrays]
            found: np.ndarray = traced()(weights, *tensors).numpy()
            return found

        return run

    outputs, labels = [None, units], [None, classes]
    slopes = on_arrays(programs.slopes, outputs, labels)
    bends = on_arrays(programs.bends, outputs, labels, [None, *outputs])
    pulls = on_arrays(programs.pulls, outputs, labels)

    return Slopes(slopes, bends, pulls, classes)
