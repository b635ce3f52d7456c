"""The activations at a depth and their derivative by every pixel, both at once.

A pixel reaches a few outputs only, so many pixels share one pass through the network: those
whose outputs are apart (Curtis, Powell and Reid, "On the estimation of sparse Jacobian
matrices", 1974). Of 784 pixels below the first pooling of the ConvNet 225 are left.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks.pictures.peeling import forward
from attacks.structure import network as network_lib
from selenc_tf.types import Weights


class Linearised(NamedTuple):
    """Two functions of the weights and of pictures, float32.

    Attributes:
      slopes: `(weights, picture [h, w, c]) -> (activations [outputs], derivative
        [pixels, outputs])`, both flat in row-major order; NumPy arrays.
      run: `(weights, pictures [b, h, w, c]) -> activations [b, outputs]`.
    """

    slopes: Callable[[Weights, np.ndarray], tuple[np.ndarray, np.ndarray]]
    run: Callable[[Weights, np.ndarray], np.ndarray]


def build(network: network_lib.Network, depth: int) -> Linearised:
    """Compiles both for a depth.

    Runs on: attacker. Sees: the architecture.

    Args:
      network: The network.
      depth: Number of blocks, at least 1.

    Returns:
      The functions.
    """
    blocks = network.blocks[:depth]
    height, width, channels = blocks[0].input_shape
    shape = blocks[-1].output_shape
    rows, columns = (_reach(blocks, axis) for axis in (0, 1))
    step = _apart(rows), _apart(columns)
    apart = np.zeros((*step, channels, height, width, channels), np.float32)
    for row in range(height):
        for column in range(width):
            for channel in range(channels):
                place = row % step[0], column % step[1], channel
                apart[*place, row, column, channel] = 1.0
    passes = apart.reshape(-1, height, width, channels)
    contrast = np.broadcast_to(network.contrast, blocks[0].input_shape)

    @tf.function(autograph=False)
    def both(weights: Weights, picture: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        hidden = forward.run(network, weights, picture[tf.newaxis], 0)
        tangent = tf.constant(passes * contrast, tf.float32)
        for block in blocks:
            hidden, tangent = _run_block(block, weights, hidden, tangent)
        return hidden[0], tangent

    def slopes(weights: Weights, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        outputs, tangent = (
            part.numpy() for part in both(weights, tf.constant(picture, tf.float32))
        )
        tangent = tangent.reshape(*step, channels, *shape)
        whole = np.zeros((height, width, channels, *shape), np.float32)
        for row, (top, bottom) in enumerate(rows):
            for column, (left, right) in enumerate(columns):
                own = tangent[row % step[0], column % step[1]]
                whole[row, column, :, top:bottom, left:right] = own[
                    :, top:bottom, left:right
                ]
        return outputs.ravel(), whole.reshape(height * width * channels, -1)

    @tf.function(autograph=False)
    def outputs(weights: Weights, pictures: tf.Tensor) -> tf.Tensor:
        return forward.run(network, weights, pictures, depth)

    def run(weights: Weights, pictures: np.ndarray) -> np.ndarray:
        found = outputs(weights, tf.constant(pictures, tf.float32)).numpy()
        return np.asarray(found.reshape(len(pictures), -1))

    return Linearised(slopes, run)


def _reach(
    blocks: tuple[network_lib.Block, ...], axis: int
) -> tuple[tuple[int, int], ...]:
    """For every row or column of the picture, the range of outputs that it reaches."""
    found = []
    for place in range(blocks[0].input_shape[axis]):
        first = last = place
        for block in blocks:
            size = block.map_shape[axis]
            first = max(0, first - block.padding[axis]) // block.pool
            last = min(size - 1, last + block.padding[axis]) // block.pool
        end = blocks[-1].output_shape[axis]
        found.append((min(first, end), min(last + 1, end)))
    return tuple(found)


def _apart(ranges: tuple[tuple[int, int], ...]) -> int:
    """The smallest distance at which no two rows reach the same outputs."""
    for step in range(1, len(ranges)):
        if all(
            first[1] <= second[0]
            for first, second in zip(ranges, ranges[step:], strict=False)
        ):
            return step
    return len(ranges)


def _run_block(
    block: network_lib.Block, weights: Weights, inputs: tf.Tensor, tangent: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """One block of one picture, and its derivative along each of `tangent`."""
    factor, summand = forward.normaliser(block, weights)
    kernel = weights[block.kernel]
    hidden = tf.nn.conv2d(inputs, kernel, 1, "SAME") * factor + summand
    tangent = tf.nn.conv2d(tangent, kernel, 1, "SAME") * factor
    if block.rectified:
        on = tf.cast(hidden > 0, hidden.dtype)
        hidden, tangent = hidden * on, tangent * on
    if block.pool == 1:
        return hidden, tangent
    windows = _windows(block, hidden)
    largest = tf.one_hot(tf.argmax(windows, axis=-1), block.pool**2, dtype=hidden.dtype)
    return (
        tf.reduce_sum(windows * largest, axis=-1),
        tf.reduce_sum(_windows(block, tangent) * largest, axis=-1),
    )


def _windows(block: network_lib.Block, hidden: tf.Tensor) -> tf.Tensor:
    """The places of every window, [b, rows, columns, channels, places]."""
    size, (rows, columns, channels) = block.pool, block.output_shape
    cut = hidden[:, : rows * size, : columns * size]
    cut = tf.reshape(cut, [-1, rows, size, columns, size, channels])
    moved = tf.transpose(cut, [0, 1, 3, 5, 2, 4])
    return tf.reshape(moved, [-1, rows, columns, channels, size**2])
