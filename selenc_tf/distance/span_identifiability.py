"""Whether visible entries of X^T D determine the span of X, by counting.

The proposition is in `docs/distance.md`, "Sentences". A column with k visible entries
says k - r things about a span of r dimensions, and nothing if k <= r; a span in d
coordinates has r (d - r) degrees of freedom. Where some set of coordinates has as many
equations as its span has degrees of freedom, and more than r of them, vectors that are
not in the span can be told there (Pimentel-Alarcon, Boston, Nowak, "A Characterization
of Deterministic Sampling Patterns for Low-Rank Matrix Completion", IEEE J-STSP 2016).
"""

from typing import NamedTuple

import numpy as np

from selenc_tf import validation


class SpanCount(NamedTuple):
    """What a mask leaves of a projection.

    Attributes:
      coordinates: bool [d], the largest set found whose span the count determines; none
        if there is none.
      equations: Of the visible entries in these coordinates, or in all if there is none.
      unknowns: Degrees of freedom of the span there.
      spare: Coordinates beyond the rank: what tells a vector outside from one inside.
    """

    coordinates: np.ndarray
    equations: int
    unknowns: int
    spare: int

    @property
    def determined(self) -> bool:
        """Whether the count allows a span check."""
        return self.spare > 0


def span_identifiability(visible: np.ndarray, rank: int, heads: int = 1) -> SpanCount:
    """Counts equations and unknowns, on all coordinates or on those that are left.

    A row in fewer than r of the columns that say something is not determined. Rows are
    taken away one by one, the poorest first, until what is left suffices. It is a count:
    a pattern may have enough equations in the wrong places, and float32 a rank that is
    below the true one.

    Runs on: any party. Sees: the public mask.

    Args:
      visible: bool [d, m], of the gradients of all projections with the same inputs,
        side by side.
      rank: r, the number of different tokens at their positions that have a gradient.
      heads: Parts of equal size of the d coordinates, each with a span of its own that
        vectors are told by: of an attention's output kernel. The matrix is completed as
        one, but a head tells vectors only where it has more coordinates than r.

    Returns:
      The count; its coordinates are those of such heads.

    Raises:
      ValueError: If the rank is below 1, `visible` is no matrix, or its rows are not of
        so many equal parts.
    """
    validation.check_at_least("rank", rank, 1)
    validation.check_at_least("heads", heads, 1)
    if visible.ndim != 2:
        raise ValueError(
            f"`visible` must be a matrix [d, m], got the shape {visible.shape}."
        )
    if len(visible) % heads:
        raise ValueError(
            f"`heads` must divide the {len(visible)} rows of `visible`, got {heads}."
        )
    entries, kept = visible.astype(np.float64), np.ones(len(visible), np.bool_)
    counts = np.count_nonzero(visible, axis=0)
    first = None
    while (left := int(np.count_nonzero(kept))) > rank:
        equations = int(np.sum(np.maximum(counts - rank, 0)))
        unknowns = rank * (left - rank)
        first = first or (equations, unknowns)
        gains = np.where(kept, entries @ (counts > rank), np.inf)
        poorest = int(np.argmin(gains))
        if gains[poorest] >= rank and equations >= unknowns:
            told, spare = _told(kept, rank, heads)
            return SpanCount(told, equations, unknowns, spare)
        kept[poorest] = False
        counts = counts - visible[poorest]
    equations, unknowns = first or (0, 0)
    return SpanCount(np.zeros(len(visible), np.bool_), equations, unknowns, 0)


def _told(kept: np.ndarray, rank: int, heads: int) -> tuple[np.ndarray, int]:
    """The coordinates of heads that have more than the rank, and how many more."""
    each = np.count_nonzero(kept.reshape(heads, -1), axis=1)
    found = kept & np.repeat(each > rank, len(kept) // heads)
    return found, int(np.sum(np.maximum(each - rank, 0)))
