"""What a number that a search found usually turns out to be.

A search under a prior is less bright than the truth, and vague where it does not know.
How much so it shows on examples that the attacker knows: of all functions of a found
number the mean of the true ones has the least squared error. It is taken to rise
(isotonic regression; Barlow et al., "Statistical Inference under Order Restrictions",
1972).
"""

from typing import NamedTuple

import numpy as np
from scipy import optimize

_KNOTS = 24


class Calibration(NamedTuple):
    """A rising function, linear between knots.

    Attributes:
      found: float64 [k], rising.
      true: float64 [k].
    """

    found: np.ndarray
    true: np.ndarray

    def __call__(self, numbers: np.ndarray) -> np.ndarray:
        """What numbers of any shape usually are."""
        return np.interp(numbers, self.found, self.true)


def fit(found: np.ndarray, true: np.ndarray) -> Calibration:
    """Fits the function.

    Runs on: attacker. Sees: its own examples, and what it found of them.

    Args:
      found: float64, of any shape.
      true: Likewise.

    Returns:
      The function.
    """
    order = np.argsort(found, axis=None, kind="stable")
    parts = np.array_split(order, min(_KNOTS, len(order)))
    at = np.array([np.mean(found.ravel()[part]) for part in parts])
    wanted = np.array([np.mean(true.ravel()[part]) for part in parts])
    sizes = np.array([len(part) for part in parts], np.float64)
    # Equal numbers, as of a background of zeros, are one knot.
    places, inverse = np.unique(at, return_inverse=True)
    weights = np.bincount(inverse, sizes)
    values = np.bincount(inverse, sizes * wanted) / weights
    rising = optimize.isotonic_regression(values, weights=weights).x
    return Calibration(places, np.asarray(rising))
