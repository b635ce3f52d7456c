"""The nested masks of one metric: what each leaks, and from where they protect."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from experiments.analysis.options import Options
from experiments.analysis.results import (
    CRITERIA,
    IDENTIFIABILITY,
    PSNR,
    Row,
    Threshold,
)
from selenc_tf.distance import (
    box,
    cramer_rao,
    identifiability,
    information,
    jacobian,
    predict,
    sketch,
    threshold,
)
from selenc_tf.distance.information import Factor
from selenc_tf.distance.prior import GaussianPrior
from selenc_tf.masks import policy

Test: TypeAlias = Callable[[Factor], bool]
"""Whether a mask with that factor protects."""


class Masks(NamedTuple):
    """How the factors of nested masks are made.

    Attributes:
      factors: Numbers of hidden entries -> the factors of their masks.
      between: `(test, low, high, factor_high, tolerance) -> (low, high)`.
    """

    factors: Callable[[Sequence[int]], dict[int, Factor]]
    between: Callable[[Test, int, int, Factor, int], tuple[int, int]]


def exact(
    matrix: NDArray[np.float64],
    sigma: NDArray[np.float64],
    order: NDArray[np.integer],
) -> Masks:
    """Factors of a Jacobian in memory.

    Args:
      matrix: [n, d], the Jacobian.
      sigma: [n], errors of the entries.
      order: [n], entries in the order in which masks hide them.

    Returns:
      The factors.
    """
    return Masks(
        functools.partial(information.nested, matrix, sigma, order),
        lambda test, *bounds: threshold.between(test, matrix, sigma, order, *bounds),
    )


def sketched(
    linear: jacobian.Linearisation,
    sigma: NDArray[np.float64],
    order: NDArray[np.integer],
    prior: GaussianPrior,
    seed: int,
    progress: Callable[[int], None],
) -> Masks:
    """Factors of a Jacobian that is sketched while it is computed.

    Args:
      linear: The gradient's linearisation.
      sigma: [n], errors of the entries.
      order: [n], entries in the order in which masks hide them.
      prior: Of the pictures.
      seed: Of the sketches.
      progress: Is told how many columns are done.

    Returns:
      The factors.
    """

    def factors(counts: Sequence[int]) -> dict[int, Factor]:
        return sketch.nested(
            linear, sigma, order, counts, prior, seed, progress=progress
        )

    return Masks(
        factors,
        lambda test, low, high, _, tolerance: threshold.sections(
            test, factors, low, high, tolerance
        ),
    )


class Family(NamedTuple):
    """The nested masks of one metric for one gradient.

    Attributes:
      metric: What chose the hidden entries.
      order: [n], entries in the order in which masks hide them.
      masks: Makes factors.
      gradient: [n].
      prior: Of the pictures.
      saturated: [d], which pixels lie at an edge of [0, 1].
    """

    metric: str
    order: NDArray[np.integer]
    masks: Masks
    gradient: NDArray[np.float64]
    prior: GaussianPrior
    saturated: NDArray[np.bool_]

    def hidden(self, m: int) -> NDArray[np.bool_]:
        """The mask of the first m entries."""
        mask = np.zeros(len(self.order), np.bool_)
        mask[self.order[:m]] = True
        return mask


def predictions(
    family: Family, options: Options, progress: Callable[[str], None]
) -> tuple[list[Row], list[Threshold]]:
    """Predicts what each mask of a family leaks, and from where they protect.

    Args:
      family: The masks.
      options: Ratios and criteria.
      progress: Is told what is being done.

    Returns:
      One row for each ratio, one threshold for each criterion.
    """
    n = len(family.order)
    asked = {ratio: policy.hidden_count(ratio, n) for ratio in options.rising_ratios}
    progress(f"{family.metric}: factors of {n:,} rows")
    # With both ends there is always something that a threshold can lie between.
    factors = family.masks.factors((*asked.values(), 0, n))
    rows = []
    for ratio, m in asked.items():
        progress(f"{family.metric}: ratio {ratio:g}")
        prediction = predict.from_factor(
            factors[m],
            family.gradient,
            family.prior,
            family.hidden(m),
            family.saturated,
            options.rank_threshold,
        )
        rows.append(Row(family.metric, ratio, prediction))
    tests: dict[str, Test] = {
        IDENTIFIABILITY: lambda factor: (
            not identifiability.is_full(factor, options.rank_threshold)
        ),
        PSNR: lambda factor: (
            cramer_rao.psnr_db(box.mse_bound(factor, family.prior, family.saturated))
            < options.psnr_threshold_db
        ),
    }
    thresholds = []
    for criterion in CRITERIA:
        progress(f"{family.metric}: threshold of {criterion}")
        low, high = _bracket(
            family, factors, tests[criterion], options.threshold_tolerance
        )
        thresholds.append(Threshold(family.metric, criterion, low, high))
    return rows, thresholds


def _bracket(
    family: Family,
    factors: dict[int, Factor],
    test: Test,
    width: float,
) -> tuple[float, float]:
    """First among the masks that were made anyway, then by bisection between two."""
    n = len(family.order)
    counts = sorted(factors)
    low: int | None = None
    for high in counts:
        if test(factors[high]):
            break
        low = high
    else:
        return 1.0, math.inf
    if low is None:
        return 0.0, 0.0
    tolerance = max(1, int(width * n))
    low, high = family.masks.between(test, low, high, factors[high], tolerance)
    return low / n, high / n
