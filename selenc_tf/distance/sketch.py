"""The factors of nested masks without the Jacobian: it is sketched while it is computed.

J never exists as a whole. Its columns are made a few at a time, and their rows, n of them,
are added up with random signs into r = 4 d sums (a sparse embedding: J. Nelson, H. L.
Nguyen, "OSNAP: Faster Numerical Linear Algebra Algorithms via Sparser Subspace Embeddings",
FOCS 2013). The sketch of a mask is the sum of the sketches of the rows that it leaves
visible, so that one pass over the columns serves all masks of an order. Condition numbers
are not squared, and ranks up to d are kept.

The inverse of a sketched information is biased upwards, as that of a Wishart matrix is: by
1 / (1 - dof / r), dof being the degrees of freedom. The factors are corrected for it (M.
Derezinski, B. Bartan, M. Pilanci, M. W. Mahoney, "Debiasing Distributed Second Order
Optimization with Surrogate Sketching and Scaled Regularization", NeurIPS 2020).
"""

from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from selenc_tf import validation
from selenc_tf.distance import identifiability, information
from selenc_tf.distance.information import Factor
from selenc_tf.distance.jacobian import Linearisation
from selenc_tf.distance.prior import GaussianPrior, apply_root

ROWS_PER_UNKNOWN = 4
"""r / d: rows of a sketch for each unknown."""

_NONZEROS = 8
"""Sums that a row goes into. Fewer let rows that matter alone collide."""
_COLUMNS = 8
_CORRECTIONS = 30


def nested(
    linearisation: Linearisation,
    sigma: NDArray[np.float64],
    order: NDArray[np.integer],
    hidden_counts: Sequence[int],
    prior: GaussianPrior,
    seed: int,
    rows_per_unknown: int = ROWS_PER_UNKNOWN,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[int, Factor]:
    """Estimates the factors of nested masks that hide the first m entries of an order.

    Runs on: the analyst. Cost: d products J v, whatever the number of masks, and 8 n d
    additions. Memory: 8 n numbers of a column block and 64 n of the sums' indices and
    signs; `rows_per_unknown` d^2 numbers for each mask.

    Args:
      linearisation: Of the batch.
      sigma: float64 [n], > 0: the error of each entry.
      order: A permutation of 0..n-1, the entry to hide first in front.
      hidden_counts: The m's, each in [0, n].
      prior: Of the input; the correction needs it.
      seed: Of the random sums.
      rows_per_unknown: r / d, at least 2; the bound's error falls with its root.
      progress: Is told how many columns are done.

    Returns:
      The factor of each m, float64 [d, d], or [0, d] where nothing is visible.

    Raises:
      ValueError: If `rows_per_unknown` is below 2 or a derivative is not finite.
    """
    validation.check_at_least("rows_per_unknown", rows_per_unknown, 2)
    d = linearisation.unknowns
    rows = rows_per_unknown * d
    counts = sorted(set(hidden_counts), reverse=True)
    level = _levels(order, counts)
    sums = _embedding(level, len(counts), rows, 1.0 / sigma, seed)
    sketches = np.empty([len(counts) * rows, d])
    for start in range(0, d, _COLUMNS):
        stop = min(d, start + _COLUMNS)
        block = linearisation.columns(start, stop)
        if not np.all(np.isfinite(block)):
            raise ValueError(
                "The derivative of the gradient by the input must be finite, but some "
                f"of columns {start} to {stop - 1} is not. Check the weights: a model "
                "that diverged has no gradient to analyse."
            )
        sketches[:, start:stop] = sums @ block
        progress(stop)
    factors: dict[int, Factor] = {}
    added = np.zeros([rows, d])
    for index, m in enumerate(counts):
        added += sketches[index * rows : (index + 1) * rows]
        if m == len(order):
            factors[m] = information.nothing(d)
            continue
        factor = np.asarray(np.linalg.qr(added, mode="r"))
        factors[m] = factor / np.sqrt(shrinkage(factor, prior, rows))
    return factors


def shrinkage(factor: Factor, prior: GaussianPrior, rows: int) -> float:
    """What a sketched information has to be divided by: k = 1 - dof(F / k) / r.

    Args:
      factor: R of the sketch, [d, d].
      prior: Of the input.
      rows: r, of the sketch.

    Returns:
      k, in [1 - d / r, 1].
    """
    whitened = apply_root(prior, factor.T, transpose=True).T
    squares = np.square(identifiability.singular_values(whitened))
    k = 1.0
    for _ in range(_CORRECTIONS):
        k = 1.0 - float(np.sum(squares / (k + squares))) / rows
    return k


def _levels(order: NDArray[np.integer], counts: Sequence[int]) -> NDArray[np.int64]:
    """For each entry the first of the masks, largest first, that leaves it visible.

    Entries that no mask leaves visible get the number of masks.
    """
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    # Entry at place p is visible under m where p >= m; counts fall.
    ascending = np.array(counts[::-1])
    visible_under = np.searchsorted(ascending, place, side="right")
    return len(counts) - visible_under


def _embedding(
    level: NDArray[np.int64],
    levels: int,
    rows: int,
    scale: NDArray[np.float64],
    seed: int,
) -> scipy.sparse.csr_matrix:
    """The random sums of each level, [levels * rows, n], eight signs for each entry."""
    generator = np.random.default_rng(seed)
    n, each = len(level), min(_NONZEROS, rows)
    width = rows // each
    # One sum of every eighth of the rows, so that the eight are distinct.
    places = generator.integers(0, width, [each, n]) + width * np.arange(each)[:, None]
    signs = generator.choice([-1.0, 1.0], [each, n]) * (scale / np.sqrt(each))
    entries = np.broadcast_to(np.arange(n), [each, n])
    used = np.broadcast_to(level < levels, [each, n])
    return scipy.sparse.csr_matrix(
        (signs[used], ((places + level * rows)[used], entries[used])),
        shape=(levels * rows, n),
    )
