"""The network below a depth, and the gradients that a derivative there sends down."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from attacks.structure import network as network_lib
from selenc_tf.types import Weights


def normaliser(
    block: network_lib.Block, weights: Sequence[tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Factor and summand, [channels], of a convolution's products before the ReLU."""
    kernel = weights[block.kernel]
    zeros = tf.zeros([kernel.shape[-1]], kernel.dtype)
    bias = zeros if block.bias is None else weights[block.bias]
    if block.statistics is None:
        return zeros + 1.0, bias
    mean, variance, epsilon = block.statistics
    scale = zeros + 1.0 if block.scale is None else weights[block.scale]
    shift = zeros if block.shift is None else weights[block.shift]
    factor = scale * tf.constant(1 / np.sqrt(variance + epsilon), kernel.dtype)
    return factor, (bias - tf.constant(mean, kernel.dtype)) * factor + shift


def run_block(
    block: network_lib.Block, weights: Sequence[tf.Tensor], inputs: tf.Tensor
) -> tf.Tensor:
    """One block.

    Args:
      block: The block.
      weights: All weights of the model.
      inputs: [b, h, w, c], of their dtype.

    Returns:
      [b, *output_shape].
    """
    factor, summand = normaliser(block, weights)
    products = tf.nn.conv2d(inputs, weights[block.kernel], 1, "SAME")
    hidden = products * factor + summand
    if block.rectified:
        hidden = tf.nn.relu(hidden)
    if block.pool == 1:
        return hidden
    size, (rows, columns, channels) = block.pool, block.output_shape
    cut = hidden[:, : rows * size, : columns * size]
    windows = tf.reshape(cut, [-1, rows, size, columns, size, channels])
    return tf.reduce_max(windows, axis=(2, 4))


def run(
    network: network_lib.Network,
    weights: Sequence[tf.Tensor],
    images: tf.Tensor,
    depth: int,
) -> tf.Tensor:
    """What the first blocks make of pictures.

    Args:
      network: The network.
      weights: All weights of the model.
      images: [b, h, w, c] in [0, 1], of their dtype.
      depth: Number of blocks; 0 for the first block's input.

    Returns:
      The activations after them.
    """
    contrast, offset = (
        tf.constant(part, images.dtype) for part in (network.contrast, network.offset)
    )
    hidden = images * contrast + offset
    for block in network.blocks[:depth]:
        hidden = run_block(block, weights, hidden)
    return hidden


def tensors_below(network: network_lib.Network, depth: int) -> tuple[int, ...]:
    """Indices of the weights of the first blocks."""
    return tuple(index for block in network.blocks[:depth] for index in block.tensors)


def gradients_below(
    network: network_lib.Network,
    weights: Weights,
    images: tf.Tensor,
    depth: int,
    derivative: tf.Tensor,
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Activations at a depth, and the gradients of the weights below.

    With dL/da for the activations a at a depth, <dL/da, a> has the same gradients there
    as the loss: what lies above no longer matters. Twice differentiable.

    Args:
      network: The network.
      weights: All weights of the model.
      images: [1, h, w, c].
      depth: Number of blocks.
      derivative: dL/da, [*output_shape] of the last of them; a constant.

    Returns:
      a, [*output_shape], and the gradients of `tensors_below`.
    """
    below = tensors_below(network, depth)
    watched = [weights[index] for index in below]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(watched)
        all_weights = list(weights)
        for index, tensor in zip(below, watched, strict=True):
            all_weights[index] = tensor
        activations = run(network, all_weights, images, depth)[0]
        score = tf.reduce_sum(activations * derivative)
    return activations, tape.gradient(
        score, watched, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
