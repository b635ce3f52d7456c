"""One search among embeddings: first draws, steps of Adam, and moves of tokens."""

import math
import time
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks.text.continuous import engine as engine_lib
from attacks.text.continuous import guessing, moves, starts
from attacks.text.continuous.guessing import Place, Search

_MOST_MOVES = 200
"""Moves that the published search compares at once."""
_BURN_IN = 0.1
_CHUNK = 25
"""Steps between two reports."""


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
    words, evaluations = starts.begin(search, place, iterations, generator)
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


def _pauses(iterations: int, count: int) -> list[int]:
    """After which steps tokens are moved."""
    if not count:
        return []
    burn = math.ceil(_BURN_IN * iterations)
    each = max(1, round((iterations - burn) / count))
    return list(range(burn + each, iterations, each))


def _moved(
    search: Search,
    place: Place,
    state: engine_lib.State,
    tried: int,
    generator: np.random.Generator,
) -> tuple[engine_lib.State, int]:
    """Puts the tokens of each sentence in the order that explains most."""
    words = np.asarray(state.words)
    tokens = guessing.read(search, place, words)
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
                guessing.distance(search, place, guessing.ordered(words, whole))
                + guessing.unlikely(search, tokens[row][whole[row]][place.real[row]])
            )
        best = int(np.argmin(scores))
        whole[row] = stay if best == 0 else stay[ways[best - 1]]
        compared += len(scores)
    # What Adam remembers of a token goes with it.
    first, second = (
        guessing.ordered(np.asarray(one), whole) for one in (state.first, state.second)
    )
    moved = state._replace(
        words=tf.constant(guessing.ordered(words, whole)),
        first=tf.constant(first),
        second=tf.constant(second),
    )
    return moved, compared
