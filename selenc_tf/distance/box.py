"""What the box is worth to attackers: the bound for who knows which inputs lie at its edge.

Inputs lie in [0, 1], and many of a digit lie exactly at 0. An attacker who keeps inputs in
the box pushes them there, which no Gaussian prior says. How well he can do has no simple
form; but whoever is told those inputs cannot do worse than he does. So they are granted,
as a genie would: the Gaussian prior is conditioned on them, and their columns of the
Jacobian are dropped. What is left of the box, that the other inputs lie inside, is worth
something only where they are known no better than to a width of the box.

With M = F + Sigma_x^-1 the precision before, the covariance of the other inputs U given
the granted ones is the inverse of the block M_UU.
"""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from selenc_tf.distance import prior as prior_lib
from selenc_tf.distance.information import Factor
from selenc_tf.distance.prior import GaussianPrior


def saturated(inputs: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which inputs lie exactly at an edge of [0, 1].

    Runs on: the analyst, who has the example.

    Args:
      inputs: [b, *input_shape].

    Returns:
      bool [d].
    """
    found: NDArray[np.bool_] = np.logical_or(inputs == 0, inputs == 1).ravel()
    return found


def mse_bound(
    factor: Factor, prior: GaussianPrior, granted: NDArray[np.bool_]
) -> float:
    """The bound on the mean squared error where some inputs are known beforehand.

    With R the factor and C the root of the prior, M = [R; C^-1]^T [R; C^-1], so that the
    triangle T of the QR factorisation of the columns U of [R; C^-1] gives
    M_UU^-1 = T^-1 T^-T without squaring.

    Runs on: the analyst.

    Args:
      factor: R, from `information`, [r, d].
      prior: Of the input.
      granted: bool [d], True = known exactly.

    Returns:
      tr(M_UU^-1) / d: granted inputs have the error 0, and count. 0 if all are granted.

    Raises:
      ValueError: If `granted` is not [d].
    """
    if granted.shape != (prior.unknowns,):
        raise ValueError(
            f"`granted` must be [{prior.unknowns}], one entry for each input of "
            f"`prior`, got {list(granted.shape)}."
        )
    free = np.flatnonzero(~granted)
    if not len(free):
        return 0.0
    chosen = np.zeros([prior.unknowns, len(free)])
    chosen[free, np.arange(len(free))] = 1.0
    stacked = np.concatenate(
        [factor[:, free], prior_lib.apply_inverse_root(prior, chosen)]
    )
    triangle = np.linalg.qr(stacked, mode="r")
    inverse = scipy.linalg.solve_triangular(
        triangle, np.eye(len(free)), overwrite_b=True, check_finite=False
    )
    return float(np.sum(np.square(inverse)) / prior.unknowns)
