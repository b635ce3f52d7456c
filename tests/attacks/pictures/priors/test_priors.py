"""Priors against loops and hand-made pictures."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from attacks import knowledge
from attacks.pictures.priors import features, penalty, priors
from selenc_tf.models import functional
from tests.attacks import victims


def pictures(seed=0, channels=3):
    return np.random.default_rng(seed).uniform(size=(2, 5, 6, channels)).astype("f4")


class TestVariation:
    def test_stripes(self):
        stripes = np.tile([0.0, 1.0], (1, 4, 3))[..., np.newaxis].astype("f4")
        np.testing.assert_allclose(priors.total_variation(stripes), 1.0)

    def test_against_numpy(self):
        images = pictures()
        expected = np.abs(np.diff(images, axis=2)).mean()
        expected += np.abs(np.diff(images, axis=1)).mean()
        np.testing.assert_allclose(priors.total_variation(images), expected, rtol=1e-6)

    @pytest.mark.parametrize(("inner", "outer"), [(1.0, 1.0), (2.0, 0.5)])
    @pytest.mark.parametrize("opponents", [False, True])
    def test_padded_form_against_loops(self, inner, outer, opponents):
        images = pictures().astype(float)
        r, g, b = np.split(images, 3, axis=-1)
        channels = np.concatenate([images, r - g, r - b, g - b], -1)
        channels = channels if opponents else images
        total, (_, height, width, _) = [], channels.shape
        for i in range(height):
            for j in range(width):
                right = channels[:, i, j + 1] if j + 1 < width else 0
                below = channels[:, i + 1, j] if i + 1 < height else 0
                dx = np.abs(right - channels[:, i, j])
                dy = np.abs(below - channels[:, i, j])
                total.append((dx**inner + dy**inner) ** outer)
        found = priors.padded_variation(
            tf.constant(images, tf.float32),
            inner=inner,
            outer=outer,
            double_opponents=opponents,
        )
        np.testing.assert_allclose(found, np.mean(total), rtol=1e-5)

    def test_grey_pictures_have_no_opponents(self):
        images = tf.constant(pictures(channels=1))
        assert priors.padded_variation(
            images, double_opponents=True
        ) == priors.padded_variation(images)

    def test_flat_picture_has_finite_slopes(self):
        images = tf.fill([1, 4, 4, 3], 0.5)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(images)
            values = [
                priors.total_variation(images),
                priors.padded_variation(images, inner=2.0, outer=0.5),
                priors.mean_norm(images * 0),
                priors.group_distance(images, images),
            ]
        for value in values:
            assert np.all(np.isfinite(tape.gradient(value, images)))

    def test_bad_exponent_is_refused(self):
        with pytest.raises(ValueError, match="`inner` must be positive"):
            priors.padded_variation(tf.zeros([1, 2, 2, 1]), inner=0.0)


def test_norm_is_the_mean_over_pictures():
    images = np.stack([np.full((2, 2, 1), 0.2), np.full((2, 2, 1), 0.6)])
    np.testing.assert_allclose(priors.mean_norm(images.astype("f4")), 0.4, rtol=1e-6)


def test_group_distance_is_constant_in_the_consensus():
    images, consensus = tf.constant(pictures(0)), tf.constant(pictures(1))
    with tf.GradientTape() as tape:
        tape.watch([images, consensus])
        value = priors.group_distance(images, consensus)
    slopes = tape.gradient(value, [images, consensus])
    expected = np.sqrt(np.mean((pictures(0) - pictures(1)) ** 2))
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    assert slopes[0] is not None and slopes[1] is None


def test_statistics_by_hand():
    # Means (1, 2) and variances (1, 0) against (1, 0) and (0, 0): 2 and 1.
    values = np.array([[0.0, 2.0], [2.0, 2.0]], "f4").reshape(2, 1, 1, 2)
    mean, variance = np.array([1.0, 0.0], "f4"), np.zeros(2, "f4")
    one = priors.statistics_distance([values], [mean], [variance])
    two = priors.statistics_distance([values] * 2, [mean] * 2, [variance] * 2)
    np.testing.assert_allclose([one, two], [30.0, 33.0], rtol=1e-6)
    assert priors.statistics_distance([], [], []) == 0


def test_feature_distance_looks_at_known_features_only():
    found = priors.feature_distance(
        tf.constant([[1.0, 2.0, 9.0]]),
        tf.constant([2.0, 2.0, 0.0]),
        tf.constant([1.0, 1.0, 0.0]),
    )
    np.testing.assert_allclose(found, 1 / 8)
    nothing = tf.zeros([3])
    assert priors.feature_distance(tf.ones([1, 3]), nothing, nothing) == 0


@pytest.fixture(scope="module")
def model():
    inputs = keras.Input((4, 4, 1))
    hidden = keras.layers.Conv2D(2, 3, name="conv")(inputs)
    hidden = keras.layers.BatchNormalization(name="norm")(hidden)
    hidden = keras.layers.Flatten()(hidden)
    logits = keras.layers.Dense(3, name="head")(hidden)
    return functional.from_keras(keras.Model(inputs, logits))


class TestProbes:
    def test_inputs_follow_the_weights(self, model):
        images = tf.constant(victims.tiny_pictures(2))
        weights = tuple(2 * tensor for tensor in model.initial_weights)
        (found,) = features.normalisation_inputs(model).apply(weights, images)
        kernel, bias = weights[:2]
        expected = tf.nn.conv2d(images, kernel, 1, "VALID") + bias
        np.testing.assert_allclose(found, expected, rtol=1e-5)

    def test_head_times_its_kernel_is_the_logits(self, model):
        images = tf.constant(victims.tiny_pictures(2))
        (inputs,) = features.head_inputs(model).apply(model.initial_weights, images)
        kernel, bias = model.initial_weights[-2:]
        np.testing.assert_allclose(
            inputs @ kernel + bias,
            model.apply(model.initial_weights, images),
            rtol=1e-4,
        )

    def test_model_without_such_a_layer(self, tiny):
        with pytest.raises(knowledge.DoesNotApply, match="must have batch normalisat"):
            features.normalisation_inputs(tiny)


def test_bad_weights_are_refused():
    with pytest.raises(ValueError, match="`total_variation` must be at least 0"):
        penalty.PicturePrior(total_variation=-1.0)
