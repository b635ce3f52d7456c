"""The space that the inputs of a dense layer span, as the layer's gradient shows it.

With the bias as one more row (of inputs that are 1) the gradient over a batch is

    G = sum_n [h_n; 1] d_n^T / b = H D / b,

of rank b at most: a b-dimensional problem is left, whatever the layer's size. Where
entries are hidden, the low rank is completed first (`low_rank.py`).
"""

from typing import NamedTuple

import numpy as np

from attacks import effort as effort_lib
from attacks.continuous.analytic import low_rank
from selenc_tf.types import Seed

ROUNDING = 1e-7
"""Of one entry of a gradient that was computed in float32, relative to its terms."""

_MISFIT = 1e-10
"""Largest relative squared error of a matrix of the rank that it should have."""

_WELL_POSED = 1e-9


class Span(NamedTuple):
    """A gradient G as a product of thin factors, on what its visible entries determine.

    G / scale = left right^T, scale by columns.

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


def of(
    values: np.ndarray,
    known: np.ndarray,
    rank: int,
    seed: Seed,
    effort: effort_lib.Effort,
) -> Span | None:
    """Finds the factors.

    Runs on: attacker. Sees: the visible entries of the layer.

    Args:
      values: float64 [f + 1, u], the gradient with the bias as its last row.
      known: bool [f + 1, u].
      rank: Of the batch.
      seed: Of a completion's starts.
      effort: Of a completion.

    Returns:
      The factors; None if the visible entries are not those of a matrix of that rank, or
      too few to say so.
    """
    if rank >= min(values.shape):
        return None
    seen = np.where(known, values, 0.0)
    units = np.any(seen, axis=0)
    counts = np.maximum(np.count_nonzero(known, axis=0), 1)
    scale = np.sqrt(np.sum(np.square(seen), axis=0) / counts)
    scale = np.where(units, scale, 1.0)
    if np.count_nonzero(units) < rank:
        return None
    data = seen / scale
    if known[:, units].all():
        columns, right = units, _right(data[:, units], rank)
    else:
        fit = low_rank.complete(seen, known, rank, seed, effort)
        columns = fit.columns & units
        if np.count_nonzero(columns) < rank or np.count_nonzero(fit.rows) < rank:
            return None
        part = (fit.matrix / scale)[np.ix_(fit.rows, columns)]
        right = _right(part, rank)
    return _finished(data, known, columns, right, scale)


def _right(matrix: np.ndarray, rank: int) -> np.ndarray:
    """The leading right singular vectors, [n, r]."""
    small = np.linalg.qr(matrix, mode="r") if matrix.shape[0] > 1 else matrix
    return np.linalg.svd(small, full_matrices=False)[2][:rank].T


def _finished(
    data: np.ndarray,
    known: np.ndarray,
    columns: np.ndarray,
    right: np.ndarray,
    scale: np.ndarray,
) -> Span | None:
    """All rows by least squares on the columns that are determined."""
    rank = right.shape[1]
    seen = known[:, columns]
    complete = seen.all(axis=1)
    gram = np.broadcast_to(np.eye(rank), (len(data), rank, rank)).copy()
    if not complete.all():
        pairs = (right[:, :, None] * right[:, None, :]).reshape(-1, rank**2)
        holes = (~seen[~complete]).astype(np.float64)
        gram[~complete] -= (holes @ pairs).reshape(-1, rank, rank)
    spectrum = np.linalg.eigvalsh(gram)
    rows = spectrum[:, 0] > _WELL_POSED
    if np.count_nonzero(rows) <= rank:
        return None
    part = np.where(seen, data[:, columns], 0.0)
    inverse = np.zeros_like(gram)
    inverse[rows] = np.linalg.inv(gram[rows])
    left = np.einsum("irs,is->ir", inverse, part @ right)
    error = np.where(seen & rows[:, None], part - left @ right.T, 0.0)
    squares = float(np.sum(np.square(part[rows])))
    residual = float(np.sum(np.square(error))) / squares if squares else np.inf
    if not residual <= _MISFIT:
        return None
    # Singular vectors of what is known: the weakest directions stand alone.
    turn, singular, back = np.linalg.svd(left[rows], full_matrices=False)
    del turn
    left, right = left @ back.T, right @ back.T
    inverse = np.einsum("ar,irs,bs->iab", back, inverse, back)
    size = np.sqrt(
        np.sum(np.square(part), axis=1) / np.maximum(np.count_nonzero(seen, axis=1), 1)
    )
    noise = np.square(ROUNDING * size)[:, None, None] * inverse
    whole = np.zeros((len(columns), rank))
    whole[columns] = right
    return Span(
        left=left,
        rows=rows,
        right=whole,
        columns=columns,
        scale=scale,
        singular=singular,
        noise=noise,
        residual=residual,
        entries=int(np.count_nonzero(seen[rows])),
    )
