"""A sum of r outer products recovered from some of its entries.

The gradient of a dense kernel over b pictures is the sum of b outer products, so with
the bias as one more row (of ones) it has rank r <= b. Alternating least squares fits
both factors to the visible entries: each row of the one is an ordinary least-squares
problem given the other (Jain, Netrapalli, Sanghavi, "Low-rank Matrix Completion using
Alternating Minimization", STOC 2013). Some visible entries are held out at first: only
a fit that predicts them is believed.
"""

from typing import NamedTuple

import numpy as np

from attacks import effort as effort_lib
from selenc_tf.types import Seed

_MOST_HELD_OUT = 2000
_RIDGE = 1e-13
"""Keeps a factor's normal equations solvable, relative to their trace."""
_WELL_POSED = 1e-9
"""Smallest ratio of the extreme eigenvalues of a row's normal equations that counts as
determined: beyond it the rounding of float32 gradients is magnified 30,000 times."""
_FITTED = 1e-13
_CONTENT = 1e-10
_BELIEVED = 1e-6


class LowRank(NamedTuple):
    """A matrix as a product of two thin factors.

    Attributes:
      matrix: float64 [m, n], the completed matrix.
      known: bool [m, n], the entries that are determined: none if the fit is not
        believed.
      residual: Squared error relative to the squares, over the visible entries.
      held_out: The same over entries that were kept out of the fit; NaN where there
        were too few to keep any.
      sweeps: Alternating least squares steps taken.
      rows: bool [m], rows that are determined; none if the fit is not believed.
      columns: bool [n], the same of columns; an entry is determined if both are.
    """

    matrix: np.ndarray
    known: np.ndarray
    residual: float
    held_out: float
    sweeps: int
    rows: np.ndarray
    columns: np.ndarray


def complete(
    matrix: np.ndarray,
    visible: np.ndarray,
    rank: int,
    seed: Seed,
    effort: effort_lib.Effort,
) -> LowRank:
    """Fits factors of a given rank to the visible entries.

    Columns are divided by their visible root mean square first: the derivatives of
    units differ by orders of magnitude, and with a magnitude mask only the small ones
    are complete.

    Runs on: attacker. Sees: the visible entries.

    Args:
      matrix: float [m, n] of rank at most `rank`; anything where it is not visible.
      visible: bool [m, n].
      rank: r >= 1.
      seed: Of the starts and of the choice of held-out entries.
      effort: Starts, and steps over all starts together.

    Returns:
      The fit with the smallest held-out error. Entries are known if both their row and
      their column are well determined by what is visible, and the fit predicts the
      held-out entries to a relative squared error of 1e-6.
    """
    seen = visible & np.isfinite(np.where(visible, matrix, 0.0))
    values = np.where(seen, matrix, 0.0).astype(np.float64)
    scale = _column_scale(values, seen)
    scaled = values / scale
    generator = np.random.default_rng([*seed, 0])
    block = complete_block(seen, values)
    held = _hold_out(seen & ~np.outer(*block), seen, rank, generator)
    used = seen & ~held
    error, left, right = np.inf, *_zero_factors(scaled, rank)
    sweeps = 0
    for index in range(effort.restarts):
        budget = (effort.max_iterations - sweeps) // (effort.restarts - index)
        new_left, new_right, count = _alternate(
            scaled,
            used.astype(np.float64),
            _start(scaled, used, block, rank, index, seed),
            max(budget, 1),
        )
        sweeps += count
        product = new_left @ new_right.T
        new_error = _relative_error(scaled, product, held if held.any() else used)
        if new_error < error:
            error, left, right = new_error, new_left, new_right
        if error <= _CONTENT:
            break
    if held.any():
        weights = seen.astype(np.float64)
        left, right, count = _alternate(scaled, weights, right, 5)
        sweeps += count
    product = left @ right.T
    # A fit with as many unknowns as equations predicts nothing.
    enough = np.count_nonzero(seen) > rank * (sum(seen.shape) - rank)
    believed = enough and bool(np.isfinite(error)) and error <= _BELIEVED
    rows, columns = (part & believed for part in _determined(left, right, seen))
    return LowRank(
        matrix=np.where(seen, values, product * scale),
        known=np.outer(rows, columns) | seen,
        residual=_relative_error(scaled, product, seen),
        held_out=error if held.any() else float("nan"),
        sweeps=sweeps,
        rows=rows,
        columns=columns,
    )


