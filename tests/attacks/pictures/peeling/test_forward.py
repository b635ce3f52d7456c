"""Blocks run forward and backward, against Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from attacks.pictures.peeling import (
    forward,
)
from attacks.structure import network
from selenc_tf import flatten
from tests.attacks import victims
from tests.attacks.chains import picture


def test_every_depth_is_that_of_keras(deep):
    model, depths = deep
    read = network.read_network(model)
    assert [block.pool for block in read.blocks] == [1, 2, 1, 3]
    image = picture(model.input_shape)
    layer_outputs = keras.Model(model.keras_model.inputs[0], list(depths))(image)
    assert len(layer_outputs) == len(read.blocks) + 1
    for depth, expected in enumerate(layer_outputs):
        found = forward.run(
            read, model.initial_weights, tf.constant(image), depth
        ).numpy()
        assert found.shape == expected.shape and np.any(found > 0)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert depth == 0 or found.shape[1:] == read.blocks[depth - 1].output_shape


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_the_true_derivative_gives_the_true_gradients(deep, depth):
    model, depths = deep
    read = network.read_network(model)
    image = picture(model.input_shape)
    keras_model = model.keras_model
    activations = keras.Model(keras_model.inputs[0], depths[depth])(image)
    above = keras.Model(depths[depth], keras_model.output)
    with tf.GradientTape() as tape:
        tape.watch(activations)
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)(
            tf.one_hot([1], 5), above(activations)
        )
    derivative = tape.gradient(loss, activations)[0]
    found, gradients = forward.gradients_below(
        read, model.initial_weights, tf.constant(image), depth, derivative
    )
    np.testing.assert_allclose(found, activations[0], atol=1e-5)
    below = forward.tensors_below(read, depth)
    assert below == tuple(range(4 * depth))
    true = flatten.unflatten(
        tf.constant(victims.gradient(model, image, (1,))), model.spec
    )
    for index, part in zip(below, gradients, strict=True):
        atol = 1e-5 * np.max(np.abs(true[index]))
        np.testing.assert_allclose(part, true[index], atol=atol + 1e-8)
