"""A convolutional chain as linear systems in each layer's input.

What recursive inversion needs of a layer z = W x + b with x the unknown: the weight
constraints W x = z - b, and the gradient constraints dL/dW = K x, where K holds the
derivative k = dL/dz. z follows from the layer's output by undoing its activation. Zhu,
Blaschko, "R-GAP: Recursive Gradient Attack on Privacy", ICLR 2021, section 3 and
equations 6-9.
"""

from typing import NamedTuple

import keras
import numpy as np
from scipy import sparse

from attacks import knowledge
from attacks.structure import activations, graph
from attacks.structure import dense_layers as dense_lib
from selenc_tf.models import functional

Shape = tuple[int, int, int]

_ACTIVATIONS = {
    keras.activations.linear: activations.LINEAR,
    keras.activations.sigmoid: activations.Activation("sigmoid"),
    keras.activations.tanh: activations.Activation("tanh"),
}


class ConvLayer(NamedTuple):
    """A convolution with an invertible activation.

    Attributes:
      kernel: Index of the kernel [h, w, channels in, channels out] in the weights.
      bias: Index of its bias, or None.
      place: Slice of the kernel's gradient in the flat vector.
      input_shape: Height, width, channels of x, without padding.
      output_shape: Of z.
      padding: Zeros (before the rows, before the columns).
      strides: Along rows and columns.
      activation: What turns z into the next layer's input; `LINEAR` for none.
    """

    kernel: int
    bias: int | None
    place: slice
    input_shape: Shape
    output_shape: Shape
    padding: tuple[int, int]
    strides: tuple[int, int]
    activation: activations.Activation


def read_chain(model: functional.FunctionalModel) -> tuple[ConvLayer, ...]:
    """Reads convolutions, their activations and one dense head off a model's layers.

    An activation is a leaky ReLU, a sigmoid or a tanh, the convolution's own or that of
    a layer behind it; with two of them on one convolution the model is not a chain.

    Runs on: attacker. Sees: the architecture.

    Args:
      model: The model. Only its layers' configuration is read.

    Returns:
      The convolutions in order, at least one.

    Raises:
      DoesNotApply: If the model is not such a chain, with the layer that breaks it.
    """
    names = {name: index for index, name in enumerate(model.spec.names)}
    places = dense_lib.slices_of(model)
    layers = model.keras_model.layers
    once = graph.single_calls(model.keras_model)
    found: list[ConvLayer] = []
    pad, shape = (0, 0), tuple(model.input_shape)
    padded: keras.layers.Layer | None = None
    for layer in layers[:-1]:
        if isinstance(layer, keras.layers.InputLayer | keras.layers.Flatten):
            continue
        activation = activation_of(layer)
        if isinstance(layer, keras.layers.ZeroPadding2D):
            (top, _), (left, _) = layer.padding
            pad, padded = (pad[0] + top, pad[1] + left), layer
        elif activation is None:
            raise _misfit(model, layer)
        elif (
            _is_plain_convolution(layer)
            and layer.kernel.path in names
            and id(layer) in once
        ):
            found.append(
                ConvLayer(
                    kernel=names[layer.kernel.path],
                    bias=None if layer.bias is None else names[layer.bias.path],
                    place=places[layer.kernel.path],
                    input_shape=_triple(shape),
                    output_shape=_triple(layer.output.shape[1:]),
                    padding=pad,
                    strides=tuple(layer.strides),
                    activation=activation,
                )
            )
            pad, padded, shape = (0, 0), None, tuple(layer.output.shape[1:])
        elif isinstance(layer, keras.layers.Activation | keras.layers.LeakyReLU):
            # One for each convolution, and not after padding: a sigmoid makes 0.5 of
            # those zeros.
            if not found or padded or found[-1].activation != activations.LINEAR:
                raise _misfit(model, layer)
            found[-1] = found[-1]._replace(activation=activation)
        else:
            raise _misfit(model, layer)
    heads = dense_lib.dense_layers(model)
    one_head = len(heads) == 1 and heads[0].head and not heads[0].sees_picture
    if padded is not None:  # No convolution takes it.
        raise _misfit(model, padded)
    if not found:
        raise _refusal(model, "it has no convolution")
    if not one_head:
        raise _misfit(model, layers[-1])
    return tuple(found)


def _misfit(
    model: functional.FunctionalModel, layer: keras.layers.Layer
) -> knowledge.DoesNotApply:
    return _refusal(
        model, f"its layer {layer.name!r} ({type(layer).__name__}) does not fit there"
    )


