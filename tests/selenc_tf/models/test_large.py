"""ConvNet and ResNet-18: sizes, initial weights, pooling, statistics."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from selenc_tf.models import batch_statistics, convnet64, functional, resnet18


@pytest.fixture(scope="module")
def small():
    return convnet64.convnet((10, 11, 3), 4, 7, width=2)


def pictures(count, shape=(10, 11, 3)):
    return np.random.default_rng(0).uniform(size=(count, *shape)).astype(np.float32)


@pytest.mark.slow
def test_published_sizes():
    assert convnet64.convnet64((32, 32, 3), 10, 0).spec.size == 2_904_970
    assert resnet18.resnet18((32, 32, 3), 10, 0).spec.size == 11_173_962


@pytest.mark.slow
def test_quarter_width():
    model = convnet64.convnet16((32, 32, 3), 10, 0)
    assert model.spec.size == 187_114 and model.name == "convnet16"


def test_pooling_is_max_pooling():
    images = pictures(2)
    inputs = keras.Input((10, 11, 3))
    ours = keras.Model(inputs, convnet64.max_pool(inputs, 3, "pool"))
    values, slopes = [], []
    for pool in (ours, keras.layers.MaxPooling2D(3)):
        with tf.GradientTape() as tape:
            watched = tf.constant(images)
            tape.watch(watched)
            value = pool(watched)
            total = tf.reduce_sum(tf.sin(value))
        values.append(value)
        slopes.append(tape.gradient(total, watched))
    np.testing.assert_array_equal(values[0], values[1])
    np.testing.assert_allclose(slopes[0], slopes[1], rtol=1e-6)


def test_initial_weights_are_bounded_by_the_inputs(small):
    bounds = {3: 1 / np.sqrt(27), 2: 1 / np.sqrt(18)}
    kernels = [w.numpy() for w in small.initial_weights if len(w.shape) == 4]
    assert (
        np.abs(kernels[0]).max() <= bounds[3] and np.abs(kernels[1]).max() <= bounds[2]
    )
    assert np.abs(kernels[0]).max() > 0.8 * bounds[3]


@pytest.mark.slow
def test_same_seed_same_weights(small):
    again = convnet64.convnet((10, 11, 3), 4, 7, width=2)
    other = convnet64.convnet((10, 11, 3), 4, 8, width=2)
    np.testing.assert_array_equal(small.initial_weights[0], again.initial_weights[0])
    assert np.any(small.initial_weights[0] != other.initial_weights[0])


def test_float64_is_the_same_model(small):
    exact = functional.in_float64(small)
    images = pictures(2)
    np.testing.assert_allclose(
        small.apply(small.initial_weights, tf.constant(images)),
        exact.apply(exact.initial_weights, tf.constant(images, tf.float64)),
        rtol=1e-4,
    )


def test_too_small_pictures_are_refused():
    with pytest.raises(ValueError, match="`input_shape` must be at least 9x9"):
        convnet64.convnet16((8, 8, 3), 10, 0)


def test_calibration_normalises_the_public_pictures(small):
    images = pictures(8)
    model = batch_statistics.calibrate(small, images)
    assert model.spec == small.spec and model.name == small.name
    norm = model.keras_model.get_layer("norm0")
    kernel, bias = small.initial_weights[:2]
    expected = tf.nn.conv2d(4 * images - 2, kernel, 1, "SAME") + bias
    np.testing.assert_allclose(
        norm.moving_mean, np.mean(expected, axis=(0, 1, 2)), atol=1e-5
    )
    np.testing.assert_allclose(
        norm.moving_variance, np.var(expected, axis=(0, 1, 2)), rtol=1e-3
    )
    # The given model is left as it is.
    assert np.all(small.keras_model.get_layer("norm0").moving_mean == 0)
    np.testing.assert_array_equal(model.initial_weights[0], small.initial_weights[0])


def test_calibration_checks_its_pictures(small):
    with pytest.raises(ValueError, match="`images` must be"):
        batch_statistics.calibrate(small, pictures(0))
