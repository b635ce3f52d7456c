"""One outer product recovered from some of its entries.

The gradient of a dense kernel over one picture is x a^T, input times the derivative by
the outputs, and the bias has the gradient a: the row of an input that is 1. Every
visible entry other than zero is an edge between its row and its column, and along the
edges each factor follows from the other: x_i = G_ij / a_j, a_j = G_ij / x_i.

This is rank-one matrix completion over a bipartite graph (Kiraly, Theran, Tomioka, "The
Algebraic Combinatorial Approach for Low-Rank Matrix Completion", JMLR 2015, section 4):
exactly the entries inside one connected component are determined, up to one scale.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

_REFINEMENTS = 20
_SETTLED = 1e-14


class OuterProduct(NamedTuple):
    """The factors x a^T of a matrix, as far as the visible entries determine them.

    Attributes:
      rows: float64 [m], x; zero where unknown.
      columns: float64 [n], a; zero where unknown.
      rows_known: bool [m].
      columns_known: bool [n].
      scaled: Whether the scale is known (through the bias); otherwise the largest known
        |x| is 1 and the sum of x is not negative.
      residual: Squared error relative to the squares, over the visible entries between
        known rows and columns: about 1e-14 for one float32 outer product. 0 if there
        are none.
      sweeps: Alternating least squares steps taken.
    """

    rows: np.ndarray
    columns: np.ndarray
    rows_known: np.ndarray
    columns_known: np.ndarray
    scaled: bool
    residual: float
    sweeps: int


def factorise(
    matrix: np.ndarray,
    visible: np.ndarray,
    bias: np.ndarray | None = None,
    bias_visible: np.ndarray | None = None,
) -> OuterProduct:
    """Recovers the factors of the largest connected component.

    Both factors spread from one entry over the component, wave by wave; in each wave a
    number is the least-squares answer of all visible entries that reach it, so that
    large entries count more than small ones. More sweeps of the same step (alternating
    least squares) then even out what rounding errors the order of the waves left. A row
    whose visible entries are zero in columns that are known not to be is zero.

    Runs on: attacker. Sees: the visible entries.

    Args:
      matrix: float [m, n] of rank one; anything where it is not visible.
      visible: bool [m, n].
      bias: float [n], a itself, or None where the layer has no bias.
      bias_visible: bool [n], or None.

    Returns:
      The factors. Nothing is known if no visible entry differs from zero.

    Example:
      [[2, ?], [4, 6]] without bias: x = [.5, 1], a = [4, 6].
    """
    if bias is None or bias_visible is None:
        bias = np.zeros(matrix.shape[1])
        bias_visible = np.zeros(matrix.shape[1], np.bool_)
    # The bias becomes the last row, whose x is 1.
    seen = np.vstack([visible, bias_visible[np.newaxis]])
    values = np.vstack([matrix, bias[np.newaxis]])
    values = np.where(seen, values, 0.0).astype(np.float64)
    size = float(np.abs(values).max(initial=0.0))
    if size == 0.0 or not np.isfinite(size):
        return _nothing(matrix.shape)
    # Squares of gradients of 1e-30 are still far from underflow, but 1e-170 is not.
    values /= size
    row_in, column_in = _largest_component(values)
    weights = seen.astype(np.float64)
    x, a, sweeps = _spread(values, weights, row_in, column_in)
    return _scaled(x, a, values, weights, size, sweeps)


def _nothing(shape: tuple[int, ...]) -> OuterProduct:
    return OuterProduct(
        np.zeros(shape[0]),
        np.zeros(shape[1]),
        np.zeros(shape[0], np.bool_),
        np.zeros(shape[1], np.bool_),
        scaled=False,
        residual=0.0,
        sweeps=0,
    )


def _largest_component(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns, as bool, of the component with the most rows.

    Of equal ones the component with the bias wins, because its scale is known.
    """
    m, n = values.shape
    i, j = np.nonzero(values)
    edges = sparse.coo_matrix((np.ones(i.size, np.int8), (i, m + j)), (m + n, m + n))
    _, component = csgraph.connected_components(edges, directed=False)
    rows = 2 * np.bincount(component[:m], minlength=component.max() + 1)
    rows[component[m - 1]] += 1
    # A row without an edge is a component of its own.
    has_column = np.bincount(component[m:], minlength=rows.size) > 0
    winner = int(np.argmax(np.where(has_column, rows, -1)))
    return component[:m] == winner, component[m:] == winner


def _spread(
    values: np.ndarray, weights: np.ndarray, row_in: np.ndarray, column_in: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """Both factors, NaN where unknown, from the row with the largest visible norm."""
    m, n = values.shape
    norms = np.einsum("ij,ij->i", values, values)
    # The row of the bias, if it belongs here, is known beforehand.
    start = m - 1 if row_in[m - 1] else int(np.argmax(np.where(row_in, norms, -1.0)))
    x, a = np.full(m, np.nan), np.full(n, np.nan)
    x[start] = 1.0
    sweeps, settled = 0, 0
    while settled <= _REFINEMENTS:
        known = int(np.count_nonzero(np.isfinite(a))), np.nan_to_num(a)
        a = np.where(column_in, _solve(values.T, weights.T, x), np.nan)
        # The zeros of a row say something once the columns are known.
        x = _solve(values, weights, a)
        sweeps += 1
        if int(np.count_nonzero(np.isfinite(a))) > known[0]:
            settled = 0
            continue
        settled += 1
        change = float(np.max(np.abs(np.nan_to_num(a) - known[1])))
        if change <= _SETTLED * float(np.max(np.abs(known[1]))):
            break
    # Outside the component only zeros reach a column from the known rows: a unit that
    # did not fire.
    return x, _solve(values.T, weights.T, x), sweeps


def _solve(values: np.ndarray, weights: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Least squares for one factor given the other; NaN where nothing reaches it."""
    factor = np.nan_to_num(other)
    squares = weights @ np.square(factor)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(squares > 0, (values @ factor) / squares, np.nan)


def _scaled(
    x: np.ndarray,
    a: np.ndarray,
    values: np.ndarray,
    weights: np.ndarray,
    size: float,
    sweeps: int,
) -> OuterProduct:
    """Divides by the bias row's x, or by the largest |x|, and measures the misfit."""
    seen_product = weights * np.outer(np.nan_to_num(x), np.nan_to_num(a))
    both = weights * np.outer(np.isfinite(x), np.isfinite(a))
    squares = float(np.sum(np.square(values) * both))
    misfit = float(np.sum(np.square(values * both - seen_product)))
    # Zero only if the bias is visible and contradicts the rest; NaN if it is hidden.
    scaled = bool(np.isfinite(x[-1]) and x[-1] != 0.0)
    finite = np.nan_to_num(x[:-1])
    unit = float(np.max(np.abs(finite), initial=0.0)) or 1.0
    scale = float(x[-1]) if scaled else float(np.copysign(unit, np.sum(finite)))
    return OuterProduct(
        rows=finite / scale,
        columns=np.nan_to_num(a) * scale * size,
        rows_known=np.isfinite(x[:-1]),
        columns_known=np.isfinite(a),
        scaled=scaled,
        residual=misfit / squares if squares else 0.0,
        sweeps=sweeps,
    )
