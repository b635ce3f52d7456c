"""A gradient tensor by tensor.

The head's gradient is thousands of times larger than that of a first block, which alone
depends on every token: in the sum over all entries a wrong token may be rounding.
"""

import numpy as np

from attacks import target as target_lib
from selenc_tf import flatten

_SMALLEST = 1e-6
"""Tensors that are smaller than this share of the gradient are rounding (a key's bias has
no gradient at all), and stay small."""


def scales(target: target_lib.Target, spec: flatten.FlatSpec) -> np.ndarray:
    """What each entry is divided by, so that tensors have the norm 1.

    Runs on: attacker. Sees: the entries that the target matches.

    Args:
      target: The gradient.
      spec: Its layout.

    Returns:
      float64 [n] > 0, infinite where nothing is matched.
    """
    seen = np.where(target.matched & target.visible, target.vector, np.float32(0))
    squares = np.square(seen.astype(np.float64))
    starts = np.cumsum([0, *spec.sizes[:-1]])
    norms = np.sqrt(np.add.reduceat(squares, starts))
    least = _SMALLEST * np.sqrt(squares.sum())
    each = np.where(norms > 0, np.maximum(norms, least), np.inf)
    return np.where(target.matched, np.repeat(each, spec.sizes), np.inf)


def typical_error(
    guess: np.ndarray, target: target_lib.Target, spec: flatten.FlatSpec
) -> float:
    """The median over tensors of a guess's relative squared error.

    Args:
      guess: float [n], the gradient of a batch.
      target: The gradient that was seen.
      spec: The layout.

    Returns:
      It; NaN where no tensor has a matched entry other than zero.
    """
    divided = scales(target, spec)
    seen = np.where(target.visible, target.vector, np.float32(0)).astype(np.float64)
    errors = np.square((guess - seen) / divided)
    starts = np.cumsum([0, *spec.sizes[:-1]])
    counted = np.logical_or.reduceat(np.isfinite(divided), starts)
    each = np.add.reduceat(errors, starts)[counted]
    return float(np.median(each)) if len(each) else float("nan")
