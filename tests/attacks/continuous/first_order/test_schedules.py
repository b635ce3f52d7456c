"""Schedules of the learning rate."""

import numpy as np
import tensorflow as tf

from attacks.continuous.first_order import schedules


def share_of(*arguments):
    name, iteration, total, warm_up = arguments
    return float(
        schedules.share(name, tf.constant(iteration), tf.constant(total), warm_up)
    )


def test_steps():
    found = [share_of("steps", at, 800, 0) for at in (0, 299, 300, 500, 700)]
    np.testing.assert_allclose(found, [1, 1, 0.1, 0.01, 0.001], rtol=1e-6)


def test_cosine():
    found = [share_of("cosine", at, 100, 0) for at in (0, 50, 100)]
    np.testing.assert_allclose(found, [1, 0.5, 0], atol=1e-7)


def test_warm_up_takes_at_most_a_tenth():
    found = [share_of("constant", at, 1000, 4) for at in (0, 1, 3, 9)]
    np.testing.assert_allclose(found, [0.25, 0.5, 1, 1])
    assert share_of("constant", 1, 20, 50) == 1
