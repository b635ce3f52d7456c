"""The convolutional network of the paper that introduced federated averaging.

McMahan, Moore, Ramage, Hampson, Aguera y Arcas, "Communication-Efficient Learning of Deep
Networks from Decentralized Data", AISTATS 2017, section 3.
"""

import keras

from selenc_tf.models import functional


def fedavg_cnn(
    input_shape: tuple[int, int, int], num_classes: int, seed: int
) -> functional.FunctionalModel:
    """Builds two 5x5 convolutions (32, 64 channels) and a dense layer of 512 units.

    Each convolution is followed by 2x2 max-pooling; activations are ReLU.

    Args:
      input_shape: Height, width and channels of a picture.
      num_classes: Number of classes.
      seed: Of the initial weights.

    Returns:
      The model with Glorot-uniform weights: 1,663,370 parameters for 28x28x1 and 10
      classes.
    """
    seeds = iter(range(seed, seed + 100))

    def glorot() -> keras.initializers.Initializer:
        return keras.initializers.GlorotUniform(seed=next(seeds))

    inputs = keras.Input(input_shape, name="image")
    hidden = inputs
    for index, channels in enumerate((32, 64)):
        hidden = keras.layers.Conv2D(
            channels,
            5,
            padding="same",
            activation="relu",
            kernel_initializer=glorot(),
            name=f"conv{index}",
        )(hidden)
        hidden = keras.layers.MaxPooling2D(2, name=f"pool{index}")(hidden)
    hidden = keras.layers.Flatten(name="flatten")(hidden)
    hidden = keras.layers.Dense(
        512, activation="relu", kernel_initializer=glorot(), name="dense"
    )(hidden)
    logits = keras.layers.Dense(num_classes, kernel_initializer=glorot(), name="head")(
        hidden
    )
    return functional.from_keras(keras.Model(inputs, logits, name="fedavg_cnn"))
