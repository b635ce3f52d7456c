"""What an attacker differentiates is what the client computes: its slope by inputs."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from selenc_tf.models import checking, functional, task

ACTIVATIONS = ("relu", "leaky_relu", "gelu", "silu", "elu", "selu", "softplus", "tanh")
NORMALISATIONS = {
    "batch": lambda: keras.layers.BatchNormalization(),
    "group": lambda: keras.layers.GroupNormalization(groups=2),
    "layer": lambda: keras.layers.LayerNormalization(),
    "whole_layer": lambda: keras.layers.LayerNormalization(axis=(1, 2, 3)),
    "rms": lambda: keras.layers.RMSNormalization(),
    "unit": lambda: keras.layers.UnitNormalization(),
    "by_hand": lambda: keras.layers.Lambda(_standardised),
}


def _standardised(x):
    mean, variance = keras.ops.moments(x, axes=[1, 2], keepdims=True)
    return (x - mean) / keras.ops.sqrt(variance + 1e-3)


def _classifier(*layers):
    keras.utils.set_random_seed(4)
    return keras.Sequential(
        [
            keras.Input((4, 4, 2)),
            keras.layers.Conv2D(4, 3, padding="same"),
            *layers,
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )


def _slopes(model):
    """By TensorFlow and by differences: of <gradient, v> along a direction of inputs."""
    double = functional.in_float64(functional.from_keras(model))
    rng = np.random.default_rng(0)
    images = rng.uniform(0.2, 0.8, (3, *double.input_shape))
    along = rng.normal(size=images.shape)
    labels = tf.one_hot([0, 2, 1], 3, dtype=tf.float64)
    weighed = tf.constant(rng.normal(size=double.spec.size))

    @tf.function
    def value(step):
        moved = tf.constant(images) + step * tf.constant(along)
        made = functional.gradient(double, double.initial_weights, moved, labels)
        return tf.tensordot(made, weighed, 1)

    @tf.function
    def slope(step):
        with tf.GradientTape() as tape:
            tape.watch(step)
            made = value(step)
        return tape.gradient(made, step)

    at = [value(tf.constant(step, tf.float64)).numpy() for step in (-1e-6, 1e-6)]
    return slope(tf.constant(0.0, tf.float64)).numpy(), (at[1] - at[0]) / 2e-6


def _mostly_slow(names, *quick):
    return [
        name if name in quick else pytest.param(name, marks=pytest.mark.slow)
        for name in names
    ]


@pytest.mark.parametrize("name", _mostly_slow(NORMALISATIONS, "batch"))
def test_normalised_gradients_have_their_true_slope(name):
    derived, differences = _slopes(_classifier(NORMALISATIONS[name]()))
    assert derived == pytest.approx(differences, rel=1e-6)


@pytest.mark.parametrize("name", _mostly_slow(ACTIVATIONS, "gelu"))
def test_activated_gradients_have_their_true_slope(name):
    derived, differences = _slopes(_classifier(keras.layers.Activation(name)))
    assert derived == pytest.approx(differences, rel=1e-5)


def test_tensorflow_has_its_own_moments_again():
    kept = tf.nn.moments
    model = functional.from_keras(_classifier(keras.layers.BatchNormalization()))
    model.apply(model.initial_weights, tf.zeros([1, 4, 4, 2]))
    assert tf.nn.moments is kept


@pytest.mark.slow
@pytest.mark.parametrize("keepdims", [True, False])
def test_first_derivatives_are_keras_own(keepdims):
    """The same loss and gradient as by the model itself."""
    model = _classifier(NORMALISATIONS["batch" if keepdims else "by_hand"]())
    own = functional.from_keras(model)
    images = np.random.default_rng(2).uniform(size=(3, 4, 4, 2)).astype(np.float32)
    classes = tf.constant([0, 2, 1])
    made = functional.gradient(
        own, own.initial_weights, tf.constant(images), tf.one_hot(classes, 3)
    )
    with tf.GradientTape() as tape:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(
            classes, model(images, training=True)
        )
    parts = tape.gradient(loss, model.trainable_variables)
    expected = np.concatenate([np.ravel(part) for part in parts])
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-6)


class _Quantised(keras.layers.Layer):
    """Rounds, and lets the gradient straight through."""

    def call(self, x):
        return x + tf.stop_gradient(tf.round(4 * x) / 4 - x)


class _Branched(keras.layers.Layer):
    def call(self, x):
        return x * tf.cond(
            tf.reduce_mean(x) > 0, lambda: tf.stop_gradient(x), lambda: tf.abs(x)
        )


@pytest.mark.parametrize(
    "layer",
    [
        _Quantised,
        pytest.param(_Branched, marks=pytest.mark.slow),
        pytest.param(
            lambda: keras.layers.BatchNormalization(renorm=True), marks=pytest.mark.slow
        ),
    ],
)
def test_what_a_model_holds_constant_is_trained_and_not_attacked(layer):
    model = _classifier(layer())
    assert task.from_keras(model).held
    with pytest.raises(ValueError, match="must not hold constant"):
        functional.from_keras(model)
    report = checking.check_model(model)
    assert not report.problems
    assert "must not hold constant" in report.by_examples


def test_what_does_not_depend_on_inputs_may_be_held_constant():
    class Scaled(keras.layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=(), initializer="ones")

        def call(self, x):
            return x * self.scale / tf.stop_gradient(self.scale + 1.0)

    assert not functional.from_keras(_classifier(Scaled())).task.held
