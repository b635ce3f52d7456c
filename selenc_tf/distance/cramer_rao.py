"""The Bayesian Cramer-Rao bound on reconstruction.

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
from typing import NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from selenc_tf.distance.information import Factor
from selenc_tf.distance.prior import GaussianPrior, apply_root


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
