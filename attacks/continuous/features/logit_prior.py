"""A Gaussian of the logits of examples, from a few public ones.

Numbers that mostly lie at the ends of [0, 1], as of digits, are far from Gaussian; their
logits, slightly inside, are less so. The covariance of few examples in many dimensions is
shrunk towards one of neighbours alone (Ledoit, Wolf, "A Well-Conditioned Estimator for
Large-Dimensional Covariance Matrices", Journal of Multivariate Analysis 2004, whose
estimate of how much is for any target; Schaefer, Strimmer, 2005).
"""

from typing import NamedTuple

import numpy as np

MARGIN = 0.03
"""How far inside (0, 1) the numbers are taken before the logit."""

_RIDGE = 1e-3
_LEAST_SPREAD = 0.05
"""Variance that every logit has beside what was seen: constant ones may vary too."""
_SMALLEST = 1e-6
_LEAST_SHRINKING = 0.2
"""The formula is for independent examples; digits in particular share a few shapes."""


class LogitPrior(NamedTuple):
    """Logits are mean + u root, u of independent standard normal numbers.

    Attributes:
      mean: float64 [d].
      root: float64 [d, d].
      inverse: float64 [d, d], so that u = (logits - mean) inverse.
    """

    mean: np.ndarray
    root: np.ndarray
    inverse: np.ndarray


def logits(examples: np.ndarray) -> np.ndarray:
    """The logits of examples.

    Args:
      examples: float [n, ...] in [0, 1].

    Returns:
      float64 [n, d].
    """
    flat = examples.reshape(len(examples), -1).astype(np.float64)
    inside = MARGIN + (1 - 2 * MARGIN) * flat
    found: np.ndarray = np.log(inside / (1 - inside))
    return found


def fit(examples: np.ndarray) -> LogitPrior:
    """Fits the prior.

    Runs on: attacker. Sees: its public examples.

    Args:
      examples: float [n, *input_shape] in [0, 1], n >= 2.

    Returns:
      The prior.
    """
    values = logits(examples)
    mean = values.mean(axis=0)
    off = values - mean
    covariance = off.T @ off / len(off)
    spread = np.sqrt(np.diag(covariance) + _LEAST_SPREAD)
    correlation = _of_neighbours(off / spread, examples.shape[1:])
    target = spread[:, np.newaxis] * correlation * spread
    # The mean squared error of the covariance's entries, by the examples' own.
    lengths = np.square(np.sum(np.square(off), axis=1))
    total = np.sum(np.square(covariance))
    noise = (np.mean(lengths) - total) / len(off)
    apart = np.sum(np.square(covariance - target))
    share = np.clip(noise / max(apart, 1e-300), _LEAST_SHRINKING, 1.0)
    shrunk = (1 - share) * covariance + share * target
    shrunk[np.diag_indices_from(shrunk)] += _RIDGE
    eigenvalues, vectors = np.linalg.eigh(shrunk)
    root = np.sqrt(np.maximum(eigenvalues, _SMALLEST))
    return LogitPrior(mean, (vectors * root).T, vectors / root)


def _of_neighbours(scaled: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A correlation that falls with the distance along each axis, [d, d].

    As exp(-distance^2 / (2 w^2)), where neighbours have the mean correlation that they
    have in the examples; none where that is not positive.
    """
    grid = scaled.reshape(-1, *shape)
    power = np.mean(np.square(grid))
    found = np.ones((1, 1))
    for axis, length in enumerate(shape, start=1):
        near = (
            np.mean(
                np.take(grid, range(1, length), axis)
                * np.take(grid, range(length - 1), axis)
            )
            if length > 1
            else 0.0
        )
        beside = near / power if power > 0 else 0.0
        at = np.arange(length)
        distances = np.square(at[:, np.newaxis] - at)
        with np.errstate(divide="ignore"):
            own = (
                np.exp(distances * np.log(np.clip(beside, 0.0, 0.99)))
                if beside > 0
                else np.eye(length)
            )
        found = np.kron(found, own)
    return found
