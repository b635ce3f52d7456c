import io
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.outputs import by_attack, statistic, summary, tables
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.report import grid, latex, meaning, outcomes
from tests.experiments.outputs.example_records import attack, cell


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


def test_several_seeds_have_one_number_on_every_screen():
    """Their examples are not pooled: a seed's median counts, here none that is exact."""
    levels = {0: (9.0, 9.0, 12.0), 1: (math.inf, math.inf, 15.0, math.inf, math.inf)}
    made = [
        attack(image, psnr=value, blind=10.0 + seed, cell=cell(0.1, seed=seed))
        for seed, values in levels.items()
        for image, value in enumerate(values)
    ]
    (row,) = summary.summarise(made)
    assert (row.leakage.best.n, row.leakage.seeds) == (8, 2)
    assert row.leakage.best.median == 9.0 and row.leakage.blind.median == 10.5
    (one,) = by_attack.summarise(made, PICTURES)
    assert one.leak.median == 9.0
    for outcome in outcomes.of_records(made, PICTURES):
        guess = outcome.attack == outcomes.BLIND
        assert outcome.spread.median == (10.5 if guess else 9.0)
    found = outcomes.of_records(made, PICTURES)
    text = " ".join(meaning.of(found[0].context, found, made, {}, (), PICTURES))
    assert "median PSNR 9.0 dB in hindsight, 10.5 dB blind" in text
    stream = io.StringIO()
    tables.print_tables([row], stream, 120)
    shown = " ".join(stream.getvalue().split())
    assert "n=8, 2 seeds" in shown and "random - 9.0 " in shown
    # Two values have no quartiles.
    assert "[" not in shown.partition("Blind guess")[0]
    assert "median of the medians that each seed has over its examples" in shown
    table = grid.of(found[0].context, found, {}, PICTURES)
    assert table.rows[0].cells == ("9.0, exact",)
    assert "A value is the median over the examples of one seed." in latex.legend(table)
    assert "order of the examples" not in latex.legend(table)
    single = [one for one in made if one.cell.seed == 0]
    found = outcomes.of_records(single, PICTURES)
    table = grid.of(found[0].context, found, {}, PICTURES)
    assert "All values, in the order of the examples." in latex.legend(table)


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
