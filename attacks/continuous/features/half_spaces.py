"""The mean of a Gaussian within half-spaces, by expectation propagation.

Thomas Minka, "Expectation Propagation for Approximate Bayesian Inference", UAI 2001: each
half-space is stood for by a Gaussian factor, whose mean and variance are set so that with
it the posterior has the moments that it has with the half-space itself. All factors are
updated at once and damped (Rasmussen, Williams, "Gaussian Processes for Machine Learning",
2006, section 3.6, has the moments and the stable form of the posterior).
"""

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, special

_SWEEPS = 30
_DAMPING = 0.5
_SETTLED = 1e-3
"""Largest change of a factor's precision, relative to the largest one."""
_NARROWEST = 1e-12
"""Of a variance, relative to the one without the half-space."""

Array = NDArray[np.float64]


def weights_of_mean(covariance: Array, mean: Array, signs: Array) -> Array:
    """What moves a Gaussian's mean to where numbers have the signs that they have.

    Runs on: attacker.

    Args:
      covariance: K of the numbers z, float64 [n, n], positive semi-definite, with a
        diagonal above zero.
      mean: Of z, float64 [n].
      signs: 1 or -1, float64 [n]: s_j z_j > 0.

    Returns:
      a, float64 [n]: the posterior mean of z is about `mean` + K a, and that of x whose
      covariance with z is B is its own mean + B a.

    Example:
      K = [[1]], mean [0] and sign [1]: a = [sqrt(2 / pi)] = [0.798].
    """
    count = len(mean)
    precision, shift = np.zeros(count), np.zeros(count)
    located, variance = mean.copy(), np.diag(covariance).copy()
    found = np.zeros(count)
    for _ in range(_SWEEPS):
        left = np.maximum(1 / variance - precision, _NARROWEST / np.diag(covariance))
        without = (located / variance - shift) / left
        spread = np.sqrt(1 / left)
        z = signs * without / spread
        # N(z) / Phi(z), which underflows nowhere.
        ratio = np.exp(-0.5 * z * z - special.log_ndtr(z)) / np.sqrt(2 * np.pi)
        wanted_mean = without + signs * spread * ratio
        wanted = np.maximum(1 - ratio * (z + ratio), _NARROWEST) / left
        own = np.maximum(1 / wanted - left, 0.0)
        before = precision
        precision = (1 - _DAMPING) * precision + _DAMPING * own
        shift = (1 - _DAMPING) * shift + _DAMPING * (
            wanted_mean / wanted - without * left
        )
        root = np.sqrt(precision)
        scaled = root[:, np.newaxis] * covariance
        factor = linalg.cholesky(np.eye(count) + scaled * root, lower=True)
        half = linalg.solve_triangular(factor, scaled, lower=True)
        variance = np.diag(covariance) - np.einsum("ij,ij->j", half, half)
        variance = np.maximum(variance, _NARROWEST * np.diag(covariance))
        pull = shift - precision * mean
        found = pull - root * linalg.cho_solve((factor, True), scaled @ pull)
        located = mean + covariance @ found
        if np.max(np.abs(precision - before)) <= _SETTLED * np.max(precision):
            break
    return found
