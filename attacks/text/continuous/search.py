"""One search among embeddings: first draws, steps of Adam, and moves of tokens."""

import dataclasses
import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks.text.continuous import embeddings as embeddings_lib
from attacks.text.continuous import engine as engine_lib
from attacks.text.continuous import moves, recipes
from attacks.text.continuous.embeddings import Embeddings
from attacks.text.continuous.word_pairs import Loss

_MOST = 500
"""Draws and orders at the start of the published search."""
_MOST_MOVES = 200
"""Moves that the published search compares at once."""
_BURN_IN = 0.1
_CHUNK = 25
"""Steps between two reports."""


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


class Ended(NamedTuple):
    """Where a search ended.

    Attributes:
      words: Guesses [b, L, d] worth reading: the best, and the last.
      error: The distance at the best; infinite if none was finite.
      iterations: Steps.
      evaluations: Gradients that were computed.
      in_time: Whether the clock did not end it.
    """

    words: tuple[np.ndarray, ...]
    error: float
    iterations: int
    evaluations: int
    in_time: bool


def run(
    search: Search,
    place: Place,
    iterations: int,
    generator: np.random.Generator,
) -> Ended:
    """Searches from one start.

    Runs on: attacker. Sees: the visible entries, the weights and its own guesses.

    Args:
      search: How.
      place: With the hypothesis.
      iterations: Steps; draws and moves are shares of them.
      generator: Of draws and moves.

    Returns:
      Where it ended.
    """
    recipe = search.recipe
    words, evaluations = _begin(search, place, iterations, generator)
    state = engine_lib.start(tf.constant(words))
    pauses = _pauses(iterations, recipe.moves)
    tried = min(
        _MOST_MOVES, round(recipe.moves_tried * iterations / max(1, len(pauses)))
    )
    total, done, in_time = tf.constant(iterations), 0, True
    while done < iterations and in_time:
        state = search.engine.step(place.problem, state, total)
        done += 1
        if done % _CHUNK == 0 or done == iterations:
            search.report(done, float(state.best_error))
        if done in pauses:
            state, compared = _moved(search, place, state, tried, generator)
            evaluations += compared
        in_time = time.monotonic() < search.deadline
    best, last = (np.asarray(one) for one in (state.best_words, state.words))
    return Ended(
        (best, last),
        float(state.best_error),
        done,
        evaluations + done,
        in_time or done == iterations,
    )


def read(search: Search, place: Place, words: np.ndarray) -> np.ndarray:
    """The tokens of a guess, int32 [b, L]; what is not real is any token."""
    found = embeddings_lib.nearest(words, search.embeddings, search.allowed)
    return np.where(place.free, found, place.fixed)


def distance(search: Search, place: Place, words: np.ndarray) -> float:
    """How far a guess's gradient is from the one that was seen; infinite if not finite."""
    found = float(search.engine.distance(place.problem, tf.constant(words, tf.float32)))
    return found if math.isfinite(found) else math.inf


def _pauses(iterations: int, count: int) -> list[int]:
    """After which steps tokens are moved."""
    if not count:
        return []
    burn = math.ceil(_BURN_IN * iterations)
    each = max(1, round((iterations - burn) / count))
    return list(range(burn + each, iterations, each))


def _begin(
    search: Search, place: Place, iterations: int, generator: np.random.Generator
) -> tuple[np.ndarray, int]:
    """The best of some draws, in the best of some orders."""
    recipe, scale = search.recipe, search.embeddings.scale
    count = min(_MOST, round(recipe.drawn * iterations))
    shape = (*place.free.shape, search.embeddings.words.shape[1])

    def drawn() -> np.ndarray:
        if search.listed:
            # Every word once before any twice, or before those that may be there.
            sure = generator.permutation(np.flatnonzero(search.present))
            others = np.flatnonzero(search.allowed & ~search.present)
            size = int(place.free.sum())
            more = generator.choice(others, size) if len(others) else sure
            tokens = place.fixed.copy()
            found = np.resize(np.concatenate([sure, more]), size)
            tokens[place.free] = generator.permutation(found)
            return search.embeddings.words[tokens]
        normal = generator.standard_normal(shape)
        return (recipe.start_spread * scale * normal).astype(np.float32)

    words = drawn()
    if not count:
        return words, 0
    errors = [distance(search, place, words)]
    for _ in range(count - 1):
        other = drawn()
        errors.append(distance(search, place, other))
        if errors[-1] < min(errors[:-1]):
            words = other
    least = min(errors)
    ways = [
        moves.shuffles(np.flatnonzero(row), shape[1], count, generator)
        for row in place.free
    ]
    for index in range(max(map(len, ways))):
        order = np.stack(
            [way[index] if len(way) else np.arange(shape[1]) for way in ways]
        )
        other = _ordered(words, order)
        errors.append(distance(search, place, other))
        if errors[-1] < least:
            words, least = other, errors[-1]
    if recipe.norm_weight and not search.listed:
        norms = np.linalg.norm(words, axis=-1, keepdims=True)
        words = words * (search.embeddings.norm / np.where(norms > 0, norms, 1.0))
    return words.astype(np.float32), len(errors)


def _moved(
    search: Search,
    place: Place,
    state: engine_lib.State,
    tried: int,
    generator: np.random.Generator,
) -> tuple[engine_lib.State, int]:
    """Puts the tokens of each sentence in the order that explains most."""
    words = np.asarray(state.words)
    tokens = read(search, place, words)
    length, compared = words.shape[1], 0
    whole = np.tile(np.arange(length), (len(words), 1))
    for row, free in enumerate(place.free):
        ways = moves.orders(np.flatnonzero(free), length, tried, generator)
        if not len(ways):
            continue
        stay = whole[row].copy()
        scores = []
        for way in [stay, *ways]:
            whole[row] = stay[way]
            scores.append(
                distance(search, place, _ordered(words, whole))
                + _unlikely(search, tokens[row][whole[row]][place.real[row]])
            )
        best = int(np.argmin(scores))
        whole[row] = stay if best == 0 else stay[ways[best - 1]]
        compared += len(scores)
    # What Adam remembers of a token goes with it.
    first, second = (
        _ordered(np.asarray(one), whole) for one in (state.first, state.second)
    )
    moved = state._replace(
        words=tf.constant(_ordered(words, whole)),
        first=tf.constant(first),
        second=tf.constant(second),
    )
    return moved, compared


def _unlikely(search: Search, tokens: np.ndarray) -> float:
    if search.loss is None:
        return 0.0
    return search.recipe.words_weight * search.loss([int(one) for one in tokens])


def _ordered(words: np.ndarray, order: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.take_along_axis(words, order[:, :, np.newaxis], axis=1)
    return found
