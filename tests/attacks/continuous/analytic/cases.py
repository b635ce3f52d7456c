"""A chain and pictures that the tests of the closed forms share."""

import keras
import numpy as np

from selenc_tf.models import functional


def tiny_chain(last_stride=2):
    """8x8 grey pictures, two convolutions with leaky ReLUs, a head of three classes."""
    inputs = keras.Input((8, 8, 1))
    hidden = inputs
    for index, (channels, stride) in enumerate(((6, 1), (8, last_stride))):
        hidden = keras.layers.ZeroPadding2D(1)(hidden)
        hidden = keras.layers.Conv2D(
            channels,
            3,
            strides=stride,
            use_bias=index == 1,
            kernel_initializer=keras.initializers.RandomUniform(-0.5, 0.5, seed=index),
        )(hidden)
        hidden = keras.layers.LeakyReLU(negative_slope=0.2)(hidden)
    logits = keras.layers.Dense(
        3, kernel_initializer=keras.initializers.RandomUniform(-0.2, 0.2, seed=9)
    )(keras.layers.Flatten()(hidden))
    return functional.from_keras(keras.Model(inputs, logits, name="chain"))


def pictures(model, count=1, seed=0):
    generator = np.random.default_rng(seed)
    return generator.uniform(0.1, 0.9, (count, *model.input_shape)).astype(np.float32)
