"""Kernel ridge regression with an intercept, judged by leaving one sample out.

What each sample would be predicted to be by all the others follows from one inverse
(Hastie, Tibshirani, Friedman, "The Elements of Statistical Learning", 2009, section
7.10), so that kernels and ridges are chosen without a split.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

RIDGES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
"""Relative to the kernel's mean diagonal."""

WIDTHS = (None, 2.0, 5.0)
"""Of Gaussian kernels, in medians of the squared distances; None is the linear one."""

_SAMPLES_TO_CHOOSE_ON = 700


class Kernel(NamedTuple):
    """Inner products of features.

    Attributes:
      samples: float64 [s, s], between samples.
      observed: float64 [s], of each with what was observed.
      norm: Of what was observed with itself.
    """

    samples: np.ndarray
    observed: np.ndarray
    norm: float


class Fit(NamedTuple):
    """A regression.

    Attributes:
      prediction: float64 [d], for what was observed.
      left_out: float64 [s, d], each sample less its prediction by the others.
      error: The mean square of `left_out`.
    """

    prediction: np.ndarray
    left_out: np.ndarray
    error: float


def combine(kernels: Sequence[Kernel], weights: Sequence[float]) -> Kernel:
    """The kernel of all features together, those of each kernel by its weight."""
    pairs = [pair for pair in zip(kernels, weights, strict=True) if pair[1]]
    return Kernel(
        np.sum([weight * one.samples for one, weight in pairs], axis=0),
        np.sum([weight * one.observed for one, weight in pairs], axis=0),
        float(sum(weight * one.norm for one, weight in pairs)),
    )


def regress(kernel: Kernel, samples: np.ndarray, ridge: float) -> Fit:
    """Regresses the samples on their features.

    Args:
      kernel: Of the features.
      samples: float [s, d], what is predicted.
      ridge: Relative to the mean diagonal of the kernel.

    Returns:
      The fit.

    Raises:
      LinAlgError: If the ridge is too small for the kernel in float64.
    """
    count = len(samples)
    level = ridge * np.trace(kernel.samples) / count
    inverse = np.linalg.inv(kernel.samples + level * np.eye(count))
    sums = inverse.sum(axis=1)
    intercept = sums @ samples / sums.sum()
    centred = inverse - np.outer(sums, sums) / sums.sum()
    weights = centred @ samples
    left_out = weights / np.diag(centred)[:, np.newaxis]
    return Fit(
        kernel.observed @ weights + intercept,
        left_out,
        float(np.mean(np.square(left_out))),
    )


def choose_weights(
    kernels: Sequence[Kernel],
    samples: np.ndarray,
    offered: Sequence[Sequence[float]],
    generator: np.random.Generator,
) -> Sequence[float]:
    """Which of the offered weights predict samples best, of a part of them.

    Args:
      kernels: Of the features.
      samples: float [s, d].
      offered: For each kernel a weight; not all of them zero.
      generator: Of the part.

    Returns:
      One of those offered.
    """
    if len(offered) == 1:
        return offered[0]
    part = generator.permutation(len(samples))[:_SAMPLES_TO_CHOOSE_ON]
    few = [
        Kernel(one.samples[np.ix_(part, part)], one.observed[part], one.norm)
        for one in kernels
    ]
    errors = []
    for one in offered:
        kernel = combine(few, one)
        errors.append(
            min(regress(kernel, samples[part], ridge).error for ridge in RIDGES)
        )
    return offered[int(np.argmin(errors))]


def fit(kernel: Kernel, samples: np.ndarray) -> Fit:
    """The regression with the kernel's shape and the ridge that leave-one-out chooses.

    Args:
      kernel: A linear one.
      samples: float [s, d].

    Returns:
      The fit.
    """
    shaped = (_shaped(kernel, width) for width in WIDTHS)
    fits = (regress(one, samples, ridge) for one in shaped for ridge in RIDGES)
    return min(fits, key=lambda one: one.error)


def _shaped(kernel: Kernel, width: float | None) -> Kernel:
    """The Gaussian kernel of the same features."""
    diagonal = np.diag(kernel.samples)
    apart = diagonal[:, np.newaxis] + diagonal - 2 * kernel.samples
    beside = np.maximum(diagonal + kernel.norm - 2 * kernel.observed, 0)
    usual = float(np.median(apart))
    if width is None or usual <= 0:
        return kernel
    scale = width * usual
    return Kernel(np.exp(-apart / scale), np.exp(-beside / scale), 1.0)