def _refusal(model: functional.FunctionalModel, where: str) -> knowledge.DoesNotApply:
    return knowledge.DoesNotApply(
        f"`model` ({model.name}) must be a chain of plain convolutions with leaky ReLUs, "
        f"sigmoids or tanhs and one dense head, but {where}."
    )


def _triple(shape: tuple[int, ...]) -> Shape:
    height, width, channels = shape
    return int(height), int(width), int(channels)


def _is_plain_convolution(layer: keras.layers.Layer) -> bool:
    return (
        type(layer) is keras.layers.Conv2D
        and layer.padding == "valid"
        and layer.groups == 1
        and tuple(layer.dilation_rate) == (1, 1)
        and layer.data_format == "channels_last"
    )


def activation_of(layer: keras.layers.Layer) -> activations.Activation | None:
    """The activation that a layer is or ends in, `LINEAR` for none.

    Args:
      layer: Of a model.

    Returns:
      The activation, or None if it has another one, or is a layer without such a field.
    """
    if isinstance(layer, keras.layers.LeakyReLU):
        slope = float(layer.negative_slope)
        return activations.Activation("leaky_relu", slope) if slope > 0 else None
    return _ACTIVATIONS.get(getattr(layer, "activation", None))


class Taps(NamedTuple):
    """Which input position each kernel tap reads for each output position.

    Attributes:
      output: int [t], output position (row-major h * w).
      input: int [t], input position; taps that read padding are left out.
      tap: int [t], kernel position (row-major).
    """

    output: np.ndarray
    input: np.ndarray
    tap: np.ndarray


def taps_of(layer: ConvLayer, kernel_size: tuple[int, int]) -> Taps:
    """Lists the products that make up one channel of a convolution.

    Leaving the padding out is the padding constraint: those inputs are known zeros.
    """
    height, width, _ = layer.input_shape
    rows, columns, _ = layer.output_shape
    i, j, a, b = np.meshgrid(
        np.arange(rows),
        np.arange(columns),
        np.arange(kernel_size[0]),
        np.arange(kernel_size[1]),
        indexing="ij",
    )
    row = i * layer.strides[0] + a - layer.padding[0]
    column = j * layer.strides[1] + b - layer.padding[1]
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    return Taps(
        output=(i * columns + j)[inside],
        input=(row * width + column)[inside],
        tap=(a * kernel_size[1] + b)[inside],
    )


def weight_constraints(layer: ConvLayer, kernel: np.ndarray) -> sparse.csr_matrix:
    """W as a sparse matrix.

    Args:
      layer: The layer.
      kernel: float64 [h, w, channels in, channels out].

    Returns:
      [outputs, inputs], both in row-major order of (height, width, channels).
    """
    h, w, channels_in, channels_out = kernel.shape
    taps = taps_of(layer, (h, w))
    count = taps.tap.size
    c = np.arange(channels_in)[np.newaxis, :, np.newaxis]
    d = np.arange(channels_out)[np.newaxis, np.newaxis, :]
    shape = (count, channels_in, channels_out)
    values = kernel.reshape(h * w, channels_in, channels_out)[taps.tap]
    rows = taps.output[:, np.newaxis, np.newaxis] * channels_out + d
    columns = taps.input[:, np.newaxis, np.newaxis] * channels_in + c
    return sparse.csr_matrix(
        (
            values.ravel(),
            (
                np.broadcast_to(rows, shape).ravel(),
                np.broadcast_to(columns, shape).ravel(),
            ),
        ),
        (int(np.prod(layer.output_shape)), int(np.prod(layer.input_shape))),
    )


def gradient_constraints(
    layer: ConvLayer, kernel_size: tuple[int, int], derivative: np.ndarray
) -> sparse.csr_matrix:
    """K for one input channel; it is the same for all of them.

    Args:
      layer: The layer.
      kernel_size: Of its kernel.
      derivative: float64 [h, w, channels out], dL/dz.

    Returns:
      [kernel positions * channels out, input positions].
    """
    taps = taps_of(layer, kernel_size)
    channels = derivative.shape[-1]
    k = derivative.reshape(-1, channels)[taps.output]
    rows = taps.tap[:, np.newaxis] * channels + np.arange(channels)
    columns = np.broadcast_to(taps.input[:, np.newaxis], rows.shape)
    return sparse.csr_matrix(
        (k.ravel(), (rows.ravel(), columns.ravel())),
        (
            kernel_size[0] * kernel_size[1] * channels,
            layer.input_shape[0] * layer.input_shape[1],
        ),
    )
