"""The mean over tensors of the cosine distance, with its slope."""

import numpy as np
import tensorflow as tf

from attacks.matching import distances, tensor_cosines
from selenc_tf import flatten

SPEC = flatten.FlatSpec(("a", "b", "c", "d"), ((3, 4), (6,), (2,), (2, 3)))


def drawn(seed):
    return np.random.default_rng(seed).normal(size=SPEC.size).astype(np.float32)


def test_it_is_the_same_number_with_the_same_slope():
    matched = np.random.default_rng(2).random(SPEC.size) < 0.7
    target = np.where(matched, drawn(0), np.float32(0))
    # The third tensor has too few entries, the last a target of zeros.
    target[-6:] = 0
    plain = distances.build_distance("tensor_cosine", SPEC)
    units, shares = tensor_cosines.unit_target(target, matched, SPEC.sizes)
    assert shares.tolist() == [0.5, 0.5, 0, 0]
    mask, candidate = tf.constant(matched, tf.float32), tf.constant(drawn(1))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(candidate)
        expected = plain(candidate, tf.constant(target), mask)
        found = tensor_cosines.distance(
            flatten.unflatten(candidate, SPEC), tf.constant(units), mask, shares
        )
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    slopes = [tape.gradient(one, candidate) for one in (found, expected)]
    np.testing.assert_allclose(*slopes, atol=1e-6)


def test_zeros_have_a_finite_slope():
    matched = np.ones(SPEC.size, bool)
    units, shares = tensor_cosines.unit_target(drawn(0), matched, SPEC.sizes)
    candidate = tf.zeros([SPEC.size])
    with tf.GradientTape() as tape:
        tape.watch(candidate)
        found = tensor_cosines.distance(
            flatten.unflatten(candidate, SPEC),
            tf.constant(units),
            tf.ones([SPEC.size]),
            shares,
        )
    np.testing.assert_allclose(found, 0.5, rtol=1e-6)
    assert not np.any(tape.gradient(found, candidate))
    nothing, none = tensor_cosines.unit_target(drawn(0), ~matched, SPEC.sizes)
    assert not nothing.any() and not none.any()
