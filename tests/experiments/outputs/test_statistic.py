import math

from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.outputs import statistic


def test_a_statistic_of_known_numbers():
    found = statistic.summarise([4.0, 1.0, 2.0, 3.0, 5.0])
    assert found[:4] == (5, 3.0, 2.0, 4.0)
    assert 1.0 <= found.low_95 <= 3.0 <= found.high_95 <= 5.0


def test_small_and_empty_samples():
    assert statistic.summarise([]) is None
    assert statistic.summarise([math.nan]) is None
    two = statistic.summarise([1.0, 3.0])
    assert two[:2] == (2, 2.0)
    assert math.isnan(two.low_95) and math.isnan(two.high_95)


def test_exact_reconstructions_count_as_infinite():
    assert statistic.summarise([math.inf] * 4)[1:] == (math.inf,) * 5
    mixed = statistic.summarise([10.0, 20.0, math.inf])
    assert (mixed.median, mixed.high_quartile) == (20.0, math.inf)
    assert mixed.high_95 == math.inf
    assert mixed.low_quartile == 15.0


def test_large_finite_numbers_stay_finite():
    assert statistic.summarise([5e12, 6e12, 7e12]).median == 6e12


def test_seeds_of_one_picture_are_one_observation():
    means = [10.0, 20.0, 40.0, 50.0, 60.0]
    values = [mean + shift for mean in means for shift in (-1.0, 0.0, 1.0)]
    found = statistic.summarise(values, of=[n // 3 for n in range(15)])
    assert found[:2] == (15, 40.0)
    # The interval is that of five observations, not of fifteen.
    assert found[4:] == statistic.summarise(means)[4:]
    as_if_independent = statistic.summarise(values)
    assert found.high_95 - found.low_95 > (
        as_if_independent.high_95 - as_if_independent.low_95
    )
    one = statistic.summarise([1.0, 2.0, 3.0], of=["a", "a", "a"])
    assert one.median == 2.0 and math.isnan(one.low_95)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-50, 200) | st.just(math.inf), min_size=1, max_size=12))
def test_a_statistic_is_ordered_and_the_same_twice(values):
    found = statistic.summarise(values)
    assert min(values) <= found.low_quartile <= found.median <= found.high_quartile
    assert found.n == len(values)
    if found.n >= 3:
        assert found.low_95 <= found.high_95
    assert repr(found) == repr(statistic.summarise(values))
