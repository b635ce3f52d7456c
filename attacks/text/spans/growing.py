"""Completion of a matrix of unknown rank from entries without a complete block.

Alternating least squares, one direction more at a time, the strongest first, until what
is visible is explained (compare `continuous/features/completing.py`, which is told the
rank).
"""

import numpy as np

from attacks.continuous.features import completing

_SWEEPS = 6
"""After each direction."""
_MOST = 200
"""Of the last one."""
_EXPLAINED = 1e-12
"""Squared error relative to the squares that float32's rounding leaves."""
_PROMISING = 0.7
"""While a sweep leaves no more than this share of the error, there is another."""
_SPARE = 1.05
"""Visible entries for each unknown, without which a fit explains anything."""


def right_factor(data: np.ndarray, seen: np.ndarray, most: int) -> np.ndarray | None:
    """Finds rank and right factor.

    Runs on: attacker. Sees: the visible entries.

    Args:
      data: float64 [m, n], zero where hidden, rows and columns of similar size.
      seen: bool [m, n].
      most: The largest rank that is tried.

    Returns:
      float64 [n, r], orthonormal columns: of the first rank that explains what is
      visible, or else of the largest that the number of visible entries allows; None if
      it allows none.
    """
    weights = seen.astype(np.float64)
    squares = float(np.sum(np.square(data)))
    generator = np.random.default_rng(0)
    right = np.zeros((data.shape[1], 0))
    left = np.zeros((data.shape[0], 0))
    entries, sizes = np.count_nonzero(seen), sum(data.shape)
    for rank in range(1, min(most, *data.shape) + 1):
        if entries < _SPARE * rank * (sizes - rank):
            break
        rest = data - weights * (left @ right.T)
        more: np.ndarray = generator.standard_normal((data.shape[1],))
        for _ in range(10):
            more = rest.T @ (rest @ (more / np.linalg.norm(more)))
        if not np.any(more):
            break
        right = np.column_stack([right, more / np.linalg.norm(more)])
        before = np.inf
        for sweep in range(_MOST):
            left = np.linalg.qr(completing.solve_rows(data, weights, right))[0]
            fresh = completing.solve_rows(data.T, weights.T, left)
            error = float(np.sum(np.square(data - weights * (left @ fresh.T))))
            right = np.linalg.qr(fresh)[0]
            done = error <= _EXPLAINED * squares
            if done or (sweep >= _SWEEPS and error > _PROMISING * before):
                break
            before = error
        left = completing.solve_rows(data, weights, right)
        if error <= _EXPLAINED * squares:
            break
    return right if right.shape[1] else None
