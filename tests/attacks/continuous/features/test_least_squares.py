"""Gauss-Newton with a prior and bounds, on problems whose answers are known."""

import numpy as np
import pytest

from attacks.continuous.features import least_squares
from selenc_tf.distance import dct_prior, prior

D = 12


def flat_prior(variance=0.1, size=D):
    return prior.GaussianPrior("flat", (1, size), np.full(size, 0.5), variance, ())


def posed(run, slope, values, errors):
    size = np.full(len(values), 1.0)
    return least_squares.Equations(
        run, lambda x: (run(x), slope(x)), values, np.full(len(values), errors), size
    )


def linear(matrix, truth, errors):
    return posed(lambda x: matrix @ x, lambda x: matrix, matrix @ truth, errors)


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(0)


def test_enough_equations_are_solved_exactly(rng):
    truth = rng.uniform(0.1, 0.9, D)
    problem = linear(rng.normal(size=(20, D)), truth, 1e-8)
    found = least_squares.solve(problem, flat_prior(), 20)
    assert found.settled and found.deviation < 1e-7
    np.testing.assert_allclose(found.x, truth, atol=1e-7)


def test_few_equations_give_the_posterior_mean(rng):
    """Against the closed form of a Gaussian, away from the bounds."""
    known = prior.GaussianPrior("flat", (1, D), np.full(D, 0.5), 1e-3, ())
    matrix, noise = rng.normal(size=(5, D)), 1e-2
    values = matrix @ known.mean + 0.05
    found = least_squares.solve(
        posed(lambda x: matrix @ x, lambda x: matrix, values, noise), known, 20
    )
    gain = matrix.T @ np.linalg.inv(matrix @ matrix.T + noise**2 / 1e-3 * np.eye(5))
    np.testing.assert_allclose(found.x, known.mean + gain @ np.full(5, 0.05), atol=1e-9)
    covariance = 1e-3 * (np.eye(D) - gain @ matrix)
    expected = np.sqrt(np.trace(covariance) / D)
    assert found.deviation == pytest.approx(expected, rel=0.4)


def test_bounds_decide_what_equations_leave_open(rng):
    """Nine of twelve numbers at bounds: seven equations do for the other three."""
    truth = np.zeros(D)
    truth[6:9], truth[:3] = 1.0, rng.uniform(0.3, 0.7, 3)
    problem = linear(np.abs(rng.normal(size=(10, D))), truth, 1e-8)
    found = least_squares.solve(problem, flat_prior(10.0), 20)
    np.testing.assert_allclose(found.x, truth, atol=1e-4)
    free = linear(np.abs(rng.normal(size=(10, D))), np.full(D, 0.5) + truth / 9, 1e-8)
    assert least_squares.solve(free, flat_prior(10.0), 20).deviation > 0.01


def test_saturated_equations_are_followed_down(rng):
    """From the mean the tangents point far away: the noise level keeps steps honest."""
    truth = rng.uniform(0.05, 0.95, D)
    matrix = 3 * rng.normal(size=(30, D))

    def run(x):
        return np.tanh(matrix @ (x - 0.5))

    def slope(x):
        return (1 - np.square(run(x)))[:, np.newaxis] * matrix

    found = least_squares.solve(posed(run, slope, run(truth), 1e-9), flat_prior(), 60)
    assert found.settled
    np.testing.assert_allclose(found.x, truth, atol=1e-6)


@pytest.mark.parametrize("equations", [6, 80])
def test_both_dimensions_agree(rng, equations, monkeypatch):
    known = dct_prior.photographs((3, 4, 1))
    truth = np.clip(prior.apply_root(known, rng.normal(size=D)) + 0.5, 0.0, 0.6)
    problem = linear(rng.normal(size=(equations, D)), truth, 1e-4)
    own = least_squares.solve(problem, known, 20)
    monkeypatch.setattr(least_squares, "_NARROW", 0)
    other = least_squares.solve(problem, known, 20)
    np.testing.assert_allclose(own.x, other.x, atol=1e-5)


def test_time_that_is_up_ends_it(rng):
    problem = linear(rng.normal(size=(20, D)), np.full(D, 0.3), 1e-8)
    found = least_squares.solve(problem, flat_prior(), 20, over=lambda: True)
    assert found.steps == 1 and not found.settled
