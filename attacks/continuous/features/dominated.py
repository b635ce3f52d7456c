"""Columns of a gradient that a few strong examples of its batch dominate.

Where the sizes of examples' derivatives differ by orders of magnitude, a column shows, to
some digits, those examples alone that are strongest among the ones on at its unit. So many
columns lie near a space of a few dimensions: that of the strongest examples' inputs. It is
found as in M. A. Fischler, R. C. Bolles, "Random Sample Consensus", 1981: the space of a
few columns drawn at random that most columns are near to.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from attacks.continuous.features import completing
from attacks.continuous.features import layer as layer_lib
from attacks.continuous.features import span as span_lib

_NEAR = (1e-4, 1e-2)
"""Relative distances from a space within which a column counts as near."""
_DRAWS = 100
_SHARE, _MORE = 0.4, 0.02
"""Share of the columns that is to be near, and by which a larger space is to have more."""
_INDEPENDENT = 1e-6
_WELL_POSED, _SAFE = 1e-8, 100.0
"""Least eigenvalue of a row's normal equations, and its root in units of the leak."""
_WRONG = 30.0
"""Times the usual error of a row that show that not all of it is clean."""


class Group(NamedTuple):
    """Columns that examples dominate.

    Attributes:
      span: Of their inputs.
      leak: What other examples add to the columns, relative to their sizes.
    """

    span: span_lib.Span
    leak: float


class Clean(NamedTuple):
    """Where a gradient shows nothing of examples that are known.

    Attributes:
      entries: bool [f + 1, u], visible, and of no known example.
      columns: bool [u], of units at which all known examples are off.
    """

    entries: np.ndarray
    columns: np.ndarray


def groups(
    layer: layer_lib.Layer,
    clean: Clean,
    rows: np.ndarray,
    columns: np.ndarray,
    most: int,
    generator: np.random.Generator,
) -> Iterator[Group]:
    """Spaces that many columns are near to, the smallest first.

    Runs on: attacker. Sees: the layer's visible entries.

    Args:
      layer: The layer.
      clean: What may be used.
      rows: int [r], and
      columns: int [m], of a part that is clean, in which the spaces are looked for.
      most: Dimensions at most.
      generator: Of the draws.

    Yields:
      The groups whose inputs are known in all rows.
    """
    part = layer.values[np.ix_(rows, columns)]
    shown = np.any(part != 0, axis=0)
    if np.count_nonzero(shown) == 0:
        return
    part, columns = part[:, shown], columns[shown]
    sizes = np.linalg.norm(part, axis=0)
    unit = part / sizes
    most = min(most, span_lib.numerical_rank(unit))
    products = unit.T @ unit
    for near in _NEAR:
        before = 0
        for rank in range(1, most + 1):
            inside = _consensus(products, rank, near, generator)
            count = int(np.count_nonzero(inside))
            if count < max(_SHARE * len(columns), before + _MORE * len(columns)):
                continue
            before = count
            found = _group(
                layer, clean, columns[inside], unit[:, inside], sizes[inside], rank
            )
            if found is not None:
                yield found


def _consensus(
    products: np.ndarray, rank: int, near: float, generator: np.random.Generator
) -> np.ndarray:
    """Which columns are near to the best space of a few of them, bool [m]."""
    count = len(products)
    best = np.zeros(count, np.bool_)
    if rank > count:
        return best
    for _ in range(_DRAWS):
        drawn = generator.choice(count, rank, replace=False)
        gram = products[np.ix_(drawn, drawn)]
        least = float(np.linalg.eigvalsh(gram)[0])
        if least < _INDEPENDENT:
            continue
        within = np.einsum(
            "ku,ku->u", products[drawn], np.linalg.solve(gram, products[drawn])
        )
        # Squares of distances are known to rounding only.
        inside = 1.0 - within < near**2 + 1e-13 / least
        if np.count_nonzero(inside) > np.count_nonzero(best):
            best = inside
    return best


def _group(
    layer: layer_lib.Layer,
    clean: Clean,
    columns: np.ndarray,
    unit: np.ndarray,
    sizes: np.ndarray,
    rank: int,
) -> Group | None:
    """The inputs in all rows, from entries that are clean; None if some are not told."""
    _, singular, back = np.linalg.svd(unit, full_matrices=False)
    leak = float(np.sqrt(np.sum(np.square(singular[rank:])) / len(columns)))
    right = back[:rank].T
    seen, data = clean.entries[:, columns], layer.values[:, columns] / sizes
    left, told, off = _rows(data, seen, right, leak)
    # An input of a known example that is nearly zero was taken for zero there.
    wrong = told & (off > _WRONG * (np.median(off[told]) if told.any() else 0) + 1e-12)
    if wrong.any():
        seen = seen & (clean.columns[columns] | ~wrong[:, np.newaxis])
        left, told, off = _rows(data, seen, right, leak)
    if not told.all():
        return None
    units = layer.values.shape[1]
    whole, known, scale = (
        np.zeros((units, rank)),
        np.zeros(units, np.bool_),
        np.ones(units),
    )
    whole[columns], known[columns], scale[columns] = right, True, sizes
    height = np.sqrt(np.mean(np.square(left), axis=1) / len(columns))
    span = span_lib.Span(
        left=left,
        rows=told,
        right=whole,
        columns=known,
        scale=scale,
        singular=singular[:rank],
        noise=np.square(span_lib.ROUNDING * height)[:, None, None] * np.eye(rank),
        residual=leak**2,
        entries=int(np.count_nonzero(seen)),
    )
    return Group(span, leak)


def _rows(
    data: np.ndarray, seen: np.ndarray, right: np.ndarray, leak: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each row by least squares, which rows are told, and what they are off by."""
    gram = completing.grams(seen.astype(np.float64), right)
    least = max(_WELL_POSED, np.square(_SAFE * leak))
    told = np.linalg.eigvalsh(gram)[:, 0] > least
    gram[~told] = np.eye(right.shape[1])
    sides = np.where(seen, data, 0.0) @ right
    left = np.linalg.solve(gram, sides[..., np.newaxis])[..., 0]
    left[~told] = 0.0
    error = np.where(seen, data - left @ right.T, 0.0)
    counts = np.maximum(np.count_nonzero(seen, axis=1), 1)
    return left, told, np.sqrt(np.sum(np.square(error), axis=1) / counts)
