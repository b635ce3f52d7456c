"""The distance between a gradient and what an attacker who fills zeros takes for it."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class ZeroFill(NamedTuple):
    """How far the zero-filled gradient g~ is from the gradient g.

    Attributes:
      distance: ||g - g~|| in the unit of g.
      cosine: Of the angle between the two, in [0, 1]; 1 if g is zero.
    """

    distance: float
    cosine: float


def zero_fill(gradient: NDArray[np.floating], hidden: NDArray[np.bool_]) -> ZeroFill:
    """Measures what filling zeros loses.

    ||g - g~||^2 = sum of the hidden g_i^2, cos(g, g~) = sqrt(1 - that / ||g||^2). Both
    are worst for the attacker, among all masks with m hidden entries and for every m, if
    the m largest |g_i| are hidden (docs/distance.md, theorem 1).

    Runs on: the analyst, who has the gradient. Sees: all of it.

    Args:
      gradient: [n].
      hidden: bool [n], True = hidden.

    Returns:
      Distance and cosine, computed in float64.

    Raises:
      ValueError: If the arguments are not vectors of one length.

    Example:
      g = (3, 4) with the second entry hidden: distance 4, cosine 3/5.
    """
    if gradient.ndim != 1 or gradient.shape != hidden.shape:
        raise ValueError(
            "`gradient` and `hidden` must be vectors of one length, got shapes "
            f"{list(gradient.shape)} and {list(hidden.shape)}."
        )
    squares = np.square(gradient.astype(np.float64))
    lost, kept = float(squares[hidden].sum()), float(squares[~hidden].sum())
    total = lost + kept
    # Not 1 - lost / total, which cancels where nearly everything is hidden.
    cosine = math.sqrt(kept / total) if total > 0 else 1.0
    return ZeroFill(math.sqrt(lost), cosine)
