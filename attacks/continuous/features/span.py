"""The space that the inputs of a dense layer span, as the layer's gradient shows it.

With the bias as one more row (of inputs that are 1) the gradient over a batch is

    G = sum_n [h_n; 1] d_n^T / b = H D / b,

of rank b at most: a b-dimensional problem is left, whatever the layer's size. Where
entries are hidden, the low rank is completed first (`completing.py`).
"""

from typing import NamedTuple

import numpy as np

from attacks.continuous.features import completing

ROUNDING = 1e-7
"""Of one entry of a gradient that was computed in float32, relative to its terms."""

_MISFIT = 1e-12
"""Largest relative squared error of a matrix of the rank that it should have."""
_SPARE = 50
"""Equations more than unknowns that make such a fit no chance."""

_WELL_POSED = 1e-9
_ALONE = 3e-8
"""Least singular value that is no rounding, relative to the largest."""


class Span(NamedTuple):
    """A gradient G as a product of thin factors, on what its visible entries determine.

    G / scale = left right^T, scale by columns; both divided by the rows' sizes the left
    factor's columns are orthogonal.

    Attributes:
      left: float64 [f + 1, r], the basis of the inputs and, last, of the ones; zero where
        unknown.
      rows: bool [f + 1], what is known of it.
      right: float64 [u, r], orthonormal columns, zero where unknown.
      columns: bool [u], the units whose derivatives are determined and not all zero.
      scale: float64 [u] > 0.
      singular: float64 [r], the singular values of the determined part, descending.
      noise: float64 [f + 1, r, r], the covariance that float32 leaves of `left`'s rows.
      residual: Squared error relative to the squares, over the visible entries.
      entries: Number of visible entries that were used.
    """

    left: np.ndarray
    rows: np.ndarray
    right: np.ndarray
    columns: np.ndarray
    scale: np.ndarray
    singular: np.ndarray
    noise: np.ndarray
    residual: float
    entries: int

    @property
    def rank(self) -> int:
        """R."""
        return int(self.right.shape[1])


def of(values: np.ndarray, known: np.ndarray, rank: int) -> Span | None:
    """Finds the factors.

    Runs on: attacker. Sees: the visible entries of the layer.

    Args:
      values: float64 [f + 1, u], the gradient with the bias as its last row.
      known: bool [f + 1, u].
      rank: Of the batch.

    Returns:
      The factors; None if the visible entries are not those of a matrix of that rank, or
      too few to say so.
    """
    data, heights, scale = _balanced(np.where(known, values, 0.0), known)
    units = np.any(data, axis=0)
    if min(np.count_nonzero(units), np.count_nonzero(data.any(axis=1))) < rank:
        return None
    part, seen = data[:, units], known[:, units]
    if seen.all():
        right = _right(part, rank)
    else:
        used = part.any(axis=1)
        found = completing.right_factor(part[used], seen[used], rank)
        if found is None:
            return None
        right = found
    return _finished(part, seen, units, right, heights, scale)


def rank_of(values: np.ndarray, known: np.ndarray) -> int:
    """How many directions the columns show, each of them visible as a whole or not at all.

    Args:
      values: float64 [f + 1, u], zero where unknown.
      known: bool [f + 1, u].
    """
    return numerical_rank(_balanced(values, known)[0][:, np.any(values, axis=0)])


def numerical_rank(matrix: np.ndarray) -> int:
    """How many singular values are no rounding, of a matrix with columns alike in size."""
    singular = np.linalg.svd(matrix, compute_uv=False)
    return int(np.count_nonzero(singular > _ALONE * np.max(singular, initial=0.0)))


def _balanced(
    data: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows and columns of similar size: data / (heights x widths), heights, widths.

    Columns first. A column in which only faint examples are on has the rounding of these;
    rows first would weigh it like the one beside it in which a strong example is.
    """
    heights, widths = np.ones(len(data)), np.ones(data.shape[1])
    for axis, sizes in ((0, widths), (1, heights), (0, widths)):
        part = data / np.outer(heights, widths)
        counts = np.maximum(np.count_nonzero(known, axis=axis), 1)
        size = np.sqrt(np.sum(np.square(part), axis=axis) / counts)
        sizes *= np.where(size > 0, size, 1.0)
    return data / np.outer(heights, widths), heights, widths


def _right(matrix: np.ndarray, rank: int) -> np.ndarray:
    """The leading right singular vectors, [n, r]."""
    small = np.linalg.qr(matrix, mode="r") if matrix.shape[0] > 1 else matrix
    return np.linalg.svd(small, full_matrices=False)[2][:rank].T


def _finished(
    part: np.ndarray,
    seen: np.ndarray,
    units: np.ndarray,
    right: np.ndarray,
    heights: np.ndarray,
    scale: np.ndarray,
) -> Span | None:
    """All rows by least squares on the columns that are determined."""
    rank = right.shape[1]
    columns = np.ones(len(right), np.bool_)
    weights = seen.astype(np.float64)
    if not seen.all():
        left = completing.solve_rows(part, weights, right)
        turned = completing.grams(weights.T, np.linalg.qr(left)[0])
        columns = np.linalg.eigvalsh(turned)[:, 0] > _WELL_POSED
        if np.count_nonzero(columns) < rank:
            return None
        part, seen, right = part[:, columns], seen[:, columns], right[columns]
        turn = np.linalg.qr(right)[1]
        right, weights = right @ np.linalg.inv(turn), weights[:, columns]
    gram = np.broadcast_to(np.eye(rank), (len(part), rank, rank)).copy()
    holes = ~seen.all(axis=1)
    if holes.any():
        gram[holes] = completing.grams(weights[holes], right)
    rows = np.linalg.eigvalsh(gram)[:, 0] > _WELL_POSED
    if np.count_nonzero(rows) <= rank:
        return None
    inverse = np.zeros_like(gram)
    inverse[rows] = np.linalg.inv(gram[rows])
    left = np.einsum("irs,is->ir", inverse, part @ right)
    error = np.where(seen & rows[:, None], part - left @ right.T, 0.0)
    squares = float(np.sum(np.square(part[rows])))
    residual = float(np.sum(np.square(error))) / squares if squares else np.inf
    entries = int(np.count_nonzero(seen[rows]))
    spare = entries - rank * (np.count_nonzero(rows) + len(right) - rank)
    if not residual <= _MISFIT or spare < _SPARE:
        return None
    # Singular vectors of what is known: the weakest directions stand alone.
    _, singular, back = np.linalg.svd(left[rows], full_matrices=False)
    inverse = np.einsum("ar,irs,bs->iab", back, inverse, back)
    counts = np.maximum(np.count_nonzero(seen, axis=1), 1)
    size = heights * np.sqrt(np.sum(np.square(part), axis=1) / counts)
    whole = np.zeros((len(scale), rank))
    told = np.zeros(len(scale), np.bool_)
    told[np.flatnonzero(units)[columns]] = True
    whole[told] = right @ back.T
    return Span(
        left=heights[:, None] * (left @ back.T),
        rows=rows,
        right=whole,
        columns=told,
        scale=scale,
        singular=singular,
        noise=np.square(ROUNDING * size)[:, None, None] * inverse,
        residual=residual,
        entries=entries,
    )
