"""Convolutions by patches, against TensorFlow's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from attacks.matching import matching, patches
from selenc_tf.models import lenet


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("window", "strides"), [((5, 5), 2), ((3, 2), (1, 3))])
def test_values_and_both_derivatives(padding, window, strides):
    generator = np.random.default_rng(0)
    inputs = tf.constant(generator.normal(size=(2, 7, 6, 3)))
    kernel = tf.constant(generator.normal(size=(*window, 3, 4)))
    plain = keras.layers.Conv2D(4, window, strides, padding, dtype="float64")
    convolve = patches._convolution(plain.strides, padding)
    steps = (1, *plain.strides, 1)

    def derivatives(function):
        with tf.GradientTape() as outer:
            outer.watch(inputs)
            with tf.GradientTape() as inner:
                inner.watch(kernel)
                outputs = function(inputs, kernel)
                loss = tf.reduce_sum(tf.sigmoid(outputs))
            slope = inner.gradient(loss, kernel)
            second = tf.reduce_sum(tf.sin(slope))
        return outputs, slope, outer.gradient(second, inputs)

    expected = derivatives(lambda x, w: tf.nn.conv2d(x, w, steps, padding.upper()))
    for ours, theirs in zip(derivatives(convolve), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_only_plain_convolutions_are_changed():
    inputs = keras.Input((6, 6, 4))
    hidden = keras.layers.Conv2D(4, 3, name="plain")(inputs)
    hidden = keras.layers.Conv2D(4, 3, groups=2, padding="same")(hidden)
    hidden = keras.layers.Conv2D(4, 3, dilation_rate=2, padding="same")(hidden)
    hidden = keras.layers.DepthwiseConv2D(3, padding="same")(hidden)
    model = keras.Model(inputs, hidden)
    pictures = np.random.default_rng(0).normal(size=(2, 6, 6, 4)).astype(np.float32)
    before = model(pictures).numpy()
    assert patches.use_patches(model) == 1
    np.testing.assert_allclose(model(pictures), before, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_xla_with_patches_is_the_same_objective():
    model = lenet.lenet((8, 8, 1), 3, 0)
    plain, fast = (
        matching.build_matching(model, jit_compile=jit) for jit in (False, True)
    )
    generator = np.random.default_rng(0)
    images = tf.constant(generator.uniform(size=(2, 1, 8, 8, 1)))
    labels = tf.one_hot([[0], [2]], 3, dtype=tf.float64)
    size = model.spec.size
    observed = matching.Observed(
        weights=tuple(tf.cast(one, tf.float64) for one in model.initial_weights),
        target=tf.constant(generator.normal(size=size)),
        entry_weights=tf.constant(generator.uniform(size=size) / size),
        shares=tf.ones([1], tf.float64),
    )
    expected = plain.hypotheses(observed, (1,), images, labels)
    found = fast.hypotheses(observed, (1,), images, labels)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-14)
