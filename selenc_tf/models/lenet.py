"""The sigmoid LeNet with 12 channels that the gradient-inversion papers attack.

Zhu, Liu, Han, "Deep Leakage from Gradients", NeurIPS 2019: 5x5 convolutions with 12
channels and padding 2, strides 2, 2, 1, each followed by a sigmoid, then one dense
layer; all weights and biases start at U(-0.5, 0.5).
"""

import keras

from selenc_tf.models import functional

_CHANNELS = 12
_STRIDES = (2, 2, 1)


def lenet(
    input_shape: tuple[int, int, int], num_classes: int, seed: int
) -> functional.FunctionalModel:
    """Builds the LeNet.

    Args:
      input_shape: Height, width and channels of a picture.
      num_classes: Number of classes.
      seed: Of the initial weights.

    Returns:
      The model with weights U(-0.5, 0.5): 85,036 parameters for 32x32x3 and 100
      classes, 13,426 for 28x28x1 and 10.
    """
    inputs = keras.Input(input_shape, name="image")
    seeds = iter(range(seed, seed + 100))

    def uniform() -> keras.initializers.Initializer:
        return keras.initializers.RandomUniform(-0.5, 0.5, seed=next(seeds))

    hidden = inputs
    for index, stride in enumerate(_STRIDES):
        # Two zeros on every side, then "valid": Keras' "same" pads unevenly at stride 2.
        hidden = keras.layers.ZeroPadding2D(2, name=f"pad{index}")(hidden)
        hidden = keras.layers.Conv2D(
            _CHANNELS,
            5,
            strides=stride,
            activation="sigmoid",
            kernel_initializer=uniform(),
            bias_initializer=uniform(),
            name=f"conv{index}",
        )(hidden)
    hidden = keras.layers.Flatten(name="flatten")(hidden)
    logits = keras.layers.Dense(
        num_classes,
        kernel_initializer=uniform(),
        bias_initializer=uniform(),
        name="head",
    )(hidden)
    return functional.from_keras(keras.Model(inputs, logits, name="lenet"))
