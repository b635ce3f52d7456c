"""The rank of a matrix that was computed in float32."""

from typing import NamedTuple

import numpy as np

ROUNDING = 1e-7
"""Of one entry, relative to the terms that it is a sum of."""
_SAFE = 4.0
_BELOW = 0.03
"""Rounding that is this far below the floor cannot be told from none."""
_DROP = 10.0
"""A fall from above the floor may end this far above it."""
_SHARP = 30.0
"""A fall by more than this ends in rounding, however large that is."""
_ABOVE = 2.0
"""Rounding alone has no singular value this far above the middle of its others."""


class Balanced(NamedTuple):
    """A matrix whose rows and columns have similar size.

    The derivatives by the outputs of a projection differ by orders of magnitude from
    column to column, and those of queries from those of values.

    Attributes:
      values: float64 [d, m]: the matrix / (heights x widths), zero where hidden.
      heights: float64 [d] > 0.
      widths: float64 [m] > 0.
    """

    values: np.ndarray
    heights: np.ndarray
    widths: np.ndarray


def balanced(values: np.ndarray, seen: np.ndarray) -> Balanced:
    """Divides rows and columns by the root mean square of their visible entries.

    Args:
      values: float [d, m].
      seen: bool [d, m].

    Returns:
      The parts.
    """
    data = np.where(seen, values, 0.0).astype(np.float64)
    heights, widths = np.ones(data.shape[0]), np.ones(data.shape[1])
    counts = [np.maximum(np.count_nonzero(seen, axis=axis), 1) for axis in (0, 1)]
    for _ in range(3):
        for axis, sizes in ((1, heights), (0, widths)):
            part = data / heights[:, np.newaxis] / widths
            size = np.sqrt(np.sum(np.square(part), axis=axis) / counts[axis])
            sizes *= np.where(size > 0, size, 1.0)
    return Balanced(data / heights[:, np.newaxis] / widths, heights, widths)


def floor(shape: tuple[int, ...]) -> float:
    """What rounding leaves of singular values of a balanced matrix of that shape."""
    return float(_SAFE * ROUNDING * np.sum(np.sqrt(shape)))


def rank_of(singular: np.ndarray, noise: float) -> int:
    """The rank: where the singular values fall to the floor by the largest factor.

    Where the fall is no sharp one, values after it count too that are above the floor and
    stand out from what is left: of many tokens a few directions are hardly above
    rounding, and a token whose vector has a part along one that is missing looks wrong.

    Args:
      singular: Descending.
      noise: The floor.

    Returns:
      The number of values before the fall; all of them where the last is far above the
      floor, and 0 where none is above it.

    Example:
      >>> rank_of(np.array([5.0, 1.0, 2e-3, 3e-7, 2e-7]), 1e-6)
      3
    """
    if singular[-1] > _DROP * noise:
        return len(singular)
    # Rounding is seldom white: what is left at the end may be above the floor.
    ends = singular[-1] > noise
    padded = np.maximum(singular if ends else [*singular, 0.0], _BELOW * noise)
    falls = padded[:-1] / padded[1:]
    real = (padded[:-1] > noise) & (padded[1:] < _DROP * noise)
    if not real.any():
        return 0
    falls = np.where(real, falls, 0.0)
    rank = int(np.argmax(falls)) + 1
    rest = singular[rank:]
    if not len(rest) or falls[rank - 1] > _SHARP:
        return rank
    weak = rest > max(noise, _ABOVE * float(np.median(rest)))
    return rank + int(np.count_nonzero(weak))
