"""The six-layer network on which recursive gradient inversion is demonstrated.

Zhu, Blaschko, "R-GAP: Recursive Gradient Attack on Privacy", ICLR 2021, "CNN6": six
convolutions without biases, each followed by a leaky ReLU of slope 0.2, then a dense
layer. The original has one logit and a logistic loss; this is the form with one logit
for each class, whose head has a bias: 154,266 parameters for 32x32x3 and 10 classes.
"""

import keras
import numpy as np

from selenc_tf.models import functional

_LAYERS = (
    # channels, kernel, padding, stride
    (12, 4, 2, 2),
    (36, 3, 1, 2),
    (36, 3, 1, 1),
    (36, 3, 1, 1),
    (64, 3, 1, 2),
    (128, 3, 1, 1),
)
_SLOPE = 0.2


def r_gap_cnn(
    input_shape: tuple[int, int, int], num_classes: int, seed: int
) -> functional.FunctionalModel:
    """Builds the network.

    Args:
      input_shape: Height, width and channels of a picture.
      num_classes: Number of classes.
      seed: Of the initial weights.

    Returns:
      The model; weights and biases start at U(-1, 1) / sqrt(fan-in), as in the library
      that the original was written with.
    """
    seeds = iter(range(seed, seed + 100))

    def uniform(fan_in: int) -> keras.initializers.Initializer:
        bound = 1.0 / np.sqrt(fan_in)
        return keras.initializers.RandomUniform(-bound, bound, seed=next(seeds))

    inputs = keras.Input(input_shape, name="image")
    hidden = inputs
    for index, (channels, kernel, padding, stride) in enumerate(_LAYERS):
        fan_in = kernel * kernel * hidden.shape[-1]
        hidden = keras.layers.ZeroPadding2D(padding, name=f"pad{index}")(hidden)
        hidden = keras.layers.Conv2D(
            channels,
            kernel,
            strides=stride,
            use_bias=False,
            kernel_initializer=uniform(fan_in),
            name=f"conv{index}",
        )(hidden)
        hidden = keras.layers.LeakyReLU(negative_slope=_SLOPE, name=f"act{index}")(
            hidden
        )
    hidden = keras.layers.Flatten(name="flatten")(hidden)
    fan_in = hidden.shape[-1]
    logits = keras.layers.Dense(
        num_classes,
        kernel_initializer=uniform(fan_in),
        bias_initializer=uniform(fan_in),
        name="head",
    )(hidden)
    return functional.from_keras(keras.Model(inputs, logits, name="r_gap_cnn"))
