"""The column space of a low-rank matrix some of whose entries are hidden.

Alternating least squares as in `low_rank.py`, for inputs that are much alike: the weakest
of their directions is thousands of times below the strongest, and random starts never
see it. So either a block without holes shows all directions at once and the rest follows
from it, row by row and column by column, or the directions are added one at a time, the
strongest first.
"""

import numpy as np

from attacks.continuous.analytic import low_rank

_ADDED = 6
"""Sweeps after each direction but the last."""
_MOST = 300
_FITTED = 2e-14
"""Squared error relative to the squares that float32 leaves."""
_GAIN = 0.9
"""A sweep that leaves more than this share of a small error is the last, and"""
_STALLED = 0.999
"""of any error."""
_WELL_POSED = 1e-7
_RIDGE = 1e-13


def right_factor(data: np.ndarray, seen: np.ndarray, rank: int) -> np.ndarray | None:
    """Finds the right factor.

    Runs on: attacker. Sees: the visible entries.

    Args:
      data: float64 [m, n], zero where hidden, rows and columns of similar size.
      seen: bool [m, n].
      rank: r.

    Returns:
      float64 [n, r] with orthonormal columns over all columns; None if too little is
      visible.
    """
    rows, columns = low_rank.complete_block(seen, data)
    weights = seen.astype(np.float64)
    block = data[np.ix_(rows, columns)]
    if min(block.shape) >= 2 * rank:
        start = np.linalg.svd(block, full_matrices=False)[2][:rank].T
        right = _spread(data, weights, rows, columns, start)
        if right is not None:
            return _swept(data, weights, right, _MOST)
    right = np.zeros((data.shape[1], 0))
    left = np.zeros((data.shape[0], 0))
    generator = np.random.default_rng(0)
    for count in range(1, rank + 1):
        rest = data - weights * (left @ right.T)
        more: np.ndarray = generator.standard_normal((data.shape[1],))
        for _ in range(10):
            more = rest.T @ (rest @ (more / np.linalg.norm(more)))
        right = np.column_stack([right, more / np.linalg.norm(more)])
        right = _swept(data, weights, right, _MOST if count == rank else _ADDED)
        left = solve_rows(data, weights, right)
    return right


def solve_rows(data: np.ndarray, weights: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Least squares for every row given the other factor [n, r]; [m, r].

    Zero for rows that are seen less than r times.
    """
    gram = grams(weights, factor)
    rank = factor.shape[1]
    trace = np.trace(gram, axis1=1, axis2=2)
    ridge = (_RIDGE * trace + np.where(trace > 0, 0.0, 1.0))[:, None, None]
    right = (data @ factor)[..., None]
    solved: np.ndarray = np.linalg.solve(gram + ridge * np.eye(rank), right)[..., 0]
    solved[np.count_nonzero(weights, axis=1) < rank] = 0.0
    return solved


def grams(weights: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Each row's normal equations, [m, r, r]."""
    rank = factor.shape[1]
    pairs = (factor[:, :, None] * factor[:, None, :]).reshape(-1, rank**2)
    found: np.ndarray = (weights @ pairs).reshape(-1, rank, rank)
    return found


def _spread(
    data: np.ndarray,
    weights: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    start: np.ndarray,
) -> np.ndarray | None:
    """The right factor of all columns that follow from a block; None if none do."""
    rank = start.shape[1]
    right = np.zeros((data.shape[1], rank))
    right[columns] = start
    while True:
        known = int(np.count_nonzero(rows)), int(np.count_nonzero(columns))
        inside = weights * columns
        rows = rows | _well_posed(inside, right)
        left = solve_rows(data * columns, inside, right) * rows[:, None]
        inside = weights.T * rows
        more = _well_posed(inside, left)
        fresh = solve_rows((data * rows[:, None]).T, inside, left)
        right = np.where((more & ~columns)[:, None], fresh, right)
        columns = columns | more
        if known == (int(np.count_nonzero(rows)), int(np.count_nonzero(columns))):
            break
    return right if columns.any() else None


def _well_posed(weights: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Rows of which the known part of the other factor says all, bool [m]."""
    whole = factor.T @ factor
    turn = np.linalg.inv(np.linalg.cholesky(whole + 1e-14 * np.trace(whole)))
    values = np.linalg.eigvalsh(grams(weights, factor @ turn.T))
    found: np.ndarray = values[:, 0] > _WELL_POSED
    return found


def _swept(
    data: np.ndarray, weights: np.ndarray, right: np.ndarray, most: int
) -> np.ndarray:
    """Alternating least squares."""
    squares = float(np.sum(np.square(data)))
    right = np.linalg.qr(right)[0]
    before = np.inf
    for _ in range(most):
        left = np.linalg.qr(solve_rows(data, weights, right))[0]
        fresh = solve_rows(data.T, weights.T, left)
        error = float(np.sum(np.square(data - weights * (left @ fresh.T)))) / squares
        if not np.isfinite(error):
            break
        right = np.linalg.qr(fresh)[0]
        if error > (_GAIN if error < _FITTED else _STALLED) * before:
            break
        before = error
    return right
