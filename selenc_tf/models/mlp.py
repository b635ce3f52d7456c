"""A dense classifier: its first layer sees the pixels themselves."""

from typing import Literal, TypeAlias

import keras

from selenc_tf import validation
from selenc_tf.models import functional

Activation: TypeAlias = Literal["relu", "sigmoid"]

ACTIVATIONS: tuple[Activation, ...] = ("relu", "sigmoid")


def mlp(
    input_shape: tuple[int, int, int],
    num_classes: int,
    seed: int,
    hidden: tuple[int, ...] = (1024,),
    activation: Activation = "relu",
) -> functional.FunctionalModel:
    """Builds a dense net on the flattened picture.

    Args:
      input_shape: Height, width and channels of a picture.
      num_classes: Number of classes.
      seed: Of the initial weights.
      hidden: Units of each hidden layer, at least one layer.
      activation: Of the hidden layers.

    Returns:
      The model with Glorot-uniform weights and zero biases: 3,249,252 parameters for
      32x32x3, 1024 hidden units and 100 classes.

    Raises:
      ValueError: If there is no hidden layer, one has no units, or the activation is
        not offered.
    """
    validation.check_in("activation", activation, ACTIVATIONS)
    if min(hidden, default=0) < 1:
        raise ValueError(
            "`hidden` must name at least one layer, each with at least one unit, got "
            f"{hidden}. A single dense layer is a head only."
        )
    inputs = keras.Input(input_shape, name="image")
    outputs = keras.layers.Flatten(name="flatten")(inputs)
    for index, units in enumerate(hidden):
        outputs = keras.layers.Dense(
            units,
            activation=activation,
            kernel_initializer=keras.initializers.GlorotUniform(seed=seed + index),
            name=f"dense{index}",
        )(outputs)
    logits = keras.layers.Dense(
        num_classes,
        kernel_initializer=keras.initializers.GlorotUniform(seed=seed + len(hidden)),
        name="head",
    )(outputs)
    return functional.from_keras(keras.Model(inputs, logits, name="mlp"))
