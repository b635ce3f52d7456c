"""The cosine distance by tensor, against that of flat vectors."""

import numpy as np
import pytest
import tensorflow as tf

from attacks.matching import cosine, distances
from selenc_tf import flatten


@pytest.mark.parametrize("ours", [0.0, 3.0])
@pytest.mark.parametrize("theirs", [0.0, 2.0])
def test_cosine_by_tensor_is_that_of_flat_vectors(ours, theirs):
    generator = np.random.default_rng(4)
    shapes = [(2, 3), (4,)]
    candidate, target = (
        [
            tf.constant(size * generator.standard_normal(shape), tf.float32)
            for shape in shapes
        ]
        for size in (ours, theirs)
    )
    matched = [tf.constant([[1.0, 0, 1], [1, 1, 0]]), tf.constant([0.0, 1, 1, 1])]
    vector = flatten.flatten(candidate)
    with tf.GradientTape() as tape:
        tape.watch(vector)
        expected = distances.cosine_distance(
            vector, flatten.flatten(target), flatten.flatten(matched)
        )
    found = cosine.distance(candidate, target, matched)
    np.testing.assert_allclose(found.value, expected, atol=1e-6)
    np.testing.assert_allclose(
        flatten.flatten(found.slopes), tape.gradient(expected, vector), atol=1e-6
    )
