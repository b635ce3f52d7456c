"""Targets that are numbers, as of a regression: which are right, and what a guess has.

How far off a number may be is a share of how far such numbers lie apart: in their own
units 0.05 may be nothing, or all of them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

SHARE = 0.05
"""Of the standard deviation of known targets: so far off a number is still right."""

_ROUNDING = 4 * float(np.finfo(np.float32).eps)
_CANDIDATES = 1_000
"""Known targets that are tried as a guess; of more every so many-th."""


def tolerance(known: NDArray[Any]) -> NDArray[np.float64]:
    """How far off each number of a target may be to be right.

    Args:
      known: [a, k] of other examples, a >= 1.

    Returns:
      float64 [k] in their own units: `SHARE` of the standard deviation of each.
    """
    return SHARE * np.std(np.asarray(known, np.float64), axis=0)


def right(
    found: NDArray[Any], true: NDArray[Any], within: NDArray[Any]
) -> NDArray[np.bool_]:
    """Which targets are right: all their numbers, but for rounding in float32.

    Args:
      found: [b, k].
      true: [b, k].
      within: [k], from `tolerance`.

    Returns:
      bool [b].
    """
    limit = within + _ROUNDING * np.abs(true)
    return np.asarray(np.all(np.abs(found - true) <= limit, axis=1))


def share_by_guess(known: NDArray[Any], within: NDArray[Any]) -> float:
    """What one guess for all has right, by the same rule, of known targets.

    The best of their mean, their median and each of themselves: as the most frequent class
    is of classes.

    Args:
      known: [a, k], a >= 1.
      within: [k], from `tolerance`.

    Returns:
      A share in [0, 1].
    """
    values = np.asarray(known, np.float64)
    some = values[:: -(-len(values) // _CANDIDATES)]
    guesses = [values.mean(0), np.median(values, axis=0), *some]
    return max(float(right(one, values, within).mean()) for one in guesses)
