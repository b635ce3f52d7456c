import numpy as np
import tensorflow as tf

from attacks.matching import objectives


def test_worked_by_hand():
    # Matched entries 0 and 1 of g = [3, 4, 5]: norm 25; differences 2 and 1: 5 / 25.
    weights = objectives.normalised_weights(
        np.array([3.0, 4.0, 5.0], np.float32), np.array([True, True, False])
    )
    value = objectives.squared_error(
        tf.constant([1.0, 5.0, 100.0], tf.float64),
        tf.constant([3.0, 4.0, 5.0], tf.float64),
        tf.constant(weights),
    )
    np.testing.assert_allclose(value, 0.2, rtol=1e-15)


def test_weights_are_relative_to_what_is_matched():
    weights = objectives.normalised_weights(
        np.array([3.0, 4.0, 5.0], np.float32), np.array([True, True, False])
    )
    np.testing.assert_allclose(weights, [0.04, 0.04, 0.0], rtol=1e-15)


def test_nothing_matched_weighs_nothing():
    weights = objectives.normalised_weights(np.ones(3, np.float32), np.zeros(3, bool))
    np.testing.assert_array_equal(weights, [0.0, 0.0, 0.0])


def test_zero_target_is_compared_absolutely():
    weights = objectives.normalised_weights(np.zeros(2, np.float32), np.ones(2, bool))
    np.testing.assert_array_equal(weights, [1.0, 1.0])


def test_derivatives_are_those_of_the_formula():
    generator = np.random.default_rng(0)
    parts = [tf.constant(generator.uniform(size=(2, 3))) for _ in range(3)]
    plain = lambda q, g, w: tf.reduce_sum(w * tf.square(q - g))  # noqa: E731
    found = []
    for function in (objectives.squared_error, plain):
        with tf.GradientTape() as outer:
            outer.watch(parts)
            with tf.GradientTape() as inner:
                inner.watch(parts)
                value = 3 * function(*parts)
            slopes = inner.gradient(value, parts)
            squares = sum(tf.reduce_sum(tf.square(slope)) for slope in slopes)
        found.append([*slopes, *outer.gradient(squares, parts)])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
