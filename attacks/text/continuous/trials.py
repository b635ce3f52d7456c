"""Which hypotheses and starts are searched, and what is made of where they end."""

import time
from typing import NamedTuple

import numpy as np

from attacks import effort as effort_lib
from attacks.text import sentences
from attacks.text.continuous import guessing, polishing
from attacks.text.continuous import search as search_lib
from attacks.text.continuous.guessing import Place, Search
from attacks.text.continuous.search import Ended
from attacks.text.discrete.picking import Picked
from selenc_tf.types import Seed

_POLISHED = 2
"""Exchanges that are tried at the end, for each step that an effort allows."""


class Trials(NamedTuple):
    """Where the searches of an attack ended.

    Attributes:
      best: The sentences whose gradient is nearest.
      errors: The distance of the sentences of each search.
      iterations: Steps of all searches.
      evaluations: Gradients of all searches.
      matched: Entries that were compared.
      in_time: Whether the clock ended none.
    """

    best: Picked
    errors: tuple[float, ...]
    iterations: int
    evaluations: int
    matched: int
    in_time: bool


def run(
    search: Search,
    places: list[Place],
    classes: list[tuple[int, ...]],
    effort: effort_lib.Effort,
    seed: Seed,
) -> Trials:
    """Tries hypotheses, then the starts of the best, and reads the sentences.

    Runs on: attacker. Sees: the visible entries, the weights and its own guesses.

    Args:
      search: How.
      places: Of each hypothesis.
      classes: Of each hypothesis.
      effort: Starts, and steps over all searches.
      seed: Of draws and moves.

    Returns:
      Where they ended. Several hypotheses are tried on half of the steps, from the same
      draws; the one with the smallest distance is searched on.
    """
    left, best = effort.max_iterations, 0
    ended: list[tuple[int, Ended]] = []
    if len(places) > 1:
        each = max(1, left // 2 // len(places))
        for at, place in enumerate(places):
            generator = np.random.default_rng([*seed, 0])
            ended.append((at, search_lib.run(search, place, each, generator)))
        best = min(ended, key=lambda one: one[1].error)[0]
        left -= each * len(places)
    starts = min(effort.restarts, left)
    for index in range(starts):
        if ended and time.monotonic() >= search.deadline:
            break
        generator = np.random.default_rng([*seed, 1 + index])
        one = search_lib.run(search, places[best], left // starts, generator)
        ended.append((best, one))
    read = [_sentences(search, places[at], one) for at, one in ended]
    compared = 2 * len(read)
    if search.listed and time.monotonic() < search.deadline:
        # The words are known: what the best search left wrong is tried.
        at = int(np.argmin([error for _, error in read]))
        place, (tokens, _) = places[ended[at][0]], read[at]
        found = polishing.polished(
            lambda one: guessing.distance(search, place, search.embeddings.words[one]),
            tokens,
            place.free,
            search.allowed,
            search.present,
            _POLISHED * effort.max_iterations,
            np.random.default_rng([*seed, 0]),
        )
        read[at], compared = found[:2], compared + found[2]
    errors = tuple(error for _, error in read)
    winner = int(np.argmin(errors))
    place, labels = places[ended[winner][0]], classes[ended[winner][0]]
    tokens = np.where(place.real, read[winner][0], sentences.NO_TOKEN)
    return Trials(
        best=Picked(tokens.astype(np.int32), np.array(labels, np.int64)),
        errors=tuple(one if np.isfinite(one) else float("nan") for one in errors),
        iterations=sum(one.iterations for _, one in ended),
        evaluations=sum(one.evaluations for _, one in ended) + compared,
        matched=int(np.count_nonzero(place.problem.matched)),
        in_time=all(one.in_time for _, one in ended),
    )


def _sentences(search: Search, place: Place, ended: Ended) -> tuple[np.ndarray, float]:
    """The tokens of the better of a search's two guesses, with their distance."""
    found = [guessing.read(search, place, words) for words in ended.words]
    errors = [
        guessing.distance(search, place, search.embeddings.words[tokens])
        for tokens in found
    ]
    best = int(np.argmin(errors))
    return found[best], errors[best]
