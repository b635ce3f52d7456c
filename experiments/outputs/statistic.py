"""A sample in a few numbers, robust to exact reconstructions of infinite PSNR."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy import stats

_FAR = 1e9
"""How far above a sample the number lies that stands for infinity."""


class Statistic(NamedTuple):
    """A sample in five numbers.

    Attributes:
      n: Size of the sample.
      median: Its median.
      low_quartile: 25 % of it lies below.
      high_quartile: 75 % of it lies below.
      low_95: Lower end of the bootstrap 95 % interval of the median; NaN if n < 3.
      high_95: Upper end.
    """

    n: int
    median: float
    low_quartile: float
    high_quartile: float
    low_95: float
    high_95: float


def summarise(values: Iterable[float], seed: int = 0) -> Statistic | None:
    """Summarises a sample; infinite values are allowed and NaN is left out.

    Args:
      values: The sample.
      seed: Of the bootstrap (percentile method, 2,000 resamples), so that a summary is
        the same every time.

    Returns:
      The summary, or None for an empty sample.
    """
    sample = np.array([value for value in values if not math.isnan(value)], np.float64)
    if not sample.size:
        return None
    # Quartiles and the bootstrap interpolate, which infinity does not survive: a number
    # far above the sample stands for it, and what comes out far above is infinite.
    scale = 1.0 + np.abs(sample[np.isfinite(sample)]).max(initial=0.0)
    finite = np.where(np.isinf(sample), np.copysign(_FAR * scale, sample), sample)
    low, median, high = np.percentile(finite, [25, 50, 75])
    ends = (math.nan, math.nan)
    if sample.size >= 3 and np.ptp(finite) == 0:
        ends = (finite[0], finite[0])
    elif sample.size >= 3:
        ends = stats.bootstrap(
            (finite,),
            np.median,
            n_resamples=2000,
            method="percentile",
            rng=np.random.default_rng(seed),
        ).confidence_interval
    numbers = (
        math.copysign(math.inf, value) if abs(value) > 10 * scale else float(value)
        for value in (median, low, high, *ends)
    )
    return Statistic(len(sample), *numbers)
