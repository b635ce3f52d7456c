"""The smallest share to encrypt at which a mask family starts to protect."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from selenc_tf import validation
from selenc_tf.distance import information
from selenc_tf.distance.information import Factor


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
    """Halves an interval of masks, reusing the factor of the larger mask.

    Masks of a family are nested, so that more hiding never reveals more: the criterion
    is False up to the threshold and True from there on. A step adds to that factor only
    the rows by which two masks differ, so that it costs far less than a factorisation of
    all visible rows.

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
