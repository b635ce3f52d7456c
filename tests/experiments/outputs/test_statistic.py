import math

from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.outputs import by_attack, statistic, summary
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.report import outcomes
from tests.experiments.outputs.example_records import attack


def test_a_statistic_of_known_numbers():
    found = statistic.summarise([4.0, 1.0, 2.0, 3.0, 5.0])
    assert found[:4] == (5, 3.0, 2.0, 4.0)
    # The smallest and the largest of five enclose the median at 94 %.
    assert math.isnan(found.low_95) and math.isnan(found.high_95)
    assert statistic.summarise([4.0, 1.0, 2.0, 3.0, 5.0, 9.0])[4:] == (1.0, 9.0)
    # Order statistics by the binomial distribution: ranks 2 and 8 of nine.
    assert statistic.interval([float(n) for n in range(1, 10)]) == (2.0, 8.0)


def test_small_and_empty_samples():
    assert statistic.summarise([]) is None
    assert statistic.summarise([math.nan]) is None
    two = statistic.summarise([1.0, 3.0])
    assert two[:2] == (2, 2.0)
    assert math.isnan(two.low_95) and math.isnan(two.high_95)


def test_exact_reconstructions_count_as_infinite():
    assert statistic.summarise([math.inf] * 6)[1:] == (math.inf,) * 5
    mixed = statistic.summarise([10.0, 20.0, math.inf])
    assert (mixed.median, mixed.high_quartile) == (20.0, math.inf)
    assert statistic.interval([1.0, 2.0, 3.0, 4.0, 5.0, math.inf]) == (1.0, math.inf)
    assert mixed.low_quartile == 15.0


def test_large_finite_numbers_stay_finite():
    assert statistic.summarise([5e12, 6e12, 7e12]).median == 6e12


def test_what_is_measured_on_one_thing_is_one_observation():
    medians = [10.0, 20.0, 40.0, 50.0, 60.0, 70.0]
    values = [middle + shift for middle in medians for shift in (-9.0, 0.0, 1.0)]
    found = statistic.summarise(values, of=[n // 3 for n in range(18)])
    assert found.n == 18
    # The interval is that of six observations, not of eighteen.
    assert found[4:] == statistic.summarise(medians)[4:] == (10.0, 70.0)
    as_if_independent = statistic.summarise(values)
    assert found.high_95 - found.low_95 > (
        as_if_independent.high_95 - as_if_independent.low_95
    )
    one = statistic.summarise(values, of=["a"] * 18)
    assert math.isnan(one.low_95)


def test_what_depends_on_each_other_has_no_interval():
    found = statistic.summarise(range(9), independent=False)
    assert found[:2] == (9, 4.0) and math.isnan(found.low_95)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-50, 200) | st.just(math.inf), min_size=1, max_size=12))
def test_a_statistic_is_ordered_and_the_same_twice(values):
    found = statistic.summarise(values)
    assert min(values) <= found.low_quartile <= found.median <= found.high_quartile
    assert found.n == len(values)
    if found.n >= statistic.FEW:
        assert found.low_95 <= found.high_95
    assert repr(found) == repr(statistic.summarise(values))


def test_between_exact_and_blind_there_is_no_mean():
    """Half of an exact and a blind picture is neither: the lower one counts."""
    assert statistic.median([140.0, 12.0], exact=58.9) == 12.0
    assert statistic.median([math.inf, 12.0], exact=58.9) == 12.0
    assert statistic.median([math.inf, 12.0, 90.0, 70.0], exact=58.9) == 80.0
    assert statistic.median([20.0, 12.0], exact=58.9) == 16.0
    found = statistic.summarise([140.0, 90.0, 12.0, 10.0], exact=58.9)
    assert found.median == 12.0 and found.low_quartile == 11.5
    mixed = [attack(0, psnr=140.0), attack(1, psnr=12.0)]
    (row,) = summary.summarise(mixed)
    assert row.leakage.best.median == 12.0
    (line,) = by_attack.summarise(mixed, PICTURES)
    assert line.leak.median == 12.0
    *_, best = outcomes.of_records(mixed, PICTURES)
    assert best.spread.median == 12.0
