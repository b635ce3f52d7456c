"""The space that vectors of a batch span, as far as a gradient with holes shows it."""

from typing import NamedTuple

import numpy as np

from attacks.continuous.analytic import low_rank
from attacks.continuous.features import completing
from attacks.text.spans import balance, growing
from attacks.text.spans.places import Shown

_EXACT = 1e-11
"""Relative squared misfit of a completion that float32's rounding explains."""
_SURE = 1e-7
"""Smallest eigenvalue of a row's normal equations that counts as determined."""


class Subspace(NamedTuple):
    """A basis on those coordinates of vectors on which it is known.

    Attributes:
      rows: bool [d], the known coordinates.
      basis: float64 [rows, r], orthonormal columns.
      singular: float64 [r], of the (balanced) gradient, descending.
      exact: Whether what is visible is of this rank up to rounding; otherwise the basis
        is the best fit, and distances to it are for ranking.
      blur: float64 [r, r]: how far outside the gradient's rounding puts a vector that is
        inside is the length of this times its coordinates on the basis. A direction is
        known the worse the weaker it is. Zeros where rounding is not what blurs.
    """

    rows: np.ndarray
    basis: np.ndarray
    singular: np.ndarray
    exact: bool
    blur: np.ndarray

    @property
    def rank(self) -> int:
        """R, the number of directions."""
        return int(self.basis.shape[1])

    @property
    def spare(self) -> int:
        """The known coordinates beyond the rank: what tells vectors apart."""
        return int(self.basis.shape[0]) - self.rank


def of(shown: Shown, most: int) -> Subspace | None:
    """The subspace of a matrix with hidden entries.

    Everything visible: its left singular vectors, as many as stand above float32's
    rounding. Otherwise the largest block without a hole tells the rank, if it is greater
    than the rank; the other rows and columns follow from it. Without such a block
    directions are added one at a time until what is visible is explained.

    Runs on: attacker. Sees: the visible entries.

    Args:
      shown: The matrix.
      most: The largest rank that can be: the directions beyond are rounding.

    Returns:
      The subspace; None if nothing is visible, or it has no direction above rounding, or
      more than it can be told by what is visible.
    """
    part = balance.balanced(shown.values, shown.seen)
    data, seen, heights = part.values, shown.seen, part.heights
    if not data.any():
        return None
    everything = np.ones(len(data), np.bool_)
    if seen.all():
        return _capped(_of_block(data, everything, heights), most)
    rows, columns = low_rank.complete_block(seen, data)
    block = _of_block(data[np.ix_(rows, columns)], rows, heights)
    full = block is not None and block.rank < min(rows.sum(), columns.sum())
    if full and block is not None and rows.all():
        return _capped(block, most)
    used, units = np.any(data != 0, axis=1), np.any(data != 0, axis=0)
    inside, holes = data[np.ix_(used, units)], seen[np.ix_(used, units)]
    if full and block is not None:
        rank = min(block.rank, most)
        right = completing.right_factor(inside, holes, rank)
    else:
        right = growing.right_factor(inside, holes, most)
    whole = None if right is None else _of_right(inside, holes, used, heights, right)
    if whole is not None and (whole.exact or not full):
        return whole
    # A block is exact on its rows; all rows, of a completion that failed, are not.
    return _capped(block if full else whole, most)


