"""Examples of a batch told apart by the units that are off for them.

Behind a ReLU the derivative of an example is exactly zero at every unit that is off for
it. Of all mixtures of the examples' derivatives the pure ones are the sparse ones:
Dimitrov, Baader, Muller, Vechev, "SPEAR: Exact Gradient Inversion of Batches in Federated
Learning", NeurIPS 2024 (arXiv:2403.03945). b - 1 units that are off for one example
determine its row; units are drawn until that happens, which float32's precision tells
from chance: then many more are zero than were asked for. That work draws units evenly;
`quiet_units.py` draws those that are likely off together.

Mixtures of examples that are off at many units together are found too. They are fewer
times found again, and each hangs on single units.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from attacks.continuous.features import quiet_units
from selenc_tf.types import Seed

_CHUNK = 512
_LOOKED_AT = 64
"""New directions of a chunk that are worth a closer look."""
ROUGH = 1e-5
"""A product this small, relative to the root mean square, may be a zero."""
_SURE = 30.0
"""Zeros are at most this many standard deviations of the rounding from zero."""
_MORE = 4
"""Zeros beyond those asked for that are no chance."""
_ALIKE = 1e-6
_ALONE = 1 - 1e-4
"""Leverage of a unit without which a direction would not be determined."""
_AGAIN = 3
"""Times that a direction is to be found before it is believed without the model."""
_EXTRA, _EXTRA_SHARE = 3, 0.03
"""Units, and share of its zeros, at which a mixture is zero beyond where its parts are."""
_SHARES = (0.5, 0.9, 1.0)
"""Of the directions found that draws stay away from."""
_LONGER, _LONGEST = 4096, 16_384
"""Draws beyond twice those that made the directions complete, with the model more."""


@dataclasses.dataclass
class _Found:
    """Directions found so far.

    Attributes:
      vectors: float64 [k, r], of length 1.
      zeros: bool [k, u], at which units each is zero.
      hits: int [k], how often each was found.
      sure: bool [k], whether the model makes an example of it.
    """

    vectors: np.ndarray
    zeros: np.ndarray
    hits: np.ndarray
    sure: np.ndarray

    def add(self, vector: np.ndarray, zeros: np.ndarray) -> None:
        """Adds one that was not found before."""
        self.vectors = np.vstack([self.vectors, vector])
        self.zeros = np.vstack([self.zeros, zeros])
        self.hits = np.append(self.hits, 1)
        self.sure = np.append(self.sure, False)

    @property
    def mixed(self) -> np.ndarray:
        """Which look like mixtures with another one: zero hardly but where it is, [k]."""
        counts = np.count_nonzero(self.zeros, axis=1)
        as_numbers = self.zeros.astype(np.float32)
        own = counts[:, np.newaxis] - as_numbers @ as_numbers.T
        within = own <= np.maximum(_EXTRA, _EXTRA_SHARE * counts)[:, np.newaxis]
        found: np.ndarray = np.any(within & (counts > counts[:, np.newaxis]), axis=1)
        return found


def directions(
    right: np.ndarray,
    noise: np.ndarray,
    outputs: quiet_units.Outputs,
    explained: Callable[[np.ndarray], np.ndarray] | None,
    seed: Seed,
    most: int,
    over: Callable[[], bool],
) -> np.ndarray | None:
    """Finds the rows of the unmixing matrix.

    Runs on: attacker. Sees: what it is given.

    Args:
      right: float64 [u, r], `Span.right` at the determined columns.
      noise: float64 [r], standard deviations of its columns' entries.
      outputs: What the span says of these u units' outputs.
      explained: Of what this function is about to return, which rows the model makes
        [r]; all of them end the search. None where nobody can say.
      seed: Of the draws.
      most: Draws at most.
      over: Whether the time is over.

    Returns:
      float64 [r, r], rows m of length 1 such that right m is sparse, sparsest first;
      None if fewer than r independent ones were found.
    """
    rank = right.shape[1]
    longer = _LONGER if explained is None else _LONGEST
    found, whole = _search(
        right, noise, outputs, explained, seed, most, longer, over, ROUGH
    )
    if whole is not None:
        return whole
    for hits in (_AGAIN, 1):
        indices = _independent(found, hits)
        if indices.size == rank:
            return found.vectors[indices]
    return None


def basis(
    right: np.ndarray,
    noise: np.ndarray,
    outputs: quiet_units.Outputs,
    seed: Seed,
    most: int,
    over: Callable[[], bool],
    rough: float,
) -> np.ndarray:
    """Rows of an unmixing matrix as far as they are found, and others that complete it.

    Runs on: attacker. Sees: what it is given.

    Args:
      right: float64 [u, r], as `directions`.
      noise: float64 [r].
      outputs: Of the units.
      seed: Of the draws.
      most: Draws at most.
      over: Whether the time is over.
      rough: A product this small, relative to the root mean square, may be a zero.

    Returns:
      float64 [r, r], independent rows of length 1.
    """
    rank = right.shape[1]
    found, _ = _search(right, noise, outputs, None, seed, most, _CHUNK, over, rough)
    indices = _independent(found, 1)
    vectors: np.ndarray = found.vectors[indices]
    if indices.size == rank:
        return vectors
    others = np.linalg.svd(vectors)[2][indices.size :] if indices.size else np.eye(rank)
    return np.vstack([vectors, others])


def _search(
    right: np.ndarray,
    noise: np.ndarray,
    outputs: quiet_units.Outputs,
    explained: Callable[[np.ndarray], np.ndarray] | None,
    seed: Seed,
    most: int,
    longer: int,
    over: Callable[[], bool],
    rough: float,
) -> tuple[_Found, np.ndarray | None]:
    """What was found, and all rows if `explained` says that they are."""
    rank = right.shape[1]
    generator = np.random.default_rng([*seed, 2])
    found = _Found(
        np.zeros((0, rank)),
        np.zeros((0, len(right)), np.bool_),
        np.zeros(0, np.int64),
        np.zeros(0, np.bool_),
    )
    asked = np.zeros(0, np.int64)
    complete: int | None = None
    for drawn in range(_CHUNK, most + 1, _CHUNK):
        if over():
            break
        known = _confining(found, generator)
        units = quiet_units.draw(outputs, known, max(rank - 1, 1), _CHUNK, generator)
        vectors = _null_vectors(right, units[:, : rank - 1], generator)
        _look(right, noise, found, vectors, rough)
        chosen = _independent(found, 1)
        if explained is not None and chosen.size == rank:
            if not np.array_equal(chosen, asked):
                fits = explained(found.vectors[chosen])
                if fits.all():
                    return found, found.vectors[chosen]
                # A mixture takes one example's place and spoils those that it is of.
                found.sure[chosen] |= fits
                asked = chosen
        if complete is None and _independent(found, _AGAIN).size == rank:
            complete = drawn
        # As many draws again: a mixture may have been found before the example.
        if complete is not None and drawn >= 2 * complete + longer:
            break
    return found, None


def _confining(found: _Found, generator: np.random.Generator) -> np.ndarray:
    """Found directions that the next draws stay away from, [k < r, r].

    Those that are sure and, as some of the others may be mixtures, a share of them.
    """
    indices = _independent(found, 1)
    share = generator.choice(np.asarray(_SHARES))
    trusted = ~found.mixed[indices] & (generator.random(indices.size) < share)
    known: np.ndarray = found.vectors[indices[found.sure[indices] | trusted]]
    return known[: found.vectors.shape[1] - 1]


def _look(
    right: np.ndarray,
    noise: np.ndarray,
    found: _Found,
    vectors: np.ndarray,
    rough: float,
) -> None:
    """Adds to what was found those of rough directions [k, r] that are sparse."""
    units, rank = right.shape
    # The columns of `right` have length 1, and so have products with a direction.
    small = np.abs(vectors @ right.T) < rough / np.sqrt(units)
    counts = np.count_nonzero(small, axis=1)
    hopeful = np.flatnonzero(counts >= rank + _MORE)
    looked = 0
    for index in hopeful[np.argsort(-counts[hopeful], kind="stable")]:
        if _hit(found, vectors[index], 1e-3) or looked == _LOOKED_AT:
            continue
        looked += 1
        sharp = _sharpened(right, noise, small[index])
        if sharp is not None and not _hit(found, sharp[1], _ALIKE):
            found.add(sharp[1], sharp[0])


def _null_vectors(
    right: np.ndarray, drawn: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Vectors of length 1 that are orthogonal to r - 1 drawn rows [k, r - 1], [k, r]."""
    rank = right.shape[1]
    system = np.empty((len(drawn), rank, rank))
    sizes = np.linalg.norm(right, axis=1, keepdims=True)
    system[:, :-1] = (right / np.where(sizes > 0, sizes, 1.0))[drawn]
    system[:, -1] = generator.standard_normal((len(drawn), rank))
    # Units of which some example is on at none make a matrix singular.
    system += 1e-10 * generator.standard_normal(system.shape)
    wanted = np.zeros((len(drawn), rank, 1))
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
) -> tuple[np.ndarray, np.ndarray] | None:
    """The direction of most zeros next to a rough one, with these zeros."""
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
    return zeros, vector


def _independent(found: _Found, hits: int) -> np.ndarray:
    """Which are independent and were found often enough, int [k <= r].

    Those that are sure come first, likely mixtures last, and else the sparsest first.
    """
    rank = found.vectors.shape[1]
    order = np.lexsort(
        (-np.count_nonzero(found.zeros, axis=1), found.mixed, ~found.sure)
    )
    chosen: list[int] = []
    basis = np.zeros((0, rank))
    for index in order[found.hits[order] >= hits]:
        rest = found.vectors[index]
        for _ in range(2):
            rest = rest - (rest @ basis.T) @ basis
        length = np.linalg.norm(rest)
        if length > _ALIKE and len(chosen) < rank:
            basis = np.vstack([basis, rest / length])
            chosen.append(index)
    return np.array(chosen, np.int64)
