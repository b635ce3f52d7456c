"""Theorem 1 of docs/distance.md by exhaustion."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from selenc_tf.distance import gradient_distance
from selenc_tf.masks import policy


def test_by_hand():
    found = gradient_distance.zero_fill(np.array([3.0, 4.0]), np.array([False, True]))
    assert found == (4.0, pytest.approx(3 / 5))


def test_is_the_distance_to_the_filled_vector():
    rng = np.random.default_rng(0)
    gradient, hidden = rng.normal(size=50), rng.uniform(size=50) < 0.4
    filled = np.where(hidden, 0.0, gradient)
    found = gradient_distance.zero_fill(gradient, hidden)
    assert found.distance == pytest.approx(np.linalg.norm(gradient - filled))
    cosine = gradient @ filled / np.linalg.norm(gradient) / np.linalg.norm(filled)
    assert found.cosine == pytest.approx(cosine)


@pytest.mark.parametrize("seed", range(4))
def test_largest_magnitudes_are_worst_for_the_attacker_for_every_m(seed):
    gradient = np.random.default_rng(seed).normal(size=8).astype(np.float32)
    gradient[3] = gradient[5]  # ties
    for m in range(9):
        all_masks = [
            np.isin(np.arange(8), chosen)
            for chosen in itertools.combinations(range(8), m)
        ]
        found = [gradient_distance.zero_fill(gradient, mask) for mask in all_masks]
        top = policy.top_scores(tf.abs(tf.constant(gradient)), m).numpy()
        ours = gradient_distance.zero_fill(gradient, top)
        assert ours.distance == pytest.approx(max(each.distance for each in found))
        assert ours.cosine == pytest.approx(
            min(each.cosine for each in found), abs=1e-12
        )


@pytest.mark.parametrize(
    ("hidden", "expected"), [(False, (0.0, 1.0)), (True, (5.0, 0.0))]
)
def test_limits(hidden, expected):
    found = gradient_distance.zero_fill(np.array([3.0, 4.0]), np.full(2, hidden))
    assert found == pytest.approx(expected)


def test_a_zero_gradient_loses_nothing():
    found = gradient_distance.zero_fill(np.zeros(3), np.ones(3, bool))
    assert found == (0.0, 1.0)


def test_refuses_other_lengths():
    with pytest.raises(ValueError, match=r"`gradient` and `hidden`"):
        gradient_distance.zero_fill(np.zeros(3), np.zeros(2, bool))
