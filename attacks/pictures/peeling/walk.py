"""A pooled block's input walked to from a rough one, with its places free on the way.

The turns of `pooled.py` end where some channels' places are wrong and the others say
too little of the input, as in trained networks, of whose channels a third may be on.
A walk on the input itself leaves the places to the maximum, and uses the outputs as
well, those that are zero too. Sums of absolute differences, as in `descent.py`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks.pictures.peeling import forward, pooled
from attacks.structure import network as network_lib
from selenc_tf.types import Weights

RATES = (0.01, 0.005, 0.005, 0.003, 0.002, 0.001)
"""First rate of each walk, relative to the input's root mean square. Large steps find
places and spoil what is right, small ones settle it."""

_ITERATIONS = 600
_GRADIENT = 2.0
"""Weight of the kernel's gradient beside that of the outputs, which is 1."""

_FIRST_DECAY, _SECOND_DECAY, _TINY = 0.9, 0.99, 1e-12


class Task(NamedTuple):
    """What a walk looks for; all float32.

    Attributes:
      weights: All weights of the model.
      output: [rows, columns, outputs], after the pooling.
      derivative: Of that shape.
      gradient: The kernel's, zero where hidden.
      visible: 0 or 1, of the kernel's shape.
      unit: Scalar, what the input is a multiple of.
      rate: Scalar, the first step in that unit.
    """

    weights: Weights
    output: tf.Tensor
    derivative: tf.Tensor
    gradient: tf.Tensor
    visible: tf.Tensor
    unit: tf.Tensor
    rate: tf.Tensor


Walk = Callable[[Task, tf.Tensor], tf.Tensor]
"""`(task, input in its unit) -> the best input on the way, in its unit`."""


def run(
    walk: Walk, weights: Weights, layer: pooled.Layer, start: np.ndarray, rate: float
) -> np.ndarray:
    """One walk.

    Runs on: attacker. Sees: the weights, the visible entries of the kernel's gradient
    and what is known of the layers above.

    Args:
      walk: Compiled for the block.
      weights: All weights of the model, of any dtype.
      layer: What is known of the block.
      start: float64 [h, w, channels in].
      rate: The first step, relative to the root mean square of `start`.

    Returns:
      float64, of the shape of `start`: the input that fits best of those passed.
    """
    unit = float(np.sqrt(np.mean(np.square(start)))) or 1.0

    def constant(values: np.ndarray | float) -> tf.Tensor:
        return tf.constant(values, tf.float32)

    task = Task(
        weights=tuple(tf.cast(tensor, tf.float32) for tensor in weights),
        output=constant(layer.output),
        derivative=constant(layer.derivative),
        gradient=constant(layer.gradient),
        visible=constant(layer.visible),
        unit=constant(unit),
        rate=constant(rate),
    )
    found = walk(task, constant(start / unit)).numpy()
    return found.astype(np.float64) * unit


def build(network: network_lib.Network, depth: int) -> Walk:
    """Compiles the walks on the input of one block.

    Args:
      network: The network.
      depth: The block's index.

    Returns:
      The walk; weights and what is looked for are inputs.
    """
    block = network.blocks[depth]
    positive = is_positive(network, depth)

    def error_of(task: Task, x: tf.Tensor) -> tf.Tensor:
        kernel = task.weights[block.kernel]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(kernel)
            inputs = x[tf.newaxis] * task.unit
            output = forward.run_block(block, task.weights, inputs)[0]
            score = tf.reduce_sum(output * task.derivative)
        gradient = tape.gradient(score, kernel)
        off = tf.reduce_sum(tf.abs(output - task.output))
        missed = tf.reduce_sum(tf.abs(gradient - task.gradient) * task.visible)
        return off / _size(task.output) + _GRADIENT * missed / _size(task.gradient)

    @tf.function(autograph=False)
    def walk(task: Task, start: tf.Tensor) -> tf.Tensor:
        def body(
            index: tf.Tensor,
            x: tf.Tensor,
            mean: tf.Tensor,
            square: tf.Tensor,
            best: tf.Tensor,
            least: tf.Tensor,
        ) -> tuple[tf.Tensor, ...]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(x)
                error = error_of(task, x)
            slope = tape.gradient(error, x)
            done = tf.cast(index + 1, tf.float32)
            mean = _FIRST_DECAY * mean + (1 - _FIRST_DECAY) * slope
            square = _SECOND_DECAY * square + (1 - _SECOND_DECAY) * slope**2
            rate = task.rate * (1 + tf.cos(np.pi * done / _ITERATIONS)) / 2
            size = tf.sqrt(square / (1 - _SECOND_DECAY**done)) + _TINY
            better = error < least
            best = tf.where(better, x, best)
            least = tf.where(better, error, least)
            x = x - rate * mean / (1 - _FIRST_DECAY**done) / size
            x = tf.nn.relu(x) if positive else x
            return index + 1, x, mean, square, best, least

        none = tf.zeros_like(start)
        parts = (tf.constant(0), start, none, none, start, tf.constant(np.inf))
        best: tf.Tensor = tf.while_loop(
            lambda index, *_: index < _ITERATIONS, body, parts
        )[4]
        return best

    return walk


def is_positive(network: network_lib.Network, depth: int) -> bool:
    """Whether a block's input comes from a ReLU."""
    return depth > 0 and network.blocks[depth - 1].rectified


def _size(values: tf.Tensor) -> tf.Tensor:
    return tf.maximum(tf.reduce_sum(tf.abs(values)), _TINY)
