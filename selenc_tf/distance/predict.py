"""The leakage that a mask leaves for one example, predicted without an attack."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from selenc_tf.distance import (
    box,
    cramer_rao,
    gradient_distance,
    identifiability,
    information,
)
from selenc_tf.distance.information import Factor
from selenc_tf.distance.prior import GaussianPrior


class Prediction(NamedTuple):
    """What the theory says of one mask and one example.

    Attributes:
      hidden: m.
      encryption_ratio: m / n.
      zero_fill_distance: ||g - g~||; what an attacker who fills zeros is off by.
      zero_fill_cosine: Of g and g~.
      unknowns: d, the inputs to be found.
      rank: Numerical rank of J_V: directions of the input that are determined at all.
      degrees_of_freedom: Directions known better than beforehand, in [0, d].
      saturated: How many of the unknowns lie at an edge of [0, 1].
      mse_bound: Bayesian Cramer-Rao bound on the mean squared error of a pixel, for who
        knows the prior and the box: the saturated ones are granted (`box.py`).
      psnr_bound_db: The same as PSNR: attackers stay below, to first order; +inf where
        everything is saturated.
      psnr_without_box_db: For who knows the prior alone, and not that numbers lie in
        [0, 1].
    """

    hidden: int
    encryption_ratio: float
    zero_fill_distance: float
    zero_fill_cosine: float
    unknowns: int
    rank: int
    degrees_of_freedom: float
    saturated: int
    mse_bound: float
    psnr_bound_db: float
    psnr_without_box_db: float

    @property
    def identifiable(self) -> bool:
        """Whether the visible entries determine every direction of the input."""
        return self.rank == self.unknowns


def predict(
    jacobian: NDArray[np.float64],
    gradient: NDArray[np.floating],
    sigma: NDArray[np.float64],
    prior: GaussianPrior,
    hidden: NDArray[np.bool_],
    saturated: NDArray[np.bool_],
    rank_threshold: float = identifiability.RANK_THRESHOLD,
) -> Prediction:
    """Predicts for one mask; J is computed once and serves all masks.

    For several nested masks of one example, `information.nested` and `from_factor` use
    every row of J once.

    Runs on: the analyst, who has the example. Not an attacker.

    Args:
      jacobian: float64 [n, d].
      gradient: [n].
      sigma: float64 [n], > 0: the error of each visible entry, from `noise`.
      prior: Of the input.
      hidden: bool [n], True = hidden.
      saturated: bool [d], `box.saturated` of the example.
      rank_threshold: Of the numerical rank.

    Returns:
      The prediction.

    Raises:
      ValueError: If shapes do not fit or `sigma` is not positive.
    """
    n, d = jacobian.shape
    if not gradient.shape == sigma.shape == hidden.shape == (n,):
        raise ValueError(
            f"`gradient`, `sigma` and `hidden` must be [{n}], one entry for each row of"
            f" `jacobian`, got {list(gradient.shape)}, {list(sigma.shape)} and "
            f"{list(hidden.shape)}."
        )
    if prior.unknowns != d:
        raise ValueError(
            f"`prior` must be over {d} unknowns, the columns of `jacobian`, got "
            f"{prior.unknowns}. Check the pictures and the batch size that it is for."
        )
    if not np.all(sigma > 0):
        raise ValueError(
            f"`sigma` must be positive, got a smallest entry of {sigma.min()!r}. Numbers"
            " are rounded at least: `noise.float32_rounding`."
        )
    factor = information.visible(jacobian, sigma, hidden)
    return from_factor(factor, gradient, prior, hidden, saturated, rank_threshold)


def from_factor(
    factor: Factor,
    gradient: NDArray[np.floating],
    prior: GaussianPrior,
    hidden: NDArray[np.bool_],
    saturated: NDArray[np.bool_],
    rank_threshold: float = identifiability.RANK_THRESHOLD,
) -> Prediction:
    """Predicts from the factor of a mask.

    Args:
      factor: From `information`, of the entries that are not hidden.
      gradient: [n].
      prior: Of the input.
      hidden: bool [n], True = hidden.
      saturated: bool [d], `box.saturated` of the example.
      rank_threshold: Of the numerical rank.

    Returns:
      The prediction.
    """
    zero_fill = gradient_distance.zero_fill(gradient, hidden)
    found = cramer_rao.posterior(factor, prior)
    mse = box.mse_bound(factor, prior, saturated)
    m = int(np.count_nonzero(hidden))
    return Prediction(
        hidden=m,
        encryption_ratio=m / len(hidden),
        zero_fill_distance=zero_fill.distance,
        zero_fill_cosine=zero_fill.cosine,
        unknowns=prior.unknowns,
        rank=identifiability.rank(factor, rank_threshold),
        degrees_of_freedom=found.degrees_of_freedom,
        saturated=int(np.count_nonzero(saturated)),
        mse_bound=mse,
        psnr_bound_db=cramer_rao.psnr_db(mse),
        psnr_without_box_db=cramer_rao.psnr_db(found.mse),
    )
