"""How exactly an attacker knows the visible entries: standard deviations, entry by entry.

The bounds of this package need an error of the observation. Where nobody adds noise, the
rounding of float32 is what is left of it.
"""

import math

import numpy as np
from numpy.typing import NDArray

from selenc_tf import validation

FLOAT32_UNIT = 2.0**-24
"""The largest relative error of rounding to the nearest float32."""


def float32_rounding(gradient: NDArray[np.floating]) -> NDArray[np.float64]:
    """The error of a gradient that was computed and sent in float32.

    sigma_i^2 = u^2 (g_i^2 + ||g||^2 / n) / 3 with u = 2^-24: errors of rounding taken as
    uniform in [-u |g_i|, u |g_i|], for the entry itself and, as a floor, for one term of
    root-mean-square size of the sums that it comes from. It is optimistic for the
    attacker: real sums have many terms.

    Args:
      gradient: [n], not zero.

    Returns:
      float64 [n], > 0.

    Raises:
      ValueError: If the gradient is zero or not finite.
    """
    squares = np.square(gradient.astype(np.float64))
    floor = validation.check_positive("mean square of the gradient", squares.mean())
    return FLOAT32_UNIT * np.sqrt((squares + floor) / 3.0)


def relative(gradient: NDArray[np.floating], factor: float) -> NDArray[np.float64]:
    """The same error everywhere: factor * ||g|| / sqrt(n).

    Args:
      gradient: [n], not zero.
      factor: > 0; 1e-5 stands for the accuracy that an attack reaches rather than for
        that of the numbers.

    Returns:
      float64 [n], > 0.

    Raises:
      ValueError: If `factor` is not positive, or the gradient is zero or not finite.
    """
    validation.check_positive("factor", factor)
    size = float(np.sqrt(np.mean(np.square(gradient.astype(np.float64)))))
    validation.check_positive("root mean square of the gradient", size)
    return np.full(len(gradient), factor * size)


def quantisation(n: int, step: float) -> NDArray[np.float64]:
    """The error of rounding to multiples of a step, taken as uniform: step / sqrt(12).

    Args:
      n: Number of entries.
      step: > 0, in the unit of the gradient.

    Returns:
      float64 [n].

    Raises:
      ValueError: If `step` is not positive.
    """
    return np.full(n, validation.check_positive("step", step) / math.sqrt(12.0))


def gaussian(n: int, standard_deviation: float) -> NDArray[np.float64]:
    """Noise that was added on purpose, as for differential privacy.

    Args:
      n: Number of entries.
      standard_deviation: > 0, in the unit of the gradient: noise multiplier times
        clipping norm, of what the attacker sees (divided by k for a mean of k clients).

    Returns:
      float64 [n].

    Raises:
      ValueError: If it is not positive.
    """
    return np.full(
        n, validation.check_positive("standard_deviation", standard_deviation)
    )


def combined(*sources: NDArray[np.float64]) -> NDArray[np.float64]:
    """The deviation of the sum of independent errors.

    Args:
      *sources: float64 [n] each, at least one.

    Returns:
      float64 [n].
    """
    return np.sqrt(np.sum(np.square(np.stack(sources)), axis=0))
