"""Which directions of the input the visible entries determine."""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from selenc_tf import validation
from selenc_tf.distance.information import Factor

RANK_THRESHOLD = 1e-10
"""Singular values below this share of the largest count as zero."""

_ITERATIONS = 12
_VECTORS = 4


def singular_values(factor: Factor) -> NDArray[np.float64]:
    """The singular values of the whitened J_V.

    Args:
      factor: From `information`, [r, d].

    Returns:
      float64 [d], falling; zeros fill up where there are fewer rows.
    """
    values = np.zeros(factor.shape[1])
    if len(factor):
        found = np.linalg.svd(factor, compute_uv=False)
        values[: len(found)] = found
    return values


def rank(factor: Factor, relative_threshold: float = RANK_THRESHOLD) -> int:
    """The numerical rank: how many directions of the input are determined at all.

    A singular value decomposition (half a minute for d = 3,072 on two cores), except
    where `is_full` says without one that the rank is d.

    Args:
      factor: From `information`, [r, d].
      relative_threshold: > 0; float64 resolves 1e-12 or so.

    Returns:
      The number of singular values above the threshold times the largest.

    Raises:
      ValueError: If the threshold is not positive.
    """
    if is_full(factor, relative_threshold):
        return factor.shape[1]
    values = singular_values(factor)
    return int(np.count_nonzero(values > relative_threshold * values.max(initial=0.0)))


def is_full(factor: Factor, relative_threshold: float = RANK_THRESHOLD) -> bool:
    """Whether the visible entries determine every direction of the input.

    The largest singular value by subspace iteration, the smallest by the inverse one: a
    few products and triangular solves instead of a decomposition. Both are bounds from
    the inside, so that a smallest value at the very threshold may be taken for larger.

    Args:
      factor: From `information`, [r, d].
      relative_threshold: > 0.

    Returns:
      Whether the smallest singular value exceeds the threshold times the largest.

    Raises:
      ValueError: If the threshold is not positive.
    """
    validation.check_positive("relative_threshold", relative_threshold)
    rows, d = factor.shape
    if rows < d or not np.all(np.diag(factor)):
        return False
    start = np.random.default_rng(0).normal(size=(d, min(_VECTORS, d)))
    vectors = start
    for _ in range(_ITERATIONS):
        vectors, _ = np.linalg.qr(factor.T @ (factor @ vectors))
    largest = np.linalg.norm(factor @ vectors, 2)
    vectors = start
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(_ITERATIONS):
            half = scipy.linalg.solve_triangular(
                factor, vectors, trans=1, check_finite=False
            )
            solved = scipy.linalg.solve_triangular(factor, half, check_finite=False)
            if not np.all(np.isfinite(solved)):
                return False
            vectors, _ = np.linalg.qr(solved)
    smallest = np.linalg.norm(factor @ vectors, -2)
    return bool(smallest > relative_threshold * largest)
