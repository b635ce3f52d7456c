"""The space that vectors of a batch span, as far as a gradient with holes shows it."""

from typing import NamedTuple

import numpy as np
from scipy import linalg

from attacks.continuous.analytic import low_rank
from attacks.continuous.features import completing
from attacks.text.spans import balance, growing
from attacks.text.spans.places import Shown

_EXACT = 1e-11
"""Relative squared misfit of a completion that float32's rounding explains."""
_NOISE = 0.1
"""Of a head's largest direction and the misfit: what is left of a direction of none."""
_SURE = 1e-7
"""Smallest eigenvalue of a row's normal equations that counts as determined."""


class Head(NamedTuple):
    """How usual a vector is among those of one attention head, or of a whole place.

    A head's rows of an output kernel's gradient are (A V)^T D, and v^T (V^T S V)^-1 v, S
    = A^T D D^T A, is a moderate number for a row v of V, whatever S is. For others it is
    large: along directions outside, which float32's rounding alone bounds, and along weak
    ones, so that it ranks vectors even where no direction is outside (this project).

    Attributes:
      at: int64 [k], the coordinates.
      heights: float64 [k] > 0, what they are divided by.
      metric: float64 [k, k], symmetric roots: the length of a vector times this, divided
        by its own, is 1 where all of it is outside.
    """

    at: np.ndarray
    heights: np.ndarray
    metric: np.ndarray


class Subspace(NamedTuple):
    """A basis on those coordinates of vectors on which it is known.

    Attributes:
      rows: bool [d], the known coordinates.
      basis: float64 [rows, k], orthonormal columns: k = r; of a place with heads, r for
        each head that has more coordinates than that, each zero in all other heads'.
      singular: float64 [r], of the (balanced) gradient, descending.
      exact: Whether what is visible is of this rank up to rounding; otherwise the basis
        is the best fit, and distances to it are for ranking.
      blur: float64 [k, k]: how far outside the gradient's rounding puts a vector that is
        inside is the length of this times its coordinates on the basis. A direction is
        known the worse the weaker it is. Zeros where rounding is not what blurs.
      heads: All that are known; one where a place has none.
      soft: Whether they measure vectors, and not the basis: where there are several, and
        where no coordinate is beyond the directions.
    """

    rows: np.ndarray
    basis: np.ndarray
    singular: np.ndarray
    exact: bool
    blur: np.ndarray
    heads: tuple[Head, ...]
    soft: bool

    @property
    def rank(self) -> int:
        """R, the number of directions of the gradient: of vectors that it holds."""
        return len(self.singular)

    @property
    def spare(self) -> int:
        """The known coordinates beyond the directions: what tells vectors apart."""
        return int(self.basis.shape[0]) - int(self.basis.shape[1])


