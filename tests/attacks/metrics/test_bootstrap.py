import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from attacks.metrics import bootstrap


def test_mean_of_normal_data_has_the_textbook_interval():
    values = np.random.default_rng(0).normal(20, 3, 400)
    found = bootstrap.interval(values, "mean", resamples=4000)
    half = 1.96 * values.std(ddof=1) / 20
    assert found.method == "BCa" and found.observations == 400
    np.testing.assert_allclose(found.estimate, values.mean())
    np.testing.assert_allclose(
        [found.low, found.high], [values.mean() - half, values.mean() + half], atol=0.05
    )


def test_coverage_is_about_what_it_says():
    generator = np.random.default_rng(3)
    hits = 0
    for index in range(100):
        found = bootstrap.interval(
            generator.normal(size=25), "mean", 0.9, resamples=300, seed=index
        )
        hits += found.low <= 0 <= found.high
    assert 80 <= hits <= 98


@example([-4.928020296507906e-259, 1.0])  # Interpolation rounds below the smallest.
@given(st.lists(st.floats(-50, 120), min_size=2, max_size=12))
@settings(max_examples=15, deadline=None)
def test_ends_are_in_order_and_inside_the_data(values):
    found = bootstrap.interval(np.array(values), "median", resamples=200)
    assert min(values) <= found.low <= found.high <= max(values)


def test_single_observation_has_no_interval():
    found = bootstrap.interval(np.array([30.0]))
    assert found.estimate == 30 and found.method == "single"
    assert np.isnan(found.low) and np.isnan(found.high)


@pytest.mark.parametrize("value", [30.0, np.inf])
def test_equal_observations_have_no_width(value):
    found = bootstrap.interval(np.array([value] * 5))
    assert found[:3] == (value, value, value) and found.method == "constant"


def test_exact_pictures_do_not_make_nan():
    found = bootstrap.interval(np.array([20.0, np.inf, np.inf, np.inf, 25.0]))
    assert found.method == "percentile"
    assert found.estimate == np.inf and found.high == np.inf and found.low == 20.0
    mean = bootstrap.interval(np.array([20.0, 21.0, 22.0, np.inf]), "mean")
    assert mean.estimate == np.inf and 20.0 <= mean.low < 23.0 and mean.high == np.inf


def test_same_seed_same_interval():
    values = np.arange(9.0)
    first = bootstrap.interval(values, seed=1, resamples=50)
    assert first == bootstrap.interval(values, seed=1, resamples=50)


@pytest.mark.parametrize("values", [[], [1.0, np.nan], [[1.0]]])
def test_bad_values_are_refused(values):
    with pytest.raises(ValueError, match="`values` must be"):
        bootstrap.interval(np.array(values))


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="`statistic` must be one of"):
        bootstrap.interval(np.ones(2), "mode")
    with pytest.raises(ValueError, match="`confidence` must be in"):
        bootstrap.interval(np.ones(2), confidence=1.0)
