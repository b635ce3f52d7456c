"""A sample in a few numbers, robust to exact reconstructions of infinite PSNR."""

import math
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from attacks.metrics import bootstrap

_FAR = 1e9
"""How far above a sample the number lies that stands for infinity."""


class Statistic(NamedTuple):
    """A sample in five numbers.

    Attributes:
      n: Size of the sample.
      median: Its median.
      low_quartile: 25 % of it lies below.
      high_quartile: 75 % of it lies below.
      low_95: Lower end of the bootstrap 95 % interval of the median; NaN if there are
        fewer than 3 independent observations.
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
    seed: int = 0,
) -> Statistic | None:
    """Summarises a sample; infinite values are allowed and NaN is left out.

    Args:
      values: The sample.
      of: What each value was measured on. The interval is made of the mean on each
        thing, as values of one thing (a picture under several seeds) depend on each
        other; so it is an interval of the median of those means. By default all values
        are independent.
      seed: Of the bootstrap (`attacks.metrics.bootstrap`), so that a summary is the
        same every time.

    Returns:
      The summary, or None for an empty sample.
    """
    given = list(values)
    things = range(len(given)) if of is None else of
    groups: dict[Hashable, list[float]] = {}
    for value, thing in zip(given, things, strict=True):
        if not math.isnan(value):
            groups.setdefault(thing, []).append(value)
    if not groups:
        return None
    sample = np.concatenate(
        [np.asarray(group, np.float64) for group in groups.values()]
    )
    independent = np.array([np.mean(group) for group in groups.values()])
    ends = (math.nan, math.nan)
    if independent.size >= 3:
        found = bootstrap.interval(independent, seed=seed)
        ends = (found.low, found.high)
    return Statistic(len(sample), *quartiles(sample), *ends)


def quartiles(sample: np.ndarray) -> tuple[float, float, float]:
    """The median, and what 25 and 75 % of at least one value lie below."""
    # Quartiles interpolate, which infinity does not survive: a number far above the
    # sample stands for it, and what comes out far above is infinite.
    scale = 1.0 + np.abs(sample[np.isfinite(sample)]).max(initial=0.0)
    finite = np.where(np.isinf(sample), np.copysign(_FAR * scale, sample), sample)
    low, median, high = (
        math.copysign(math.inf, value) if abs(value) > 10 * scale else float(value)
        for value in np.percentile(finite, [25, 50, 75])
    )
    return median, low, high
