"""The convolutional network that the paper on inverting gradients attacks.

Geiping, Bauermeister, Dröge, Moeller, "Inverting Gradients: How easy is it to break
privacy in federated learning?", NeurIPS 2020: eight 3x3 convolutions with bias, each
followed by batch normalisation and a ReLU, two 3x3 max-poolings and one dense layer.

Normalisation runs in inference mode. Its statistics are public state of the global
model, which the server broadcasts with the weights; clients do not send their own. A
model that nobody has trained has the statistics (0, 1), as in the paper's untrained
case; `batch_statistics.calibrate` sets others from public pictures.
"""

import math

import keras

from selenc_tf.models import functional

_STAGES = ((1, 2, 2, 4, 4, 4), (4, 4))
"""Channels in units of the width; a pooling follows each stage."""

_POOL = 3
_CONTRAST, _OFFSET = 4.0, -2.0
"""Pictures in [0, 1] become (x - 0.5) / 0.25, about the mean and the deviation of
natural pictures: the paper normalises its data. Part of the model here, whose inputs are
pictures in [0, 1] as everywhere."""

_EPSILON = 1e-5
"""Of the normalisation, as in the framework of the paper (Keras' default is 1e-3)."""


def convnet64(
    input_shape: tuple[int, int, int], num_classes: int, seed: int
) -> functional.FunctionalModel:
    """Builds the network at its published width.

    Args:
      input_shape: Height, width and channels of a picture; at least 9x9.
      num_classes: Number of classes.
      seed: Of the initial weights.

    Returns:
      The model: 2,904,970 parameters for 32x32x3 and 10 classes.
    """
    return convnet(input_shape, num_classes, seed, width=64)


def convnet16(
    input_shape: tuple[int, int, int], num_classes: int, seed: int
) -> functional.FunctionalModel:
    """Builds the network at a quarter of its width: a sixteenth of the work.

    Args:
      input_shape: Height, width and channels of a picture; at least 9x9.
      num_classes: Number of classes.
      seed: Of the initial weights.

    Returns:
      The model: 187,114 parameters for 32x32x3 and 10 classes.
    """
    return convnet(input_shape, num_classes, seed, width=16)


def convnet(
    input_shape: tuple[int, int, int], num_classes: int, seed: int, *, width: int
) -> functional.FunctionalModel:
    """Builds the network.

    Kernels and biases start at U(-1/sqrt(f), 1/sqrt(f)) with f inputs to a unit, the
    default of the framework that the paper used; scales at 1 and shifts at 0.

    Args:
      input_shape: Height, width and channels of a picture; at least 9x9.
      num_classes: Number of classes.
      seed: Of the initial weights.
      width: Channels of the first convolution.

    Returns:
      The model.

    Raises:
      ValueError: If a picture is too small for two poolings.
    """
    if min(input_shape[:2]) < _POOL**2:
        raise ValueError(
            f"`input_shape` must be at least {_POOL**2}x{_POOL**2} pixels for the two "
            f"poolings, got {input_shape}. Take the LeNet for smaller pictures."
        )
    seeds = iter(range(seed, seed + 100))

    def uniform(inputs: int) -> keras.initializers.Initializer:
        bound = 1.0 / math.sqrt(inputs)
        return keras.initializers.RandomUniform(-bound, bound, seed=next(seeds))

    inputs = keras.Input(input_shape, name="image")
    hidden = keras.layers.Rescaling(_CONTRAST, _OFFSET, name="normalise")(inputs)
    index = 0
    for stage, multiples in enumerate(_STAGES):
        for multiple in multiples:
            fan_in = 9 * hidden.shape[-1]
            hidden = keras.layers.Conv2D(
                multiple * width,
                3,
                padding="same",
                kernel_initializer=uniform(fan_in),
                bias_initializer=uniform(fan_in),
                name=f"conv{index}",
            )(hidden)
            hidden = keras.layers.BatchNormalization(
                epsilon=_EPSILON, name=f"norm{index}"
            )(hidden)
            hidden = keras.layers.ReLU(name=f"relu{index}")(hidden)
            index += 1
        hidden = max_pool(hidden, _POOL, name=f"pool{stage}")
    hidden = keras.layers.Flatten(name="flatten")(hidden)
    fan_in = hidden.shape[-1]
    logits = keras.layers.Dense(
        num_classes,
        kernel_initializer=uniform(fan_in),
        bias_initializer=uniform(fan_in),
        name="head",
    )(hidden)
    return functional.from_keras(
        keras.Model(inputs, logits, name=f"convnet{width}"), training=False
    )


def max_pool(pictures: keras.KerasTensor, size: int, name: str) -> keras.KerasTensor:
    """Max-pooling with windows that do not overlap, as a maximum over axes.

    Equal to `keras.layers.MaxPooling2D(size)`, whose second derivative XLA refuses and
    whose derivative has no forward mode. Rows and columns that fill no window are cut.

    Args:
      pictures: [b, h, w, c].
      size: Side of a window.
      name: Prefix of the layers' names.

    Returns:
      [b, h // size, w // size, c].
    """
    height, width, channels = pictures.shape[1:]
    rows, columns = height // size, width // size
    cropped = keras.layers.Cropping2D(
        ((0, height - rows * size), (0, width - columns * size)), name=f"{name}_crop"
    )(pictures)
    windows = keras.layers.Reshape(
        (rows, size, columns, size, channels), name=f"{name}_windows"
    )(cropped)
    return keras.ops.max(windows, axis=(2, 4))
