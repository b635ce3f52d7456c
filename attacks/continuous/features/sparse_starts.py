"""Examples of a batch told apart by the units that are off for them.

Behind a ReLU the derivative of an example is exactly zero at every unit that is off for
it. Of all mixtures of the examples' derivatives the pure ones are the sparse ones:
Dimitrov, Baader, Muller, Vechev, "SPEAR: Exact Gradient Inversion of Batches in Federated
Learning", NeurIPS 2024 (arXiv:2403.03945). b - 1 units that are off for one example
determine its row; units are drawn until that happens, which float32's precision tells
from chance: then many more are zero than were asked for.

Mixtures of examples that are off at many units together are found too. They are fewer
times found again, and each hangs on single units.
"""

import dataclasses

import numpy as np

from selenc_tf.types import Seed

_CHUNK = 4096
_LOOKED_AT = 64
"""New directions of a chunk that are worth a closer look."""
_ROUGH = 1e-5
"""A product this small, relative to the median, may be a zero."""
_SURE = 30.0
"""Zeros are at most this many standard deviations of the rounding from zero."""
_MORE = 4
"""Zeros beyond those asked for that are no chance."""
_ALIKE = 1e-6
_ALONE = 1 - 1e-4
"""Leverage of a unit without which a direction would not be determined."""
_AGAIN = 3
"""Times that a direction is to be found before it is believed."""


@dataclasses.dataclass
class _Found:
    """Directions found so far: vectors [k, r], their zeros [k] and hits [k]."""

    vectors: np.ndarray
    zeros: np.ndarray
    hits: np.ndarray


def directions(
    right: np.ndarray, noise: np.ndarray, seed: Seed, most: int
) -> np.ndarray | None:
    """Finds the rows of the unmixing matrix.

    Runs on: attacker. Sees: what it is given.

    Args:
      right: float64 [u, r], `Span.right` at the determined columns.
      noise: float64 [r], standard deviations of its columns' entries.
      seed: Of the draws.
      most: Draws at most.

    Returns:
      float64 [r, r], rows m of length 1 such that right m is sparse, sparsest first;
      None if fewer than r independent ones were found.
    """
    rank = right.shape[1]
    generator = np.random.default_rng([*seed, 2])
    found = _Found(np.zeros((0, rank)), np.zeros(0, int), np.zeros(0, int))
    complete: int | None = None
    for drawn in range(_CHUNK, most + 1, _CHUNK):
        rough = _null_vectors(right, generator)
        products = np.abs(rough @ right.T)
        limit = _ROUGH * np.median(products, axis=1, keepdims=True)
        small = products < limit
        counts = np.count_nonzero(small, axis=1)
        hopeful = np.flatnonzero(counts >= rank + _MORE)
        hopeful = hopeful[np.argsort(-counts[hopeful], kind="stable")]
        looked = 0
        for index in hopeful:
            if _hit(found, rough[index], 1e-3) or looked == _LOOKED_AT:
                continue
            looked += 1
            sharp = _sharpened(right, noise, small[index])
            if sharp is not None and not _hit(found, sharp[1], _ALIKE):
                found.vectors = np.vstack([found.vectors, sharp[1]])
                found.zeros = np.append(found.zeros, sharp[0])
                found.hits = np.append(found.hits, 1)
        if complete is None and _independent(found, rank, _AGAIN) is not None:
            complete = drawn
        # As many draws again: a mixture may have been found before the example.
        if complete is not None and drawn >= 2 * complete + _CHUNK:
            break
    chosen = _independent(found, rank, _AGAIN)
    return _independent(found, rank, 1) if chosen is None else chosen


def _null_vectors(right: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Vectors of length 1 that are orthogonal to r - 1 drawn rows each, [k, r]."""
    units, rank = right.shape
    drawn = generator.integers(units, size=(_CHUNK, rank - 1))
    system = np.empty((_CHUNK, rank, rank))
    sizes = np.linalg.norm(right, axis=1, keepdims=True)
    system[:, :-1] = (right / np.where(sizes > 0, sizes, 1.0))[drawn]
    system[:, -1] = generator.standard_normal((_CHUNK, rank))
    # Units that were drawn twice make a matrix singular.
    system += 1e-10 * generator.standard_normal(system.shape)
    wanted = np.zeros((_CHUNK, rank, 1))
    wanted[:, -1] = 1.0
    vectors = np.linalg.solve(system, wanted)[..., 0]
    lengths: np.ndarray = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-300)


def _hit(found: _Found, vector: np.ndarray, alike: float) -> bool:
    """Whether a direction was found before; counts it."""
    same = 1.0 - np.abs(found.vectors @ vector) < alike
    found.hits += same
    return bool(same.any())


def _sharpened(
    right: np.ndarray, noise: np.ndarray, zeros: np.ndarray
) -> tuple[int, np.ndarray] | None:
    """The direction of most zeros next to a rough one, with their number."""
    rank = right.shape[1]
    for _ in range(4):
        # Directions in units of their noise, so that all of them are as sure.
        left, values, turn = np.linalg.svd(right[zeros] / noise, full_matrices=False)
        vector = turn[-1] / noise
        vector = vector / np.linalg.norm(vector)
        spread = np.sqrt(np.sum(np.square(vector * noise)))
        now = np.abs(right @ vector) <= _SURE * spread
        if np.count_nonzero(now) < rank + _MORE:
            return None
        if np.array_equal(now, zeros):
            break
        zeros = now
    # A mixture of k examples is zero where all of them are off and, as it was drawn so,
    # at k - 1 units more, without any of which it would not be determined.
    leverage = np.sum(np.square(left[:, :-1]), axis=1)
    if values[-2] < _SURE or np.max(leverage) > _ALONE:
        return None
    return int(np.count_nonzero(zeros)), vector


def _independent(found: _Found, rank: int, hits: int) -> np.ndarray | None:
    """The sparsest r that are independent and were found often enough, or None."""
    often = np.flatnonzero(found.hits >= hits)
    if often.size < rank:
        return None
    chosen = np.zeros((0, rank))
    for index in often[np.argsort(-found.zeros[often], kind="stable")]:
        more = np.vstack([chosen, found.vectors[index]])
        if np.linalg.svd(more, compute_uv=False)[-1] > _ALIKE:
            chosen = more
        if len(chosen) == rank:
            return chosen
    return None
