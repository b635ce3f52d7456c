"""The Bayesian Cramer-Rao bound on reconstruction, exactly and without matrices.

H. L. van Trees, "Detection, Estimation, and Modulation Theory, Part I", Wiley 1968,
section 2.4; R. D. Gill, B. Y. Levit, "Applications of the van Trees inequality: a Bayesian
Cramer-Rao bound", Bernoulli 1(1/2), 1995. For selective encryption with noise on the
visible part the idea is that of arXiv:2509.20476.

    E |x^ - x|^2 / d >= tr(M^-1) / d,  M = F + Sigma_x^-1,  F = J_V^T diag(1/sigma^2) J_V

The inequality holds for the information averaged over the prior; here F is taken at one
input, so that the number predicts for that example and is a bound only where the gradient
is linear in the input (docs/distance.md).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from selenc_tf import validation
from selenc_tf.distance.information import Factor
from selenc_tf.distance.prior import GaussianPrior, apply_root

_BREAKDOWN = 1e-12


class Estimate(NamedTuple):
    """The bound from random probes.

    Attributes:
      mse: The mean over probes of the middle of their brackets (geometric).
      standard_error: Of that mean over probes; NaN for a single probe.
      lower: The mean over probes of a value that is surely not above z^T M^-1 z.
      upper: Of one that is surely not below it. Both up to rounding; more Lanczos steps
        narrow the gap, more probes the standard error.
    """

    mse: float
    standard_error: float
    lower: float
    upper: float


def psnr_db(mse: float) -> float:
    """PSNR of pictures in [0, 1]: -10 log10(mse); +inf for zero.

    Args:
      mse: >= 0.

    Returns:
      Decibels.
    """
    return math.inf if mse == 0 else -10.0 * math.log10(mse)


class Posterior(NamedTuple):
    """What the visible entries leave open, to first order.

    Attributes:
      mse: tr(M^-1) / d, in (0, prior.variance], squared pixels.
      degrees_of_freedom: tr(F M^-1), in [0, d]: how many directions are known better than
        beforehand. Each counts s^2 / (1 + s^2), s its signal-to-noise ratio under the
        prior, where a rank counts 1 (the trace of the hat matrix of ridge regression:
        Hastie, Tibshirani, Friedman, "The Elements of Statistical Learning", 2009, 3.4).
      root: K, float64 [d, d], with K K^T = M^-1.
    """

    mse: float
    degrees_of_freedom: float
    root: NDArray[np.float64]


def posterior(factor: Factor, prior: GaussianPrior) -> Posterior:
    """The bound with what it is made of, exactly.

    With x = mean + C z the information is (R C)^T (R C) + I in z, so that the triangle T
    of the QR factorisation of [R C; I] gives M^-1 = C T^-1 T^-T C^T without squaring.

    Runs on: the analyst.

    Args:
      factor: R, from `information`, [r, d].
      prior: Of the input.

    Returns:
      The posterior. Memory: about six d x d matrices on the way, 75 MB each for
      d = 3,072.
    """
    d = prior.unknowns
    whitened = apply_root(prior, factor.T, transpose=True).T
    triangle = np.linalg.qr(np.concatenate([whitened, np.eye(d)]), mode="r")
    inverse = scipy.linalg.solve_triangular(
        triangle, np.eye(d), overwrite_b=True, check_finite=False
    )
    unknown = float(np.sum(np.square(inverse)))
    root = apply_root(prior, inverse)
    mse = float(np.sum(np.square(root)) / d)
    return Posterior(mse, min(max(0.0, d - unknown), float(d)), root)


def estimate_mse_bound(
    information: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    prior: GaussianPrior,
    seed: int,
    probes: int = 8,
    steps: int = 64,
) -> Estimate:
    """tr(M^-1) / d by stochastic Lanczos quadrature; needs products with F only.

    Each probe is a random sign vector z; the mean of z^T M^-1 z is the trace (Hutchinson
    1990). In the coordinates of the prior M becomes N = C^T F C + I, whose eigenvalues
    are at least 1. So Gauss quadrature from the Lanczos tridiagonal is a lower bound of
    the form, and Gauss-Radau quadrature with a node at 1 an upper bound (Golub, Meurant,
    "Matrices, Moments and Quadrature with Applications", 2010, chapter 6).

    Memory: steps * d numbers, for the reorthogonalisation. Time: probes * steps products.

    Runs on: the analyst.

    Args:
      information: v -> F v, [d] -> [d], such as `jacobian.information_product`.
      prior: Of the input.
      seed: Of the probes.
      probes: Number of random vectors, at least 1.
      steps: Lanczos steps for each.

    Returns:
      The estimate.

    Raises:
      ValueError: If `probes` or `steps` is below 1.
    """
    validation.check_at_least("probes", probes, 1)
    validation.check_at_least("steps", steps, 1)
    generator = np.random.default_rng(seed)
    d = prior.unknowns

    def operator(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        turned = information(apply_root(prior, vector))
        return apply_root(prior, turned, transpose=True) + vector

    brackets = np.empty([probes, 2])
    for probe in range(probes):
        signs = generator.choice([-1.0, 1.0], d)
        start = apply_root(prior, signs, transpose=True)
        brackets[probe] = _inverse_form(operator, start, min(steps, d))
    brackets /= d
    middle = np.sqrt(brackets.prod(axis=1))
    error = middle.std(ddof=1) / math.sqrt(probes) if probes > 1 else math.nan
    lower, upper = brackets.mean(axis=0)
    return Estimate(float(middle.mean()), float(error), float(lower), float(upper))


def _inverse_form(
    operator: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    start: NDArray[np.float64],
    steps: int,
) -> tuple[float, float]:
    """A bracket of start^T N^-1 start for a symmetric N with eigenvalues from 1 on."""
    size = float(start @ start)
    basis = np.empty([steps, len(start)])
    diagonal, off = np.empty(steps), np.empty(steps)
    vector = start / math.sqrt(size)
    for step in range(steps):
        basis[step] = vector
        turned = operator(vector)
        diagonal[step] = vector @ turned
        seen = basis[: step + 1]
        # Twice is enough (Parlett): else rounding brings found eigenvectors back.
        for _ in range(2):
            turned = turned - seen.T @ (seen @ turned)
        off[step] = np.linalg.norm(turned)
        if off[step] <= _BREAKDOWN * diagonal[: step + 1].max() or step == steps - 1:
            break
        vector = turned / off[step]
    count = step + 1
    found, between = diagonal[:count], off[: count - 1]
    gauss = size * _first_of_inverse(found, between)
    if count == len(start) or off[step] <= _BREAKDOWN * found.max():
        return gauss, gauss
    # The last diagonal entry that puts an eigenvalue of the extended tridiagonal at 1.
    shifted = np.zeros([2, count])
    shifted[0, 1:], shifted[1] = between, found - 1.0
    right = np.zeros(count)
    right[-1] = off[step] ** 2
    try:
        solved = scipy.linalg.solveh_banded(shifted, right)
    except np.linalg.LinAlgError:
        # An eigenvalue is at 1 up to rounding; what is always true is N >= I.
        return gauss, size
    radau = size * _first_of_inverse(
        np.append(found, 1.0 + solved[-1]), np.append(between, off[step])
    )
    return gauss, min(size, max(gauss, radau))


def _first_of_inverse(diagonal: NDArray[np.float64], off: NDArray[np.float64]) -> float:
    """The first entry of the inverse of a positive definite tridiagonal matrix."""
    values, vectors = scipy.linalg.eigh_tridiagonal(diagonal, off)
    # Eigenvalues are at least 1 but for rounding, which is relative to the largest.
    return float(np.sum(np.square(vectors[0]) / np.maximum(values, 1.0)))