def zero_filled(shown: Shown) -> Subspace | None:
    """The subspace of a matrix whose hidden entries are taken for zeros.

    The published rule: as many directions as the matrix has rank, d - 20 at most (or
    half of d in narrow models), all taken as equally sure.

    Args:
      shown: The matrix.

    Returns:
      The subspace, or None if all is zero.
    """
    zeros = Shown(shown.values, np.ones_like(shown.seen))
    width = len(shown.values)
    found = of(zeros, width)
    if found is None:
        return None
    plain = found._replace(blur=np.zeros_like(found.blur))
    return _capped(plain, max(width - 20, width // 2))


def _capped(found: Subspace | None, most: int) -> Subspace | None:
    """The strongest directions, where there are more than there can be."""
    if found is None or found.rank <= most:
        return found
    basis, singular = found.basis[:, :most], found.singular[:most]
    return Subspace(found.rows, basis, singular, False, np.zeros((most, most)))


def _of_block(
    data: np.ndarray, rows: np.ndarray, heights: np.ndarray
) -> Subspace | None:
    if not data.size:
        return None
    wide = data.shape[1] > data.shape[0]
    # A triangle has the same left singular vectors, and fewer columns.
    square = np.transpose(np.linalg.qr(data.T, mode="r")) if wide else data
    left, singular, _ = np.linalg.svd(square, full_matrices=False)
    rank = balance.rank_of(singular, balance.floor(data.shape))
    if not rank:
        return None
    basis, blur = _orthonormal(left[:, :rank] * singular[:rank], heights[rows])
    return Subspace(rows, basis, singular[:rank], True, blur)


def _of_right(
    data: np.ndarray,
    seen: np.ndarray,
    used: np.ndarray,
    heights: np.ndarray,
    right: np.ndarray,
) -> Subspace | None:
    """All rows by least squares on the right factor; those that are determined."""
    weights = seen.astype(np.float64)
    left = completing.solve_rows(data, weights, right)
    known = np.linalg.eigvalsh(completing.grams(weights, right))[:, 0] > _SURE
    if np.count_nonzero(known) <= right.shape[1]:
        return None
    misfit = np.where(seen, data - left @ right.T, 0.0)[known]
    error = float(np.sum(np.square(misfit)) / np.sum(np.square(data[known])))
    _, singular, turn = np.linalg.svd(left[known], full_matrices=False)
    rank = balance.rank_of(singular, balance.floor(data.shape))
    rows = np.zeros(len(used), np.bool_)
    rows[np.flatnonzero(used)[known]] = True
    basis, blur = _orthonormal((left[known] @ turn.T)[:, :rank], heights[rows])
    exact = error <= _EXACT
    blur = blur if exact else np.zeros_like(blur)
    return Subspace(rows, basis, singular[:rank], exact, blur)


def _orthonormal(
    columns: np.ndarray, heights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The same space in the coordinates of vectors, rows no longer divided, and its blur.

    A vector that is `columns @ w` has the error of w's sum of a gradient's entries.
    """
    basis, turn = np.linalg.qr(columns * heights[:, np.newaxis])
    outside = np.sum(np.square(heights) * (1 - np.sum(np.square(basis), axis=1)))
    size = balance.ROUNDING * np.sqrt(max(outside, 0.0))
    blur: np.ndarray = size * np.linalg.inv(turn)
    return basis, blur


def log_distances(subspace: Subspace, vectors: np.ndarray) -> np.ndarray:
    """How far vectors are from a subspace, for what rounding lets one tell.

    Args:
      subspace: The subspace.
      vectors: float64 [..., d].

    Returns:
      float64 [...]: the natural logarithm of the part of each vector's known coordinates,
      divided by their norm, that is outside. Where the subspace's blur is more than
      float32's rounding, the part is divided by how much more; that rounding at the least.
    """
    # One matrix: products of stacks of small ones take twice as long.
    flat = vectors.reshape(-1, vectors.shape[-1])
    known = flat if subspace.rows.all() else flat[:, subspace.rows]
    length = np.maximum(_norms(known), np.finfo(np.float64).tiny)
    inside = known @ subspace.basis
    rest = inside @ subspace.basis.T
    np.subtract(known, rest, out=rest)
    blur = _norms(inside @ subspace.blur.T) / length / balance.ROUNDING
    outside = _norms(rest) / length / np.maximum(blur, 1.0)
    found: np.ndarray = np.log(np.maximum(outside, balance.ROUNDING))
    return found.reshape(vectors.shape[:-1])


def _norms(rows: np.ndarray) -> np.ndarray:
    """Of each row, without an array of squares."""
    found: np.ndarray = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return found
