"""What a search among embeddings is given, and what its guesses are worth."""

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks.text.continuous import embeddings as embeddings_lib
from attacks.text.continuous import engine as engine_lib
from attacks.text.continuous import recipes
from attacks.text.continuous.embeddings import Embeddings
from attacks.text.continuous.word_pairs import Loss


@dataclasses.dataclass(frozen=True, eq=False)
class Search:
    """What all searches of one attack share.

    Attributes:
      engine: Compiled.
      recipe: How to search.
      embeddings: Of the round.
      allowed: bool [v], tokens that a searched place may have.
      present: bool [v], tokens that the batch has for sure; none where the table of words
        is not looked at.
      loss: The language prior, or None.
      deadline: `time.monotonic()` at which to end, or infinity.
      report: Called with (steps done, distance).
    """

    engine: engine_lib.Engine
    recipe: recipes.Recipe
    embeddings: Embeddings
    allowed: np.ndarray
    present: np.ndarray
    loss: Loss | None
    deadline: float
    report: Callable[[int, float], None]

    @property
    def listed(self) -> bool:
        """Whether words are known, so that draws are of those."""
        return bool(self.present.any())


class Place(NamedTuple):
    """What one hypothesis fixes.

    Attributes:
      problem: For the engine.
      free: bool [b, L], where a word is searched for.
      real: bool [b, L], where tokens are.
      fixed: int32 [b, L], the tokens that are known.
    """

    problem: engine_lib.Problem
    free: np.ndarray
    real: np.ndarray
    fixed: np.ndarray


def read(search: Search, place: Place, words: np.ndarray) -> np.ndarray:
    """The tokens of a guess, int32 [b, L]; what is not real is any token."""
    found = embeddings_lib.nearest(words, search.embeddings, search.allowed)
    return np.where(place.free, found, place.fixed)


def distance(search: Search, place: Place, words: np.ndarray) -> float:
    """How far a guess's gradient is from the one that was seen; infinite if not finite."""
    found = float(search.engine.distance(place.problem, tf.constant(words, tf.float32)))
    return found if math.isfinite(found) else math.inf


def unlikely(search: Search, tokens: np.ndarray) -> float:
    """What the language prior adds to a sentence's distance."""
    if search.loss is None:
        return 0.0
    return search.recipe.words_weight * search.loss([int(one) for one in tokens])


def ordered(words: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Embeddings [b, L, d] in another order of their places, int [b, L]."""
    found: np.ndarray = np.take_along_axis(words, order[:, :, np.newaxis], axis=1)
    return found
