"""Slopes of the matching error along a picture."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from attacks.continuous.first_order import slopes
from attacks.matching import distances
from selenc_tf import flatten
from selenc_tf.models import functional
from tests.attacks import victims
from tests.attacks.continuous.first_order.problems import PLAIN, problem_of


@pytest.mark.parametrize("name", distances.NAMES)
def test_slope_is_a_derivative_along_a_direction(tiny, name):
    """Forward over reverse, where the attack goes backward twice."""
    problem = problem_of(tiny, hidden=0.3)
    recipe = dataclasses.replace(PLAIN, distance=name)
    images = tf.constant(victims.tiny_pictures(1, 9))
    error, slope = slopes.build_slope(tiny, recipe)(
        problem.weights,
        problem.targets[0],
        problem.matched[0],
        images,
        problem.labels[0],
        problem.shares,
    )
    gradient = functional.gradient(tiny, problem.weights, images, problem.labels[0])
    with tf.GradientTape() as tape:
        tape.watch(gradient)
        # Relative distances do not change with the unit of both gradients.
        expected_error = distances.build_distance(name, tiny.spec)(
            gradient, problem.targets[0], problem.matched[0]
        )
    direction = flatten.unflatten(tape.gradient(expected_error, gradient), tiny.spec)
    weights = list(problem.weights)
    with tf.GradientTape() as tape:
        tape.watch(images)
        with tf.autodiff.ForwardAccumulator(weights, list(direction)) as tangents:
            logits = tiny.apply(weights, images)
            loss = -tf.reduce_sum(problem.labels[0] * tf.nn.log_softmax(logits))
        along = tangents.jvp(loss)
    expected = tape.gradient(along, images)
    np.testing.assert_allclose(error, expected_error, rtol=1e-4)
    np.testing.assert_allclose(
        slope, expected, rtol=2e-3, atol=1e-4 * float(tf.reduce_max(tf.abs(expected)))
    )
