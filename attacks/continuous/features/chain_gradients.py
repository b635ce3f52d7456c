"""The gradients of a chain's kernels as functions of the picture, and their Jacobian.

With the derivative k by the chain's output known, the gradients of all its weights are
functions of the picture alone: those of <k, output>. Their derivative along a direction is
carried through the chain forwards and backwards by hand, for many directions at once:

    z = W a + b,  a' = s(z)        dz = W da,   da' = s'(z) dz
    e = k' s'(z), k = W^T e        de = dk' s'(z) + k' s''(z) dz,  dk = W^T de
    G = patches(a)^T e             dG = patches(da)^T e + patches(a)^T de
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from attacks.structure import activations
from attacks.structure import chain as chain_lib
from selenc_tf.types import Weights


class Gradients(NamedTuple):
    """What a picture makes of the chain's gradients; float64.

    Attributes:
      values: [n], kernels and biases of all layers, in the order of the chain.
      sizes: [n], root of the sum of the squares that each is a sum of: the scale of its
        rounding.
      derivatives: [r, n], along each of the directions.
    """

    values: tf.Tensor
    sizes: tf.Tensor
    derivatives: tf.Tensor


class _Layer(NamedTuple):
    """A layer at the picture: its padded input, output, slopes, and those of tangents."""

    inputs: tf.Tensor
    moved: tf.Tensor
    slope: tf.Tensor
    bend: tf.Tensor


Program = Callable[[Weights, tf.Tensor, tf.Tensor, tf.Tensor], Gradients]
"""`(weights, picture [1, *shape], directions [r, *shape], k [1, *out])`, the first two in
the model's own units."""


def compile_gradients(chain: tuple[chain_lib.ConvLayer, ...]) -> Program:
    """Compiles them for a chain.

    Runs on: attacker. Sees: its candidates.

    Args:
      chain: The convolutions.

    Returns:
      The program.
    """

    @tf.function(autograph=False, reduce_retracing=True)
    def run(
        weights: Weights, picture: tf.Tensor, directions: tf.Tensor, k: tf.Tensor
    ) -> Gradients:
        layers = []
        a, da = picture, directions
        for layer in chain:
            (above, left), kernel = layer.padding, weights[layer.kernel]
            paddings = [[0, 0], [above, above], [left, left], [0, 0]]
            a, da = tf.pad(a, paddings), tf.pad(da, paddings)
            z, dz = (
                tf.nn.conv2d(one, kernel, layer.strides, "VALID") for one in (a, da)
            )
            if layer.bias is not None:
                z = z + weights[layer.bias]
            output, slope, bend = _bent(layer.activation, z)
            layers.append(_Layer(a, da, slope, bend * dz))
            a, da = output, slope * dz
        values, sizes, derivatives = [], [], []
        dk = tf.zeros_like(da)
        for layer, at in zip(reversed(chain), reversed(layers), strict=True):
            kernel = weights[layer.kernel]
            e, de = k * at.slope, dk * at.slope + k * at.bend
            taps = kernel.shape[:2]
            here, there = (
                _patches(one, taps, layer.strides) for one in (at.inputs, at.moved)
            )
            flat = tf.reshape(e, [-1, kernel.shape[-1]])
            moved = tf.reshape(de, [-1, flat.shape[0], kernel.shape[-1]])
            parts = [
                (
                    tf.linalg.matmul(here[0], flat, transpose_a=True),
                    tf.linalg.matmul(
                        tf.square(here[0]), tf.square(flat), transpose_a=True
                    ),
                    tf.einsum("rpt,po->rto", there, flat)
                    + tf.einsum("pt,rpo->rto", here[0], moved),
                )
            ]
            if layer.bias is not None:
                parts.append(
                    (
                        tf.reduce_sum(flat, 0),
                        tf.reduce_sum(tf.square(flat), 0),
                        tf.reduce_sum(moved, 1),
                    )
                )
            for value, square, derivative in reversed(parts):
                values.append(tf.reshape(value, [-1]))
                sizes.append(tf.sqrt(tf.reshape(square, [-1])))
                derivatives.append(
                    tf.reshape(derivative, [tf.shape(derivative)[0], -1])
                )
            k, dk = (_back(one, kernel, layer, at) for one in (e, de))
        # From the top down, and within a layer the bias first: turn around.
        return Gradients(
            tf.concat(values[::-1], 0),
            tf.concat(sizes[::-1], 0),
            tf.concat(derivatives[::-1], 1),
        )

    return run


def _back(
    e: tf.Tensor, kernel: tf.Tensor, layer: chain_lib.ConvLayer, at: _Layer
) -> tf.Tensor:
    """The derivative by a layer's input, without its padding."""
    shape = tf.concat([tf.shape(e)[:1], tf.shape(at.inputs)[1:]], 0)
    padded = tf.nn.conv2d_transpose(e, kernel, shape, layer.strides, "VALID")
    (above, left), (height, width, _) = layer.padding, layer.input_shape
    return padded[:, above : above + height, left : left + width]


def _patches(
    inputs: tf.Tensor, taps: tuple[int, int], strides: tuple[int, int]
) -> tf.Tensor:
    """What a kernel reads at every position, [b, positions, taps * channels]."""
    height, width, channels = inputs.shape[1:]
    rows = (height - taps[0]) // strides[0] + 1
    columns = (width - taps[1]) // strides[1] + 1
    parts = [
        inputs[
            :,
            row : row + (rows - 1) * strides[0] + 1 : strides[0],
            column : column + (columns - 1) * strides[1] + 1 : strides[1],
        ]
        for row in range(taps[0])
        for column in range(taps[1])
    ]
    read = tf.stack(parts, axis=3)
    return tf.reshape(read, [-1, rows * columns, taps[0] * taps[1] * channels])


def _bent(
    activation: activations.Activation, z: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The activation with its first and second derivatives."""
    if activation.kind == "sigmoid":
        output = tf.sigmoid(z)
        slope = output * tf.sigmoid(-z)
        return output, slope, slope * (1.0 - 2.0 * output)
    if activation.kind == "tanh":
        output = tf.tanh(z)
        slope = 1.0 - tf.square(output)
        return output, slope, -2.0 * output * slope
    ones = tf.ones_like(z)
    slope = tf.where(z > 0, ones, ones * activation.slope)
    return z * slope, slope, tf.zeros_like(z)
