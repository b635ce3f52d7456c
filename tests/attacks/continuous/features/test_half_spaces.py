"""Means within half-spaces against formulas and against drawn numbers."""

import numpy as np

from attacks.continuous.features import half_spaces


def test_one_half_space_by_hand():
    """A standard Gaussian above and below zero, and one that is sure already."""
    for sign in (1.0, -1.0):
        found = half_spaces.weights_of_mean(np.eye(1), np.zeros(1), np.array([sign]))
        np.testing.assert_allclose(found, [sign * np.sqrt(2 / np.pi)], rtol=1e-2)
    sure = half_spaces.weights_of_mean(np.eye(1), np.array([9.0]), np.array([1.0]))
    np.testing.assert_allclose(sure, [0.0], atol=1e-6)


def test_an_unlikely_sign_is_finite():
    found = half_spaces.weights_of_mean(np.eye(1), np.array([-60.0]), np.ones(1))
    np.testing.assert_allclose(-60.0 + found, [1 / 60], atol=2e-2)


def test_several_half_spaces_as_drawn():
    generator = np.random.default_rng(0)
    mixing = generator.standard_normal((3, 5))
    mean = np.array([0.3, -0.2, 0.1])
    signs = np.array([1.0, 1.0, -1.0])
    draws = generator.standard_normal((400_000, 5))
    outputs = mean + draws @ mixing.T
    inside = np.all(outputs * signs > 0, axis=1)
    found = half_spaces.weights_of_mean(mixing @ mixing.T, mean, signs)
    # Of the numbers behind too, whose covariance with the outputs is `mixing`.
    np.testing.assert_allclose(
        mean + mixing @ mixing.T @ found, outputs[inside].mean(axis=0), atol=0.1
    )
    np.testing.assert_allclose(mixing.T @ found, draws[inside].mean(axis=0), atol=0.05)
