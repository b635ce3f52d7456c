"""What a model makes of an example below a cut, and its Jacobian, compiled."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks.structure import activations
from selenc_tf.types import Weights

_ROWS = 128
"""Rows of a Jacobian that one run of the model makes."""

_INSIDE = 1e-12


class Compiled(NamedTuple):
    """Programs; all float64, `weights` those of the whole model.

    Attributes:
      value: `(weights, inputs [b, *input_shape]) -> [b, f]`.
      rows: `(weights, input [*input_shape], vectors [r, f]) -> [r, *input_shape]`, the
        vectors times the Jacobian.
    """

    value: Callable[[Weights, tf.Tensor], tf.Tensor]
    rows: Callable[[Weights, tf.Tensor, tf.Tensor], tf.Tensor]


def compile_below(
    below: Callable[[Weights, tf.Tensor], tf.Tensor], undone: activations.Activation
) -> Compiled:
    """Compiles a function and its derivative.

    Runs on: attacker. Sees: its candidates.

    Args:
      below: A cut's.
      undone: The activation that the features come from, which is undone.

    Returns:
      The programs.
    """

    def run(weights: Weights, inputs: tf.Tensor) -> tf.Tensor:
        return _undo(undone, below(weights, inputs))

    @tf.function(autograph=False, reduce_retracing=True)
    def value(weights: Weights, inputs: tf.Tensor) -> tf.Tensor:
        return run(weights, inputs)

    @tf.function(autograph=False, reduce_retracing=True)
    def rows(weights: Weights, example: tf.Tensor, vectors: tf.Tensor) -> tf.Tensor:
        # Copies of the example, each with a vector of its own: all at once, and through
        # any layer.
        copies = tf.repeat(example[tf.newaxis], tf.shape(vectors)[0], axis=0)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(copies)
            outputs = run(weights, copies)
        return tape.gradient(
            outputs,
            copies,
            output_gradients=vectors,
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )

    return Compiled(value, rows)


def jacobian(
    compiled: Compiled, weights: Weights, example: np.ndarray, kept: np.ndarray
) -> np.ndarray:
    """Rows of the Jacobian at an example.

    Args:
      compiled: The programs.
      weights: Of the model, float64.
      example: float64 [*input_shape].
      kept: int [m], which features.

    Returns:
      float64 [m, d].
    """
    features = int(compiled.value(weights, example[np.newaxis]).shape[1])
    at, parts = tf.constant(example), []
    for begin in range(0, len(kept), _ROWS):
        part = kept[begin : begin + _ROWS]
        vectors = np.zeros((len(part), features))
        vectors[np.arange(len(part)), part] = 1.0
        found = compiled.rows(weights, at, tf.constant(vectors)).numpy()
        parts.append(found.reshape(len(part), -1))
    return np.concatenate(parts)


def _undo(activation: activations.Activation, output: tf.Tensor) -> tf.Tensor:
    """As `activations.inverse`, differentiable."""
    if activation.kind == "sigmoid":
        inside = tf.clip_by_value(output, _INSIDE, 1.0 - _INSIDE)
        return tf.math.log(inside) - tf.math.log1p(-inside)
    if activation.kind == "tanh":
        return tf.math.atanh(tf.clip_by_value(output, _INSIDE - 1.0, 1.0 - _INSIDE))
    if activation == activations.LINEAR:
        return output
    return tf.where(output > 0, output, output / activation.slope)
