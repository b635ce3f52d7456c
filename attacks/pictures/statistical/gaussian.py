"""The mean of unseen numbers given seen ones, under a Gaussian fitted on examples.

The textbook formula mu_H + C_HV C_VV^-1 (g_V - mu_V) (Bishop, "Pattern Recognition and
Machine Learning", 2006, section 2.3.1), with a ridge on C_VV, needs the inverse of a
matrix as large as the gradient. Written through the examples it needs one of their
number only (Hoerl, Kennard, "Ridge Regression", Technometrics 1970, in its dual form).
How far off it is, and the ridge, come from leaving each example out once, which for a
linear smoother is a closed form (Allen, "The Relationship Between Variable Selection
and Data Augmentation and a Method for Prediction", Technometrics 1974: PRESS).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

RIDGES: tuple[float, ...] = tuple(10.0**exponent for exponent in range(-8, 3))
"""Candidates for the ridge, relative to the total variance of the standardised seen
entries."""

_FEWEST = 3
_SMALLEST_SCALE = 1e-6
"""Of the largest standard deviation: a column that varies less holds rounding errors."""
_CHUNK = 4096
_JUDGES = 256


class Conditional(NamedTuple):
    """What the seen entries say about the unseen ones.

    Attributes:
      mean: float64 [h], the conditional mean.
      variance: float64 [h], its mean squared error on the examples, each predicted from
        all others: an estimate of the posterior variance that also holds where the
        numbers are not Gaussian.
      ridge: The ridge that was chosen.
      explained: 1 - (sum of `variance`) / (sum of the variances without looking at the
        seen entries): 1 where all is predicted, about 0 where nothing is.
    """

    mean: np.ndarray
    variance: np.ndarray
    ridge: float
    explained: float


def condition(
    seen: np.ndarray,
    unseen: np.ndarray,
    observed: np.ndarray,
    ridges: Sequence[float] = RIDGES,
) -> Conditional:
    """Conditions a Gaussian, fitted on examples, on what was observed.

    The seen columns are standardised first, so that small tensors count. Memory and time
    are those of a matrix [s, s] and of the arguments; no [v, v] or [h, h] is made.

    Runs on: attacker. Sees: its own examples, and the visible entries as `observed`.

    Args:
      seen: float [s, v], the examples' visible entries, v >= 1.
      unseen: float [s, h], their hidden entries.
      observed: float [v], the visible entries of the victim.
      ridges: Positive candidates; the one with the least leave-one-out error on (up to
        256 of) the standardised unseen columns is taken.

    Returns:
      The conditional mean and its error.

    Raises:
      ValueError: If there are fewer than three examples, or a ridge is not positive.
    """
    count = len(seen)
    if count < _FEWEST:
        raise ValueError(
            f"`seen` must hold at least {_FEWEST} examples to fit a Gaussian, got "
            f"{count}. Use more public pictures."
        )
    if not ridges or min(ridges) <= 0:
        raise ValueError(f"`ridges` must be positive and not empty, got {ridges}.")
    examples, victim = _standardise(seen, observed)
    # The constant direction has the eigenvalue zero, up to rounding.
    eigenvalues, vectors = np.linalg.eigh(examples @ examples.T)
    eigenvalues = np.maximum(eigenvalues, 0.0) / count
    squares = np.square(vectors)

    def left_out_errors(
        columns: np.ndarray, rotated: np.ndarray, ridge: float
    ) -> np.ndarray:
        """Mean over the examples of the squared leave-one-out error, [columns]."""
        shrink = eigenvalues / (eigenvalues + ridge)
        fitted = vectors @ (shrink[:, np.newaxis] * rotated)
        leverage = 1.0 / count + squares @ shrink
        slack = np.maximum(1.0 - leverage, 1e-12)[:, np.newaxis]
        return np.mean(np.square((columns - fitted) / slack), axis=0)

    centre = np.asarray(np.mean(unseen, axis=0, dtype=np.float64))
    spread = np.asarray(np.std(unseen, axis=0, dtype=np.float64))
    step = -(-unseen.shape[1] // _JUDGES) or 1
    judges = (unseen[:, ::step] - centre[::step]) / _scale(spread)[::step]
    turned = vectors.T @ judges
    ridge = min(
        ridges, key=lambda value: float(left_out_errors(judges, turned, value).sum())
    )
    projected = vectors.T @ (examples @ victim) / count
    coefficients = vectors @ (projected / (eigenvalues + ridge))
    mean, variance = centre.copy(), np.empty_like(centre)
    for begin in range(0, unseen.shape[1], _CHUNK):
        part = slice(begin, begin + _CHUNK)
        columns = unseen[:, part].astype(np.float64) - centre[part]
        mean[part] += coefficients @ columns
        variance[part] = left_out_errors(columns, vectors.T @ columns, ridge)
    total = float(np.sum(np.square(spread)))
    explained = 1.0 - float(np.sum(variance)) / total if total > 0 else 1.0
    return Conditional(mean, variance, float(ridge), explained)


def _standardise(
    seen: np.ndarray, observed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Columns of mean 0 and variance 1 / v, so that a row's mean squared length is 1."""
    centre = np.mean(seen, axis=0, dtype=np.float64)
    scale = _scale(np.std(seen, axis=0, dtype=np.float64)) * np.sqrt(seen.shape[1])
    return (seen - centre) / scale, (observed - centre) / scale


def _scale(spread: np.ndarray) -> np.ndarray:
    """Standard deviations with those that are nothing but rounding made infinite."""
    largest = float(np.max(spread, initial=0.0))
    return np.where(spread > _SMALLEST_SCALE * largest, spread, np.inf)
