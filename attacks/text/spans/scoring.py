"""How well whole sentences fit the spans of a model's first blocks."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from attacks.text.spans import subspace
from attacks.text.spans.places import Place
from attacks.text.spans.subspace import Subspace
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.types import Seed

_CHUNK = 4_000_000
"""Numbers of vectors that are computed at once."""
_RANDOM = 32
"""Random sentences that show how far a wrong one is."""
_NEARLY = 0.9


class Scorer(NamedTuple):
    """A measure of sentences; less is better.

    Attributes:
      score: `(ids [k, l]) -> [k, l]`, the mean over places of the logarithm of the
        distance of each position's vector to the span of its place.
      wrong: What it is of tokens at random.
    """

    score: Callable[[np.ndarray], np.ndarray]
    wrong: float


def usable(found: Mapping[Place, Subspace], first: Subspace) -> dict[Place, Subspace]:
    """The places whose spans hold all vectors that entered them.

    The last block of a classifier sees few positions of what it returns, and its
    gradient spans a part only: its rank is below that of the first place.

    Args:
      found: The subspace of each place.
      first: That of the embeddings.

    Returns:
      Those that tell sentences apart.
    """
    return {
        place: one
        for place, one in found.items()
        if (one.spare >= 1 or one.soft) and one.rank >= _NEARLY * first.rank
    }


def build_scorer(
    model: TokenModel,
    entering: Callable[[np.ndarray], Sequence[np.ndarray]],
    places: Sequence[Place],
    spans: Mapping[Place, Subspace],
    seed: Seed,
) -> Scorer:
    """Builds the measure.

    Runs on: attacker.

    Args:
      model: The model.
      entering: `(ids [k, l])`, the vectors that enter each of `places`.
      places: Of the model.
      spans: Of at least one of them.
      seed: Of the random sentences.

    Returns:
      It.
    """
    widest = max(len(spans[place].rows) for place in places if place in spans)

    def score(ids: np.ndarray) -> np.ndarray:
        step = max(1, _CHUNK // (ids.shape[1] * widest))
        parts = [
            np.mean(distances(entering(ids[at : at + step])), axis=0)
            for at in range(0, len(ids), step)
        ]
        return np.concatenate(parts)

    def distances(vectors: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [
            subspace.log_distances(spans[place], one)
            for place, one in zip(places, vectors, strict=True)
            if place in spans
        ]

    generator = np.random.default_rng([*seed, 7])
    random = generator.integers(0, model.vocabulary_size, [_RANDOM, model.length])
    return Scorer(score, float(np.median(score(random))))