def _zero_factors(values: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    m, n = values.shape
    return np.zeros((m, rank)), np.zeros((n, rank))


def _column_scale(values: np.ndarray, seen: np.ndarray) -> np.ndarray:
    counts = np.maximum(np.count_nonzero(seen, axis=0), 1)
    scale = np.sqrt(np.sum(np.square(values), axis=0) / counts)
    return np.where(scale > 0, scale, 1.0)


def _hold_out(
    places: np.ndarray, seen: np.ndarray, rank: int, generator: np.random.Generator
) -> np.ndarray:
    """At most a fiftieth of the `places`, and none where all visible ones are needed."""
    m, n = seen.shape
    places = np.flatnonzero(places)
    spare = np.count_nonzero(seen) - rank * (m + n - rank)
    count = min(_MOST_HELD_OUT, places.size // 50, spare // 4)
    held = np.zeros(seen.size, np.bool_)
    if count > 0:
        held[generator.choice(places, count, replace=False)] = True
    return held.reshape(seen.shape)


def _start(
    values: np.ndarray,
    used: np.ndarray,
    block: tuple[np.ndarray, np.ndarray],
    rank: int,
    index: int,
    seed: Seed,
) -> np.ndarray:
    """The right factor to begin with, [n, r].

    First from the largest complete block, which is exact; then the leading singular
    vectors of the zero-filled matrix (by a few power steps); then random ones.
    """
    generator = np.random.default_rng([*seed, 1, index])
    if index == 0 and min(np.count_nonzero(part) for part in block) >= 2 * rank:
        return _from_block(values, used, block, rank)
    right = generator.standard_normal((values.shape[1], rank))
    if index <= 1:
        filled = np.where(used, values, 0.0)
        for _ in range(8):
            right, _ = np.linalg.qr(filled.T @ (filled @ right))
    return right


def complete_block(
    seen: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns, bool [m] and [n], of a large block without a hole.

    Columns are taken in the order of their holes, as many as make the largest block
    with the rows that are complete in all of them. Columns of zeros (units that did not
    fire) have no holes, but nothing to say.
    """
    holes = np.count_nonzero(~seen, axis=0)
    empty = ~np.any(np.where(seen, values, 0.0), axis=0)
    order = np.argsort(np.where(empty, seen.shape[0] + 1, holes), kind="stable")
    order = order[: seen.shape[1] - np.count_nonzero(empty)]
    complete = np.logical_and.accumulate(seen[:, order], axis=1)
    areas = np.count_nonzero(complete, axis=0) * np.arange(1, order.size + 1)
    count = int(np.argmax(areas)) if order.size else 0
    columns = np.zeros(seen.shape[1], np.bool_)
    columns[order[: count + 1]] = True
    rows = complete[:, count] if order.size else np.zeros(seen.shape[0], np.bool_)
    return rows, columns


def _from_block(
    values: np.ndarray,
    used: np.ndarray,
    block: tuple[np.ndarray, np.ndarray],
    rank: int,
) -> np.ndarray:
    """Spreads a complete block: its columns' factor, then all rows', then all columns'.

    Rows that the block does not determine have no say in the last step.
    """
    rows, columns = block
    weights = used.astype(np.float64)
    _, _, right = np.linalg.svd(values[np.ix_(rows, columns)], full_matrices=False)
    right = right[:rank].T
    within = weights[:, columns]
    left = _solve_rows(np.where(within > 0, values[:, columns], 0.0), within, right)
    sure = _well_posed(_gram(within, right)).astype(np.float64)[:, np.newaxis]
    data = np.where(used, values, 0.0) * sure
    return _solve_rows(data.T, (weights * sure).T, left)


def _alternate(
    values: np.ndarray, weights: np.ndarray, right: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Alternating least squares until nothing improves."""
    data = values * weights
    squares = float(np.sum(np.square(data)))
    previous = np.inf
    left = _solve_rows(data, weights, right)
    count = 0
    for count in range(1, most + 1):
        # Orthonormal columns keep the normal equations as well posed as the mask lets
        # them be.
        left, _ = np.linalg.qr(left)
        right = _solve_rows(data.T, weights.T, left)
        right, _ = np.linalg.qr(right)
        left = _solve_rows(data, weights, right)
        error = float(np.sum(np.square(data - weights * (left @ right.T))))
        if not np.isfinite(error) or error <= _FITTED * squares:
            break
        if count % 50 == 0:
            if error > 0.99 * previous:
                break
            previous = error
    return left, right, count


def _gram(weights: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Each row's normal equations, [m, r, r]."""
    rank = factor.shape[1]
    pairs = (factor[:, :, np.newaxis] * factor[:, np.newaxis, :]).reshape(-1, rank**2)
    return (weights @ pairs).reshape(-1, rank, rank)


def _solve_rows(
    data: np.ndarray, weights: np.ndarray, factor: np.ndarray
) -> np.ndarray:
    """Least squares for every row given the other factor [n, r]; returns [m, r]."""
    gram = _gram(weights, factor)
    trace = np.trace(gram, axis1=1, axis2=2)
    ridge = (_RIDGE * trace + np.where(trace > 0, 0.0, 1.0))[:, np.newaxis, np.newaxis]
    solved = np.linalg.solve(
        gram + ridge * np.eye(factor.shape[1]), (data @ factor)[..., np.newaxis]
    )
    return solved[..., 0]


def _determined(
    left: np.ndarray, right: np.ndarray, seen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which rows [m] and columns [n] the visible entries determine, bool.

    Both factors are made orthonormal, so that an eigenvalue says how much of a
    direction is seen.
    """
    weights = seen.astype(np.float64)
    return (
        _well_posed(_gram(weights, np.linalg.qr(right)[0])),
        _well_posed(_gram(weights.T, np.linalg.qr(left)[0])),
    )


def _well_posed(gram: np.ndarray) -> np.ndarray:
    """Which of the normal equations [m, r, r] have one answer, bool [m]."""
    values = np.linalg.eigvalsh(gram)
    return values[:, 0] > _WELL_POSED * np.maximum(values[:, -1], 1e-300)


def _relative_error(
    values: np.ndarray, product: np.ndarray, where: np.ndarray
) -> float:
    squares = float(np.sum(np.square(values[where])))
    misfit = float(np.sum(np.square((values - product)[where])))
    return misfit / squares if squares else 0.0
