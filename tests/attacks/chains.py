"""Convolutional networks and pictures that tests of peeling and of its parts share."""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from attacks.structure import network
from selenc_tf.models import convnet64, functional

layers = keras.layers


class Net(NamedTuple):
    """A network and what its Keras model has at the depths 0, 1, ..."""

    model: functional.FunctionalModel
    depths: tuple


def uniform(bound, seed):
    return keras.initializers.RandomUniform(-bound, bound, seed=seed)


def build_net(shape, blocks, hidden=(), classes=5, seed=0, norm=True):
    """Convolutions of these channels and poolings (0: none; negative: `max_pool`)."""
    inputs = keras.Input(shape)
    x = layers.Rescaling(4.0, -2.0)(inputs)
    depths = [x]
    for index, (channels, pool) in enumerate(blocks):
        bound = (9 * x.shape[-1]) ** -0.5
        x = layers.Conv2D(
            channels,
            3,
            padding="same",
            kernel_initializer=uniform(bound, seed + index),
            bias_initializer=uniform(bound, seed + 50 + index),
        )(x)
        if norm:
            x = layers.BatchNormalization(epsilon=1e-5)(x)
        x = layers.ReLU()(x)
        if pool > 0:
            x = layers.MaxPooling2D(pool)(x)
        elif pool < 0:
            x = convnet64.max_pool(x, -pool, name=f"pool{index}")
        depths.append(x)
    x = layers.Flatten()(x)
    for index, units in enumerate((*hidden, classes)):
        bound = x.shape[-1] ** -0.5
        x = layers.Dense(
            units,
            activation="relu" if index < len(hidden) else None,
            kernel_initializer=uniform(bound, seed + 100 + index),
            bias_initializer=uniform(bound, seed + 150 + index),
        )(x)
    model = keras.Model(inputs, x)
    generator = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            size = layer.gamma.shape
            # A negative scale turns the maximum of a window into its minimum.
            sign = np.where(generator.uniform(size=size) < 0.2, -1, 1)
            layer.gamma.assign(sign * generator.uniform(0.6, 1.5, size))
            layer.beta.assign(generator.uniform(-0.2, 0.3, size))
            layer.moving_mean.assign(generator.uniform(-0.3, 0.3, size))
            layer.moving_variance.assign(generator.uniform(0.3, 1.2, size))
    return Net(functional.from_keras(model, training=False), tuple(depths))


def picture(shape, seed=0):
    """A smooth picture with some noise, float32 [1, h, w, c]."""
    generator = np.random.default_rng(seed)
    coarse = generator.uniform(0.1, 0.9, (1, 4, 4, shape[2]))
    smooth = tf.image.resize(coarse, shape[:2], "bicubic").numpy()
    noisy = smooth + 0.05 * generator.standard_normal(smooth.shape)
    return np.clip(noisy, 0, 1).astype(np.float32)


def with_parts(*parts, training=False):
    """A convolution unless the parts begin with one, the parts, and a head."""
    inputs = x = keras.Input((8, 8, 3))
    if not (parts and "Conv" in type(parts[0]).__name__):
        x = layers.Conv2D(3, 3, padding="same")(x)
    for part in parts:
        x = part(x)
    if len(x.shape) > 2:
        x = layers.Flatten()(x)
    model = keras.Model(inputs, layers.Dense(2)(x))
    return functional.from_keras(model, training=training)


def conv(channels=3, size=3, **options):
    return layers.Conv2D(channels, size, padding="same", **options)


def block_of(shape, outputs, pool=1, size=(3, 3)):
    """A block whose weights are given to it by hand."""
    height, width, _ = shape
    return network.Block(
        kernel=0,
        bias=1,
        scale=None,
        shift=None,
        statistics=None,
        padding=(size[0] // 2, size[1] // 2),
        rectified=True,
        pool=pool,
        input_shape=shape,
        output_shape=(height // pool, width // pool, outputs),
    )
