"""How well predicted and measured leakage agree: rank correlation, and broken bounds."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

_RESAMPLES = 2000
_LEVEL = 0.95


class Case(NamedTuple):
    """One gradient under one mask.

    Attributes:
      picture: Which picture; cases of one picture are not independent.
      metric: What chose the hidden entries.
      encryption_ratio: As asked for.
      predicted_db: The predicted PSNR, with the box.
      attack_db: What the best of the attacks reached; NaN if none has a result.
      guess_db: What the mean of public pictures reaches, without any gradient.
      attack: Which attack that was; "" if none has a result.
      without_box_db: The same for who knows the prior alone; NaN in records of versions
        that had no other.
    """

    picture: int
    metric: str
    encryption_ratio: float
    predicted_db: float
    attack_db: float
    guess_db: float
    attack: str = ""
    without_box_db: float = math.nan

    @property
    def measured_db(self) -> float:
        """The stronger of the attack and the guess; a failed attack is no leakage."""
        return float(np.nanmax([self.attack_db, self.guess_db]))


class Correlation(NamedTuple):
    """Spearman's coefficient with its 95 % interval, pictures resampled."""

    coefficient: float
    low: float
    high: float
    cases: int
    pictures: int


def correlation(
    cases: Sequence[Case], seed: int, ceiling_db: float = math.inf
) -> Correlation:
    """Spearman's rank correlation of predicted and measured leakage.

    The interval is the percentile bootstrap over pictures: masks of one picture share
    its luck.

    Args:
      cases: At least three, not all equal.
      seed: Of the resampling.
      ceiling_db: Predicted and measured values above it count as equal to it.

    Returns:
      The coefficient; NaN if one side does not vary.
    """
    pictures = sorted({case.picture for case in cases})
    groups = [
        np.array(
            [
                np.minimum((case.predicted_db, case.measured_db), ceiling_db)
                for case in cases
                if case.picture == picture
            ]
        )
        for picture in pictures
    ]
    generator = np.random.default_rng(seed)
    resampled = [
        _spearman(np.concatenate([groups[i] for i in drawn]))
        for drawn in generator.integers(0, len(groups), [_RESAMPLES, len(groups)])
    ]
    tail = 100 * (1 - _LEVEL) / 2
    known = [value for value in resampled if not math.isnan(value)]
    ends = [tail, 100 - tail]
    low, high = np.percentile(known, ends) if known else (math.nan, math.nan)
    return Correlation(
        _spearman(np.concatenate(groups)),
        float(low),
        float(high),
        len(cases),
        len(pictures),
    )


def broken(cases: Sequence[Case], tolerance_db: float) -> tuple[Case, ...]:
    """The cases in which the attack beat the bound by more, the worst first."""
    found = [
        case for case in cases if case.attack_db > case.predicted_db + tolerance_db
    ]
    return tuple(sorted(found, key=lambda case: case.predicted_db - case.attack_db))


def _spearman(pairs: NDArray[np.float64]) -> float:
    if np.ptp(pairs[:, 0]) == 0 or np.ptp(pairs[:, 1]) == 0:
        return float("nan")
    return float(stats.spearmanr(pairs[:, 0], pairs[:, 1]).statistic)
