"""Activations at a depth and their derivative by every pixel."""

import numpy as np
import pytest
import tensorflow as tf

from attacks.pictures.peeling import forward, linearised
from attacks.structure import network
from tests.attacks.chains import picture


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_pixels_that_share_a_pass(deep, depth):
    """Two poolings that cut rows, three colours, a picture that is not square."""
    read = network.read_network(deep.model)
    weights = tuple(tf.constant(one) for one in deep.model.initial_weights)
    image = picture(deep.model.input_shape)[0]
    maps = linearised.build(read, depth)
    values, slopes = maps.slopes(weights, image)
    watched = tf.constant(image[np.newaxis])
    outputs = forward.run(read, weights, watched, depth).numpy().ravel()
    np.testing.assert_allclose(values, outputs, rtol=1e-5, atol=1e-5)
    generator = np.random.default_rng(0)
    for _ in range(4):
        # A few outputs at a time, so that no two errors make up for each other.
        by = generator.standard_normal(values.size) * (
            generator.uniform(size=values.size) < 0.2
        )
        with tf.GradientTape() as tape:
            tape.watch(watched)
            made = tf.reshape(forward.run(read, weights, watched, depth), [-1])
            score = tf.reduce_sum(made * tf.constant(by, tf.float32))
        slope = tape.gradient(score, watched).numpy().ravel()
        assert np.count_nonzero(slope) > 20
        np.testing.assert_allclose(slopes @ by, slope, atol=1e-5 * np.abs(slope).max())
    several = maps.run(weights, np.stack([image, 0 * image]))
    np.testing.assert_allclose(several[0], outputs, rtol=1e-5, atol=1e-5)
    assert several.shape == (2, values.size)