def of(shown: Shown, most: int) -> Subspace | None:
    """The subspace of a matrix with hidden entries, or one for each of its heads.

    Heads have their columns' coefficients in common, so that all are completed as one
    matrix, and its left factor is cut.

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
    found = _factor(shown, most)
    return found if found is None else _subspace(found, shown.heads)


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
    found = _factor(zeros, width)
    if found is None:
        return None
    found = _capped(found, max(width - 20, width // 2)) or found
    plain = _subspace(found, shown.heads)
    return plain._replace(blur=np.zeros_like(plain.blur))


class _Factor(NamedTuple):
    """The left factor of a balanced matrix.

    Attributes:
      rows: bool [d], those that are known.
      columns: float64 [rows, r], orthogonal, as long as the singular values.
      singular: float64 [r], descending.
      heights: float64 [rows].
      misfit: Of what is visible, relative: float32's rounding where it is exact.
      exact: Whether it is.
      all_columns: float64 [rows, any], those below rounding too, where they are known.
    """

    rows: np.ndarray
    columns: np.ndarray
    singular: np.ndarray
    heights: np.ndarray
    misfit: float
    exact: bool
    all_columns: np.ndarray


def _factor(shown: Shown, most: int) -> _Factor | None:
    part = balance.balanced(shown.values, shown.seen)
    data, seen, heights = part.values, shown.seen, part.heights
    if not data.any():
        return None
    everything = np.ones(len(data), np.bool_)
    if seen.all():
        return _capped(_of_block(data, everything, heights), most)
    rows, columns = low_rank.complete_block(seen, data)
    block = _of_block(data[np.ix_(rows, columns)], rows, heights)
    full = block is not None and len(block.singular) < min(rows.sum(), columns.sum())
    if full and block is not None and rows.all():
        return _capped(block, most)
    used, units = np.any(data != 0, axis=1), np.any(data != 0, axis=0)
    inside, holes = data[np.ix_(used, units)], seen[np.ix_(used, units)]
    if full and block is not None:
        rank = min(len(block.singular), most)
        right = completing.right_factor(inside, holes, rank)
    else:
        right = growing.right_factor(inside, holes, most)
    whole = None if right is None else _of_right(inside, holes, used, heights, right)
    if whole is not None and (whole.exact or not full):
        return whole
    # A block is exact on its rows; all rows, of a completion that failed, are not.
    return _capped(block if full else whole, most)


def _capped(found: _Factor | None, most: int) -> _Factor | None:
    """The strongest directions, where there are more than there can be."""
    if found is None or len(found.singular) <= most:
        return found
    lost = float(found.singular[most] / found.singular[0])
    return found._replace(
        columns=found.columns[:, :most],
        singular=found.singular[:most],
        misfit=lost,
        exact=False,
        all_columns=found.columns[:, :most],
    )


def _of_block(
    data: np.ndarray, rows: np.ndarray, heights: np.ndarray
) -> _Factor | None:
    if not data.size:
        return None
    wide = data.shape[1] > data.shape[0]
    # A triangle has the same left singular vectors, and fewer columns.
    square = np.transpose(np.linalg.qr(data.T, mode="r")) if wide else data
    left, singular, _ = np.linalg.svd(square, full_matrices=False)
    rank = balance.rank_of(singular, balance.floor(data.shape))
    if not rank:
        return None
    columns, rounding = left * singular, balance.ROUNDING
    return _Factor(
        rows,
        columns[:, :rank],
        singular[:rank],
        heights[rows],
        rounding,
        True,
        columns,
    )


def _of_right(
    data: np.ndarray,
    seen: np.ndarray,
    used: np.ndarray,
    heights: np.ndarray,
    right: np.ndarray,
) -> _Factor | None:
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
    columns = left[known] @ turn.T
    return _Factor(
        rows,
        columns[:, :rank],
        singular[:rank],
        heights[rows],
        max(balance.ROUNDING, float(np.sqrt(error))),
        error <= _EXACT,
        columns,
    )


def _subspace(found: _Factor, heads: int) -> Subspace:
    known = np.flatnonzero(found.rows)
    of_rows = known * heads // len(found.rows)
    members, bases, rows = [], [], np.zeros_like(found.rows)
    for one in np.unique(of_rows):
        here = of_rows == one
        members.append(_head(found, known, here))
        if np.count_nonzero(here) > len(found.singular):
            rows[known[here]] = True
            bases.append(_orthonormal(found, here))
    basis, blur = bases[0] if len(bases) == 1 else _side_by_side(bases)
    # Normalised vectors have a direction less than coordinates.
    full = len(found.singular) >= len(known) - 1
    soft = heads > 1 or full
    return Subspace(
        rows, basis, found.singular, found.exact, blur, tuple(members), soft
    )


def _side_by_side(
    bases: list[tuple[np.ndarray, np.ndarray]],
) -> tuple[np.ndarray, np.ndarray]:
    if not bases:
        return np.zeros([0, 0]), np.zeros([0, 0])
    return linalg.block_diag(*(one for one, _ in bases)), linalg.block_diag(
        *(one for _, one in bases)
    )


def _head(found: _Factor, known: np.ndarray, here: np.ndarray) -> Head:
    left, singular, _ = np.linalg.svd(found.all_columns[here])
    squares = np.zeros(len(left))
    squares[: len(singular)] = np.square(singular)
    noise = np.square(_NOISE * found.misfit) * max(
        squares[0], np.finfo(np.float64).tiny
    )
    roots = np.sqrt(noise / (squares + noise))
    return Head(known[here], found.heights[here], (left * roots) @ left.T)


def _orthonormal(found: _Factor, here: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The space of some rows in the coordinates of vectors, not divided, and its blur.

    A vector that is `columns @ w` has the error of w's sum of a gradient's entries.
    """
    heights = found.heights[here]
    basis, turn = np.linalg.qr(found.columns[here] * heights[:, np.newaxis])
    if not found.exact:
        return basis, np.zeros_like(turn)
    outside = np.sum(np.square(heights) * (1 - np.sum(np.square(basis), axis=1)))
    size = balance.ROUNDING * np.sqrt(max(outside, 0.0))
    blur: np.ndarray = size * np.linalg.pinv(turn)
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
      Of a soft subspace, the mean of what the heads' metrics say.
    """
    if subspace.soft:
        return _mean_of_heads(subspace.heads, vectors)
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


def _mean_of_heads(heads: tuple[Head, ...], vectors: np.ndarray) -> np.ndarray:
    total = np.zeros(vectors.shape[:-1])
    for one in heads:
        parts = (vectors[..., one.at] / one.heights).reshape(-1, len(one.at))
        least = np.finfo(np.float64).tiny
        share = _norms(parts @ one.metric) / np.maximum(_norms(parts), least)
        total += np.log(np.maximum(share, least)).reshape(total.shape)
    found: np.ndarray = total / len(heads)
    return found


def _norms(rows: np.ndarray) -> np.ndarray:
    """Of each row, without an array of squares."""
    found: np.ndarray = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return found
