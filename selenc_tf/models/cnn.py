"""A small convolutional network that trains quickly on 28x28 and 32x32 pictures."""

import keras

from selenc_tf.models import functional


def small_cnn(
    input_shape: tuple[int, int, int], num_classes: int, seed: int
) -> functional.FunctionalModel:
    """Builds two 3x3 convolutions of stride 2 (16, 32 channels) and two dense layers.

    The activation is SiLU: smooth, so that gradient matching has second derivatives
    to work with.

    Args:
      input_shape: Height, width and channels of a picture.
      num_classes: Number of classes.
      seed: Of the initial weights.

    Returns:
      The model with Glorot-uniform weights: 105,866 parameters for 28x28x1 and 10
      classes.
    """
    seeds = iter(range(seed, seed + 100))

    def glorot() -> keras.initializers.Initializer:
        return keras.initializers.GlorotUniform(seed=next(seeds))

    inputs = keras.Input(input_shape, name="image")
    hidden = inputs
    for index, channels in enumerate((16, 32)):
        hidden = keras.layers.Conv2D(
            channels,
            3,
            strides=2,
            padding="same",
            activation="silu",
            kernel_initializer=glorot(),
            name=f"conv{index}",
        )(hidden)
    hidden = keras.layers.Flatten(name="flatten")(hidden)
    hidden = keras.layers.Dense(
        64, activation="silu", kernel_initializer=glorot(), name="dense"
    )(hidden)
    logits = keras.layers.Dense(num_classes, kernel_initializer=glorot(), name="head")(
        hidden
    )
    return functional.from_keras(keras.Model(inputs, logits, name="small_cnn"))
