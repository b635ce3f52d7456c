"""A sample in a few numbers, robust to exact reconstructions of infinite PSNR."""

import math
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

FEW = 6
"""From this many independent values on the median has a 95 % interval: of five, the
smallest and the largest enclose it with a probability of 94 % only."""

_FAR = 1e9
"""How far above a sample the number lies that stands for infinity."""


class Statistic(NamedTuple):
    """A sample in five numbers.

    Where several values are of one thing, as the examples of a seed are, all but `n` are
    of the median on each thing.

    Attributes:
      n: Size of the sample.
      median: Its median.
      low_quartile: 25 % of it lies below.
      high_quartile: 75 % of it lies below.
      low_95: Lower end of the 95 % interval of the median; NaN if there are less than
        `FEW` independent observations.
      high_95: Upper end.
    """

    n: int
    median: float
    low_quartile: float
    high_quartile: float
    low_95: float
    high_95: float


def summarise(
    values: Iterable[float],
    of: Sequence[Hashable] | None = None,
    independent: bool = True,
    exact: float = math.inf,
) -> Statistic | None:
    """Summarises a sample; infinite values are allowed and NaN is left out.

    Args:
      values: The sample.
      of: What each value was measured on. Of several values of one thing their median
        counts, as those (the examples of a seed) depend on each other. By default each
        value is of a thing of its own.
      independent: Whether these things are. If not there is no interval.
      exact: From which value on one says no more than that something is exact
        (`quartiles`).

    Returns:
      The summary, or None for an empty sample.
    """
    given = list(values)
    found = middles(given, range(len(given)) if of is None else of, exact)
    if not found:
        return None
    ends = (interval(found) if independent else None) or (math.nan, math.nan)
    count = sum(not math.isnan(value) for value in given)
    return Statistic(count, *quartiles(np.asarray(found), exact), *ends)


def middles(
    values: Iterable[float], of: Iterable[Hashable], exact: float = math.inf
) -> list[float]:
    """The median of what was measured on each thing; NaN is left out.

    Args:
      values: What was measured.
      of: What each value was measured on (`units`).
      exact: As in `summarise`.
    """
    groups: dict[Hashable, list[float]] = {}
    for value, thing in zip(values, of, strict=True):
        if not math.isnan(value):
            groups.setdefault(thing, []).append(value)
    return [median(group, exact) for group in groups.values()]


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of the median of independent values; None of less than `FEW`.

    It is that of order statistics (Conover, "Practical nonparametric statistics", 1999,
    3.2): it assumes nothing of the values' distribution, and infinite ones do not disturb
    it.
    """
    if len(values) < FEW:
        return None
    # Here, so that reading results does not wait for SciPy.
    from scipy import stats

    # Ranks do not change the order, and let infinity through.
    ascending = sorted(values)
    ranks = stats.quantile_test(range(len(values)), p=0.5).confidence_interval(0.95)
    return ascending[int(ranks.low)], ascending[int(ranks.high)]


def median(values: Sequence[float], exact: float = math.inf) -> float:
    """The median of at least one value, infinite ones allowed; as `quartiles` has it."""
    return quartiles(np.asarray(values, np.float64), exact)[0]


def quartiles(
    sample: np.ndarray, exact: float = math.inf
) -> tuple[float, float, float]:
    """The median, and what 25 and 75 % of at least one value lie below.

    Between a value that is exact and one that is not there is no mean: half of an exact
    and a blind picture is neither. There the lower of the two counts.

    Args:
      sample: [k], k >= 1.
      exact: What is larger is exact.
    """
    # Quartiles interpolate, which infinity does not survive: a number far above the
    # sample stands for it, and what comes out far above is infinite.
    scale = 1.0 + np.abs(sample[np.isfinite(sample)]).max(initial=0.0)
    finite = np.where(np.isinf(sample), np.copysign(_FAR * scale, sample), sample)
    shares = [25, 50, 75]
    low, median, high = (
        below
        if below <= exact < above
        else math.copysign(math.inf, value)
        if abs(value) > 10 * scale
        else float(value)
        for value, below, above in zip(
            np.percentile(finite, shares),
            np.percentile(sample, shares, method="lower").tolist(),
            np.percentile(sample, shares, method="higher").tolist(),
            strict=True,
        )
    )
    return median, low, high
