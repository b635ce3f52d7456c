"""The smallest share to encrypt at which a mask family starts to protect."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from selenc_tf import validation
from selenc_tf.distance import information
from selenc_tf.distance.information import Factor


class Bracket(NamedTuple):
    """Where the threshold lies.

    Attributes:
      low: The largest tried ratio that does not protect; 0 if even nothing hidden does.
      high: The smallest tried ratio that protects; +inf if none up to the limit does.
    """

    low: float
    high: float


def bisect(
    is_protected: Callable[[float], bool], low: float, high: float, tolerance: float
) -> Bracket:
    """Halves an interval of ratios until it is as short as the tolerance.

    Masks of a family are nested, so that more hiding never reveals more: the criterion
    is False up to the threshold and True from there on.

    Args:
      is_protected: Of a ratio; monotone.
      low: Where to begin, in [0, 1].
      high: Where to end, in [low, 1].
      tolerance: > 0.

    Returns:
      The bracket, no wider than the tolerance unless an end of it is the answer:
      (low, low) if `low` protects already, (high, inf) if `high` does not.

    Raises:
      ValueError: If an argument is out of range.
    """
    validation.check_fraction("low", low)
    validation.check_fraction("high", high)
    validation.check_positive("tolerance", tolerance)
    if high < low:
        raise ValueError(f"`high` must be at least `low` = {low}, got {high}.")
    if is_protected(low):
        return Bracket(low, low)
    if not is_protected(high):
        return Bracket(high, math.inf)
    while high - low > tolerance:
        middle = (low + high) / 2
        if is_protected(middle):
            high = middle
        else:
            low = middle
    return Bracket(low, high)


def between(
    is_protected: Callable[[Factor], bool],
    jacobian: NDArray[np.float64],
    sigma: NDArray[np.float64],
    order: NDArray[np.integer],
    low: int,
    high: int,
    factor_high: Factor,
    tolerance: int,
) -> tuple[int, int]:
    """The same bisection by entries, reusing the factor of the larger mask.

    A step adds to that factor only the rows by which two masks differ, so that it costs
    far less than a factorisation of all visible rows.

    Args:
      is_protected: Of the factor of a mask; monotone.
      jacobian: float64 [n, d].
      sigma: float64 [n].
      order: Permutation of 0..n-1; a mask hides its first m entries.
      low: A number m of hidden entries that does not protect.
      high: One that does, > low.
      factor_high: Of the mask with `high` hidden entries.
      tolerance: Entries, at least 1.

    Returns:
      `(low, high)` with high - low <= tolerance.

    Raises:
      ValueError: If `tolerance` is below 1.
    """
    validation.check_at_least("tolerance", tolerance, 1)
    while high - low > tolerance:
        middle = (low + high) // 2
        factor = information.add_rows(factor_high, jacobian, sigma, order[middle:high])
        if is_protected(factor):
            high, factor_high = middle, factor
        else:
            low = middle
    return low, high


def sections(
    is_protected: Callable[[Factor], bool],
    factors_of: Callable[[Sequence[int]], Mapping[int, Factor]],
    low: int,
    high: int,
    tolerance: int,
    points: int = 7,
) -> tuple[int, int]:
    """The same search where several masks at once cost hardly more than one.

    Args:
      is_protected: Of the factor of a mask; monotone.
      factors_of: Numbers of hidden entries -> the factors of their masks.
      low: A number m of hidden entries that does not protect.
      high: One that does, > low.
      tolerance: Entries, at least 1.
      points: Masks tried at a time, at least 1.

    Returns:
      `(low, high)` with high - low <= tolerance.

    Raises:
      ValueError: If `tolerance` or `points` is below 1.
    """
    validation.check_at_least("tolerance", tolerance, 1)
    validation.check_at_least("points", points, 1)
    while high - low > tolerance:
        step = (high - low) / (points + 1)
        tried = sorted({low + max(1, round(step * i)) for i in range(1, points + 1)})
        factors = factors_of([m for m in tried if m < high])
        for m, factor in sorted(factors.items()):
            if is_protected(factor):
                high = m
                break
            low = m
    return low, high
