import math

import numpy as np
import pytest
from scipy import stats

from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.report import spread
from experiments.outputs.report.spread import Sample


def of_one_seed(values, independent=True):
    return spread.of([Sample(0, i, v) for i, v in enumerate(values)], independent)


def test_few_values_are_all_shown_and_have_no_interval():
    for count in range(1, spread.FEW):
        found = of_one_seed(np.arange(count, dtype=float))
        assert found.interval is None
        assert len(spread.short(found, PICTURES).split(", ")) == count
        assert "95" not in spread.in_words(found, PICTURES)


@pytest.mark.parametrize("count", [6, 7, 20, 101])
def test_the_interval_covers_the_median_as_often_as_it_says(count):
    low, high = of_one_seed(np.arange(count, dtype=float)).interval
    # So many values lie below the true median, or fewer; the same above.
    below = stats.binom.cdf(low, count, 0.5)
    above = stats.binom.cdf(count - 1 - high, count, 0.5)
    assert 0.95 <= 1 - below - above < 0.985


def test_exact_pictures_stay_exact():
    found = of_one_seed([math.inf] * 4 + [1.0, 2.0])
    assert found.median == math.inf
    assert spread.short(found, PICTURES) == "exact [1.0, exact]"
    same = of_one_seed([math.inf, 70.0, 59.0])
    assert spread.in_words(same, PICTURES) == "exact each time (3 examples of one seed)"


def test_of_several_seeds_each_counts_once():
    """And an example that two of them have is one."""
    samples = [Sample(0, i, 10.0) for i in range(50)] + [Sample(1, 0, 20.0)]
    found = spread.of(samples)
    assert found.values == (10.0, 20.0)
    assert found.examples == 50
    assert found.median == 15.0
    assert found.interval is None
    assert "medians of 2 seeds, 50 examples" in spread.in_words(found, PICTURES)


def test_examples_of_one_message_give_no_interval():
    found = of_one_seed(np.arange(8.0), independent=False)
    assert found.interval is None
    assert spread.short(found, PICTURES) == "3.5 (0.0 to 7.0)"
    assert "no interval, as they share messages" in spread.in_words(found, PICTURES)


def test_nothing_measured_is_no_spread():
    assert spread.of([]) is None
