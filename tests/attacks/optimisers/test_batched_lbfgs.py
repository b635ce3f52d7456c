import numpy as np
import pytest
from scipy import optimize

from attacks.optimisers import batched_lbfgs, lbfgs

LOOSE = (np.full(2, -np.inf), np.full(2, np.inf))


def quadratics(matrices, centres):
    """Trial t: (x - c_t)' A_t (x - c_t) / 2."""

    def function(points, trials):
        difference = points - centres[trials]
        slopes = np.einsum("tij,tj->ti", matrices[trials], difference)
        return np.einsum("ti,ti->t", difference, slopes) / 2, slopes

    return function


def random_quadratics(count, size, seed=0):
    generator = np.random.default_rng(seed)
    roots = generator.normal(size=(count, size, size))
    matrices = roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(size)
    return matrices, generator.uniform(-0.5, 1.5, (count, size))


def rosenbrock(points, trials):
    x, y = points.T
    slopes = [-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)]
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2, np.stack(slopes, axis=1)


def test_inverse_is_that_of_the_two_loops():
    """The compact form against Nocedal & Wright's algorithm 7.4, with a full history."""
    generator = np.random.default_rng(1)
    size, history = 5, 3
    matrices, centres = random_quadratics(1, size)
    budget = lbfgs.Budget(history=history)
    wide = (np.full(size, -np.inf), np.full(size, np.inf))
    point = generator.normal(size=(1, size))
    function = quadratics(matrices, centres)
    state = batched_lbfgs._begin(
        np.arange(1), point, *function(point, np.arange(1)), *wide, budget
    )
    pairs = []
    for _ in range(5):
        moved = state.point + generator.normal(size=(1, size))
        value, slope = function(moved, np.arange(1))
        pairs.append(((moved - state.point)[0], (slope - state.slope)[0]))
        state = batched_lbfgs._accept(
            state, np.array([True]), moved, value, slope, *wide
        )
    vector = state.slope[0].copy()
    kept, alphas = pairs[-history:], []
    for s, y in reversed(kept):
        alphas.append(s @ vector / (s @ y))
        vector -= alphas[-1] * y
    s, y = kept[-1]
    vector *= (s @ y) / (y @ y)
    for (s, y), alpha in zip(kept, reversed(alphas), strict=True):
        vector += s * (alpha - y @ vector / (s @ y))
    np.testing.assert_allclose(-state.direction[0], vector, rtol=1e-9)


def test_bounded_quadratics_as_by_scipy():
    matrices, centres = random_quadratics(6, 4)
    function = quadratics(matrices, centres)
    lower, upper = np.zeros(4), np.ones(4)
    budget = lbfgs.Budget(tolerance=0, patience=500, max_iterations=300)
    found = batched_lbfgs.minimise(function, np.full((6, 4), 0.5), lower, upper, budget)
    for trial, minimum in enumerate(found):

        def alone(point, trial=trial):
            value, slope = function(point[np.newaxis], np.array([trial]))
            return value[0], slope[0]

        expected = optimize.minimize(
            alone,
            np.full(4, 0.5),
            jac=True,
            method="L-BFGS-B",
            bounds=[(0, 1)] * 4,
            options={"ftol": 0, "gtol": 1e-12},
        )
        np.testing.assert_allclose(minimum.value, expected.fun, rtol=1e-8, atol=1e-10)
        assert minimum.start == trial


def test_valley_is_followed():
    found = batched_lbfgs.minimise(
        rosenbrock,
        np.array([[-1.2, 1.0], [2.0, 2.0]]),
        *LOOSE,
        lbfgs.Budget(tolerance=1e-14, max_iterations=200),
    )
    for minimum in found:
        assert minimum.stop == "tolerance" and minimum.iterations < 80
        np.testing.assert_allclose(minimum.point, [1, 1], atol=1e-5)


def test_a_trial_does_not_depend_on_the_others():
    matrices, centres = random_quadratics(4, 3)
    starts = np.random.default_rng(5).uniform(size=(4, 3))
    box = (np.zeros(3), np.ones(3))
    budget = lbfgs.Budget(max_iterations=15)
    together = batched_lbfgs.minimise(
        quadratics(matrices, centres), starts, *box, budget
    )
    (alone,) = batched_lbfgs.minimise(
        quadratics(matrices[2:3], centres[2:3]), starts[2:3], *box, budget
    )
    np.testing.assert_array_equal(together[2].point, alone.point)
    assert together[2]._replace(point=None, start=0) == alone._replace(point=None)


def test_finished_trials_are_asked_no_more():
    asked = []

    def function(points, trials):
        asked.append(tuple(trials))
        return rosenbrock(points, trials)

    found = batched_lbfgs.minimise(
        function, np.array([[1.0, 1.0], [-1.2, 1.0]]), *LOOSE, lbfgs.Budget()
    )
    assert asked[0] == (0, 1) and set(asked[1:]) == {(1,)}
    assert found[0].iterations == 0
    assert found[1].evaluations == len(asked)


def test_not_finite_stops_one_trial_only():
    def function(points, trials):
        values, slopes = rosenbrock(points, trials)
        return np.where(trials == 1, np.nan, values), slopes

    good, bad = batched_lbfgs.minimise(
        function, np.array([[-1.2, 1.0], [0.0, 0.0]]), *LOOSE, lbfgs.Budget()
    )
    assert good.stop == "tolerance"
    assert bad.stop == "not_finite" and np.isnan(bad.value)
    np.testing.assert_array_equal(bad.point, [0, 0])


@pytest.mark.parametrize(
    ("fields", "stop"),
    [({"max_iterations": 3}, "iterations"), ({"max_seconds": 1e-9}, "seconds")],
)
def test_limits(fields, stop):
    (found,) = batched_lbfgs.minimise(
        rosenbrock, np.array([[-1.2, 1.0]]), *LOOSE, lbfgs.Budget(**fields)
    )
    assert found.stop == stop and found.iterations == fields.get("max_iterations", 0)


def test_flat_objective_returns_the_start():
    (found,) = batched_lbfgs.minimise(
        lambda points, trials: (np.full(1, 0.5), np.zeros((1, 2))),
        np.array([[0.3, 0.7]]),
        *LOOSE,
        lbfgs.Budget(),
    )
    assert found.stop == "stalled" and found.iterations == 0
