"""Derivatives of real models against central differences, and what builds on them."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from selenc_tf import flatten
from selenc_tf.distance import (
    jacobian,
    leverage,
    matching_distance,
    noise,
)
from selenc_tf.models import functional, lenet
from selenc_tf.significance.context import ScoreBatch, ScoreContext


def dense_net():
    inputs = keras.Input((3, 3, 1))
    hidden = keras.layers.Flatten()(inputs)
    for units, activation in ((12, "sigmoid"), (3, None)):
        hidden = keras.layers.Dense(units, activation=activation)(hidden)
    return functional.from_keras(keras.Model(inputs, hidden, name="dense"))


def pooled():
    """Max-pooling and ReLU, whose forward-mode rules are the ones in doubt."""
    inputs = keras.Input((6, 6, 1))
    hidden = keras.layers.Conv2D(3, 3, activation="relu")(inputs)
    hidden = keras.layers.MaxPooling2D(2)(hidden)
    hidden = keras.layers.Dense(3)(keras.layers.Flatten()(hidden))
    return functional.from_keras(keras.Model(inputs, hidden, name="pooled"))


BUILDERS = {
    "dense": dense_net,
    "pooled": pooled,
    "lenet": lambda: lenet.lenet((4, 4, 1), 3, 0),
}


def case(name, batch_size=1):
    """A model with its linearisation at random pictures; made once."""
    return _case(name, batch_size)


@functools.cache
def _case(name, batch_size):
    keras.utils.set_random_seed(1)
    model = BUILDERS[name]()
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 1, (batch_size, *model.input_shape)).astype(np.float32)
    labels = np.eye(3, dtype=np.float32)[rng.integers(0, 3, batch_size)]
    derivatives = jacobian.compile_derivatives(functional.in_float64(model))
    linear = jacobian.linearise(derivatives, model.initial_weights, images, labels)
    return model, derivatives, linear, images, labels, jacobian.dense(linear)


def gradient_at(derivatives, weights, images, labels):
    weights = tuple(tf.cast(each, tf.float64) for each in weights)
    return derivatives.gradient(
        weights, tf.constant(images, tf.float64), tf.constant(labels, tf.float64)
    ).numpy()


@pytest.mark.parametrize(
    ("name", "batch_size"),
    [
        ("dense", 1),
        *[
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (("dense", 2), ("pooled", 1), ("lenet", 1))
        ],
    ],
)
def test_matrix_against_central_differences(name, batch_size):
    model, derivatives, _, images, labels, matrix = case(name, batch_size)
    assert matrix.dtype == np.float64
    assert matrix.shape == (model.spec.size, images.size)
    step = 1e-5
    for column in range(images.size):
        moved = np.zeros(images.size)
        moved[column] = step
        moved = moved.reshape(images.shape)
        ends = [
            gradient_at(
                derivatives, model.initial_weights, images.astype(float) + sign, labels
            )
            for sign in (moved, -moved)
        ]
        difference = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(matrix[:, column], difference, atol=1e-8)


@pytest.mark.parametrize(
    "name", ["dense", "pooled", pytest.param("lenet", marks=pytest.mark.slow)]
)
def test_products_are_those_of_the_matrix(name):
    _, _, linear, images, _, matrix = case(name)
    rng = np.random.default_rng(1)
    left, right = rng.normal(size=len(matrix)), rng.normal(size=images.size)
    np.testing.assert_allclose(linear.jvp(right), matrix @ right, atol=1e-12)
    np.testing.assert_allclose(linear.vjp(left), matrix.T @ left, atol=1e-12)


def test_refuses_float32():
    with pytest.raises(ValueError, match="in_float64"):
        jacobian.compile_derivatives(dense_net())


def test_refuses_a_derivative_that_is_not_finite():
    model, derivatives, _, images, labels, _ = case("dense")
    broken = (model.initial_weights[0] * np.nan, *model.initial_weights[1:])
    with pytest.raises(ValueError, match="must be finite"):
        jacobian.dense(jacobian.linearise(derivatives, broken, images, labels))


def test_matching_distance_and_its_quadratic_form():
    model, derivatives, linear, images, labels, matrix = case("dense")
    rng = np.random.default_rng(4)
    hidden = rng.uniform(size=len(matrix)) < 0.4
    direction = rng.normal(size=images.shape)
    errors = []
    for size in (1e-3, 1e-4):
        exact = matching_distance.matching_distance(
            derivatives, model.initial_weights, images + size * direction, labels,
            linear.gradient, hidden,
        )  # fmt: skip
        predicted = matching_distance.quadratic_form(linear, size * direction, hidden)
        assert predicted == pytest.approx(
            size * np.linalg.norm(matrix[~hidden] @ direction.ravel())
        )
        errors.append(abs(exact - predicted))
    assert exact > 0
    # A second-order error: a tenth of the step, a hundredth of the error.
    assert errors[1] < 0.02 * errors[0]


def test_matching_distance_does_not_see_what_is_hidden():
    model, derivatives, linear, images, labels, matrix = case("dense")
    other = np.where(np.arange(len(matrix)) % 2, np.nan, linear.gradient)
    found = matching_distance.matching_distance(
        derivatives, model.initial_weights, images, labels, other, np.isnan(other)
    )
    assert found == pytest.approx(0.0, abs=1e-12)


class TestLeverage:
    def context(self, name, batch_size=1):
        model, _, _, images, labels, _ = case(name, batch_size)
        batch = ScoreBatch(tf.constant(images), tf.constant(labels))
        gradient = functional.gradient(model, model.initial_weights, *batch)
        return ScoreContext(
            gradient=gradient,
            seed=tf.constant([1, 2]),
            spec=model.spec,
            weights=flatten.flatten(model.initial_weights),
            update=-gradient,
            batch=batch,
            model=model,
        )

    @pytest.mark.slow
    def test_with_many_probes_it_is_the_derivative_of_the_bound(self):
        _, _, linear, images, _, matrix = case("dense")
        context = self.context("dense")
        scores = tf.function(
            lambda: leverage.leverage(
                context, probes=400, iterations=12, relative_noise=0.3
            ),
            autograph=False,
        )().numpy()
        sigma = noise.relative(linear.gradient, 0.3)
        precision = matrix.T @ matrix / sigma[0] ** 2 + np.eye(images.size) / 0.06
        exact = np.linalg.norm(matrix @ np.linalg.inv(precision), axis=1)
        np.testing.assert_allclose(scores * 0.06, exact, rtol=0.25, atol=1e-8)

    @pytest.mark.parametrize(
        "name", ["pooled", pytest.param("lenet", marks=pytest.mark.slow)]
    )
    def test_default_in_a_graph(self, name):
        context = self.context(name)
        score = tf.function(lambda: leverage.leverage(context), autograph=False)
        scores = score()
        assert scores.dtype == tf.float32 and scores.shape == context.gradient.shape
        assert np.all(np.isfinite(scores)) and np.all(scores >= 0)
        # Most kernel entries of this small LeNet see padding only.
        sees = np.any(case(name)[-1] != 0, axis=1)
        np.testing.assert_array_equal(scores > 0, sees)
        np.testing.assert_array_equal(scores, score())

    @pytest.mark.parametrize("field", ["model", "batch", "weights"])
    def test_says_what_is_missing(self, field):
        with pytest.raises(ValueError, match=field):
            leverage.leverage(self.context("dense")._replace(**{field: None}))
