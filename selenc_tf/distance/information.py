"""What the visible entries say of the input, in a form that keeps ten decades apart.

The Fisher information of the linearised observation y = J_V x + e, e ~ N(0, diag sigma^2),
is F = J_V^T diag(1/sigma^2) J_V. Forming it squares the condition number of J_V, and
float64 could then not tell a singular value of 1e-8 of the largest from zero. So F is kept
as the triangular R of a QR factorisation, F = R^T R, made block by block: rows can be
added, and J_V is never copied as a whole.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Factor: TypeAlias = NDArray[np.float64]
"""R, float64 [min(rows seen, d), d]: R^T R is the information of the rows seen."""

_LEAST_BLOCK = 1024


def nothing(unknowns: int) -> Factor:
    """The factor of no rows.

    Args:
      unknowns: d.

    Returns:
      float64 [0, d].
    """
    return np.empty([0, unknowns])


def add_rows(
    factor: Factor,
    jacobian: NDArray[np.float64],
    sigma: NDArray[np.float64],
    rows: NDArray[np.integer],
) -> Factor:
    """The factor with some entries more visible.

    Memory: a few copies of a block of 2d rows, 150 MB each for d = 3,072.

    Args:
      factor: Of the rows seen so far.
      jacobian: float64 [n, d].
      sigma: float64 [n], > 0: the error of each entry.
      rows: Indices of the entries that become visible; not among those seen.

    Returns:
      The new factor; the old one is unchanged.
    """
    block = max(_LEAST_BLOCK, 2 * jacobian.shape[1])
    for start in range(0, len(rows), block):
        taken = rows[start : start + block]
        whitened = jacobian[taken] / sigma[taken, None]
        stacked = np.concatenate([factor, whitened])
        factor = np.asarray(np.linalg.qr(stacked, mode="r"))
    return factor


def visible(
    jacobian: NDArray[np.float64],
    sigma: NDArray[np.float64],
    hidden: NDArray[np.bool_],
) -> Factor:
    """The factor of a mask.

    Args:
      jacobian: float64 [n, d].
      sigma: float64 [n], > 0.
      hidden: bool [n], True = hidden.

    Returns:
      The factor.
    """
    empty = nothing(jacobian.shape[1])
    return add_rows(empty, jacobian, sigma, np.flatnonzero(~hidden))


def nested(
    jacobian: NDArray[np.float64],
    sigma: NDArray[np.float64],
    order: NDArray[np.integer],
    hidden_counts: Sequence[int],
) -> dict[int, Factor]:
    """The factors of nested masks that hide the first m entries of an order.

    Every row enters once: the masks are taken from the largest to the smallest.

    Args:
      jacobian: float64 [n, d].
      sigma: float64 [n], > 0.
      order: A permutation of 0..n-1, the entry to hide first in front.
      hidden_counts: The m's, each in [0, n].

    Returns:
      The factor of each m. Memory: 8 d^2 bytes for each.
    """
    factors = {}
    factor, seen_from = nothing(jacobian.shape[1]), len(order)
    for m in sorted(set(hidden_counts), reverse=True):
        factor = add_rows(factor, jacobian, sigma, order[m:seen_from])
        factors[m], seen_from = factor, m
    return factors
