import numpy as np
import pytest

from attacks.optimisers import lbfgs

LOWER, UPPER = np.zeros(2), np.ones(2)


def bowl(point):
    """(x - 0.25)^2 + (y - 2)^2: in the unit box the minimum is 1, at (0.25, 1)."""
    difference = point - np.array([0.25, 2.0])
    return float(difference @ difference), 2 * difference


def test_minimum_in_the_box():
    best = lbfgs.minimise(
        [bowl], [np.array([0.9, 0.1])], LOWER, UPPER, lbfgs.Budget(restarts=1)
    )
    np.testing.assert_allclose(best.point, [0.25, 1.0], atol=1e-7)
    np.testing.assert_allclose(best.value, 1.0, atol=1e-12)


def test_best_start_wins_by_the_objective():
    # Two basins on [-2, 2]: at x = -1 the value is -0.1 lower than at x = 1.
    def wells(point):
        x = point[0]
        value = (x * x - 1) ** 2 + 0.05 * x + 1
        return float(value), np.array([4 * x * (x * x - 1) + 0.05])

    starts = [np.array([1.5]), np.array([-1.5])]
    best = lbfgs.minimise(
        [wells] * 2,
        starts,
        np.array([-2.0]),
        np.array([2.0]),
        lbfgs.Budget(tolerance=0),
    )
    assert best.start == 1
    np.testing.assert_allclose(best.point, [-1.0], atol=0.01)
    assert best.start_values[1] < best.start_values[0]


def test_tolerance_stops():
    def square(point):
        return float(point @ point), 2 * point

    best = lbfgs.minimise(
        [square],
        [np.array([0.9, 0.4])],
        LOWER,
        UPPER,
        lbfgs.Budget(restarts=1, tolerance=1e-3),
    )
    assert best.stop == "tolerance" and best.value <= 1e-3


def test_iteration_budget_covers_all_starts():
    def valley(point):  # Rosenbrock, far from done after 12 iterations
        x, y = point
        value = (1 - x) ** 2 + 100 * (y - x * x) ** 2
        slope = [-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)]
        return float(value), np.array(slope)

    seen = []
    best = lbfgs.minimise(
        [valley] * 2,
        [np.array([-1.2, 1.0]), np.array([-1.5, 0.0])],
        np.full(2, -3.0),
        np.full(2, 3.0),
        lbfgs.Budget(max_iterations=12, scout_iterations=4),
        lambda start, iterations, value: seen.append((start, iterations)),
    )
    assert best.iterations == 12 and best.stop == "iterations"
    assert [start for start, _ in seen][:8] == [0] * 4 + [1] * 4
    assert [iterations for _, iterations in seen] == list(range(1, 13))


def test_seconds_budget_stops():
    best = lbfgs.minimise(
        [bowl],
        [np.array([0.9, 0.1])],
        LOWER,
        UPPER,
        lbfgs.Budget(restarts=1, max_seconds=1e-9),
    )
    assert best.stop == "seconds" and best.iterations == 0


def test_stalled_search_is_given_up():
    def plateau(point):  # falls by less than 2 % in all
        return 1 + 1e-3 * float(np.cos(point).sum()), -1e-3 * np.sin(point)

    best = lbfgs.minimise(
        [plateau],
        [np.full(2, 0.1)],
        LOWER,
        np.full(2, 100.0),
        lbfgs.Budget(restarts=1, patience=2, history=1),
    )
    assert best.stop in ("stalled", "line_search")
    assert best.iterations <= 4


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_finite_is_reported(bad):
    best = lbfgs.minimise(
        [lambda point: (bad, point)], [np.ones(2)], LOWER, UPPER, lbfgs.Budget()
    )
    assert best.stop == "not_finite" and np.isnan(best.value)
    np.testing.assert_array_equal(best.point, [1.0, 1.0])


def test_not_finite_on_the_way_keeps_the_best_finite_point():
    def cliff(point):
        if point[0] < 0.5:
            return np.nan, point
        return float(point[0]), np.array([1.0, 0.0])

    best = lbfgs.minimise(
        [cliff], [np.array([1.0, 0.0])], LOWER, UPPER, lbfgs.Budget(restarts=1)
    )
    assert best.stop == "not_finite"
    assert 0.5 <= best.value <= 1.0


def test_finite_start_beats_one_that_is_not():
    def half(point):
        if point[1] > 0.5:
            return np.nan, point
        return bowl(point * [1, 0])

    best = lbfgs.minimise(
        [half] * 2,
        [np.array([0.9, 0.9]), np.array([0.9, 0.1])],
        LOWER,
        UPPER,
        lbfgs.Budget(),
    )
    assert best.start == 1 and np.isnan(best.start_values[0])


def test_flat_objective_returns_the_start():
    best = lbfgs.minimise(
        [lambda point: (0.5, np.zeros(2))],
        [np.array([0.3, 0.7])],
        LOWER,
        UPPER,
        lbfgs.Budget(),
    )
    np.testing.assert_array_equal(best.point, [0.3, 0.7])
    assert best.stop == "stalled" and best.iterations == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"restarts": 0}, "`restarts` must be at least 1"),
        ({"max_iterations": 0}, "`max_iterations` must be at least 1"),
        ({"max_seconds": 0.0}, "`max_seconds` must be positive"),
        ({"tolerance": -1.0}, "`tolerance` must be at least 0"),
        ({"history": 0}, "`history` must be at least 1"),
        ({"first_step": 0.0}, "`first_step` must be positive"),
        ({"min_improvement": 2.0}, r"`min_improvement` must be in \[0, 1\]"),
    ],
)
def test_bad_budget_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        lbfgs.Budget(**fields)
