"""Intervals for means and medians over attacked pictures.

Efron, "Better Bootstrap Confidence Intervals", J. American Statistical Association 1987
(BCa), and the percentile bootstrap, in SciPy's implementation. PSNR is +inf for an exact
picture and small studies are often all alike, which the formulas do not provide for;
what is done then is part of the result.
"""

import warnings
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from scipy import stats

from selenc_tf import validation

Statistic: TypeAlias = Literal["mean", "median"]

STATISTICS: tuple[Statistic, ...] = ("mean", "median")

Method: TypeAlias = Literal["BCa", "percentile", "constant", "single"]
"""How the interval was made: BCa; percentiles of the resampled statistics, where BCa is
undefined; the common value of equal observations; none, of a single observation."""


_MOST_NUMBERS = 2_000_000
"""Of resampled or left-out samples in memory at once."""


class Interval(NamedTuple):
    """A statistic with its confidence interval.

    Attributes:
      estimate: The statistic of the observations.
      low: Lower end; NaN if the method is "single".
      high: Upper end; NaN if the method is "single".
      observations: How many there were.
      method: How it was made.
    """

    estimate: float
    low: float
    high: float
    observations: int
    method: Method


def interval(
    values: np.ndarray,
    statistic: Statistic = "median",
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """The bootstrap interval of a statistic.

    Observations must be independent: average over seeds first if several belong to one
    picture.

    Args:
      values: float [k], k >= 1; infinities are allowed, NaN is not.
      statistic: Which.
      confidence: In (0, 1).
      resamples: How often to resample.
      seed: Of the resampling: equal arguments give equal intervals.

    Returns:
      The interval. Observations that are all equal give an interval of no width, which
      says that nothing varied, not that the statistic is known exactly.

    Raises:
      ValueError: If there is no observation or one is NaN, or a number is out of range.

    Example:
      `interval(np.array([30.0, 30.0]))` is 30 in [30, 30], "constant".
    """
    validation.check_in("statistic", statistic, STATISTICS)
    validation.check_at_least("resamples", resamples, 1)
    validation.check_positive("confidence", confidence)
    if confidence >= 1:
        raise ValueError(f"`confidence` must be in (0, 1), got {confidence}.")
    data = np.asarray(values, np.float64)
    if data.ndim != 1 or not len(data) or np.any(np.isnan(data)):
        raise ValueError(
            "`values` must be float [k] with k >= 1 and without NaN, got shape "
            f"{list(data.shape)} with {int(np.count_nonzero(np.isnan(data)))} NaN. "
            "Decide first what an attack without a result counts as."
        )
    function = np.mean if statistic == "mean" else np.median
    estimate = float(function(data))
    if len(data) == 1:
        return Interval(estimate, np.nan, np.nan, 1, "single")
    if np.all(data == data[0]):
        return Interval(estimate, estimate, estimate, len(data), "constant")
    if np.all(np.isfinite(data)):
        low, high = _bca(data, function, confidence, resamples, seed)
        if np.isfinite(low) and np.isfinite(high):
            return Interval(estimate, low, high, len(data), "BCa")
    low, high = _percentiles(data, function, confidence, resamples, seed)
    return Interval(estimate, low, high, len(data), "percentile")


def _bca(
    data: np.ndarray,
    function: Callable[..., np.ndarray],
    confidence: float,
    resamples: int,
    seed: int,
) -> tuple[float, float]:
    """NaN where BCa is undefined."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # SciPy warns of degenerate data and returns NaN; that is looked at instead.
        warnings.simplefilter("ignore")
        found = stats.bootstrap(
            (data,),
            function,
            confidence_level=confidence,
            n_resamples=resamples,
            batch=max(1, _MOST_NUMBERS // len(data)),
            method="BCa",
            random_state=np.random.default_rng(seed),
        )
    # SciPy interpolates between resampled statistics, which can round to just outside.
    low, high = np.clip(found.confidence_interval, data.min(), data.max())
    return float(low), float(high)


def _percentiles(
    data: np.ndarray,
    function: Callable[..., np.ndarray],
    confidence: float,
    resamples: int,
    seed: int,
) -> tuple[float, float]:
    """Percentiles that are among the resampled statistics: infinities do not mix."""
    generator = np.random.default_rng(seed)
    rows = data[generator.integers(len(data), size=(resamples, len(data)))]
    tail = (1.0 - confidence) / 2
    low, high = np.quantile(
        function(rows, axis=1), [tail, 1.0 - tail], method="inverted_cdf"
    )
    return float(low), float(high)
