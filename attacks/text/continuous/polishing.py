"""Exchanges of tokens where words of a batch are known and their order is not.

Embeddings are only the way to an order; with a short list of words what is left wrong at
its end are a few places, and those can be tried.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

_LISTED = 64
"""Words that are all tried at a place."""


class _Change(NamedTuple):
    """Two places that exchange their tokens, or a place that gets a word."""

    place: tuple[int, int]
    other: tuple[int, int] | None
    word: int


def polished(
    error_of: Callable[[np.ndarray], float],
    tokens: np.ndarray,
    free: np.ndarray,
    allowed: np.ndarray,
    present: np.ndarray,
    most: int,
    generator: np.random.Generator,
) -> tuple[np.ndarray, float, int]:
    """Goes down by exchanges of two tokens, and by other words at a place.

    Runs on: attacker. Sees: its own guesses, and their distances.

    Args:
      error_of: `(tokens [b, L]) -> distance`.
      tokens: int32 [b, L], where to begin. Words that are missing are put in first, for
        those that are there twice or need not be.
      free: bool [b, L], places that may change.
      allowed: bool [v], words that the batch may have.
      present: bool [v], those that it has for sure: none of them is lost again.
      most: How many guesses are compared at most.
      generator: Of the order in which they are tried.

    Returns:
      The tokens, their distance, and how many were compared.
    """
    places = [(int(row), int(at)) for row, at in np.argwhere(free)]
    tokens = _with_all(tokens, places, present)
    words = np.flatnonzero(allowed if allowed.sum() <= _LISTED else present)
    pairs = itertools.combinations(places, 2)
    changes = [_Change(*pair, 0) for pair in pairs]
    changes += [_Change(one, None, int(word)) for one in places for word in words]
    error, count, better = error_of(tokens), 1, True
    while better:
        better = False
        for at in generator.permutation(len(changes)):
            other = _changed(tokens, changes[at])
            kept = changes[at].other or _spare(tokens, changes[at].place, free, present)
            if not kept or np.array_equal(other, tokens):
                continue
            if count >= most:
                return tokens, error, count
            found = error_of(other)
            count += 1
            if found < error:
                tokens, error, better = other, found, True
    return tokens, error, count


def _changed(tokens: np.ndarray, change: _Change) -> np.ndarray:
    found = tokens.copy()
    if change.other is None:
        found[change.place] = change.word
    else:
        found[change.place] = tokens[change.other]
        found[change.other] = tokens[change.place]
    return found


def _spare(
    tokens: np.ndarray, place: tuple[int, int], free: np.ndarray, present: np.ndarray
) -> bool:
    """Whether a token need not be there, or is there more than once."""
    token = tokens[place]
    return not present[token] or int(np.sum(tokens[free] == token)) > 1


def _with_all(
    tokens: np.ndarray, places: list[tuple[int, int]], present: np.ndarray
) -> np.ndarray:
    """The tokens with every word that has to be there, as far as there is room."""
    found = tokens.copy()
    free = np.zeros(tokens.shape, np.bool_)
    for place in places:
        free[place] = True
    missing = set(np.flatnonzero(present).tolist()) - set(tokens[free].tolist())
    for word in sorted(missing):
        room = [one for one in places if _spare(found, one, free, present)]
        if room:
            found[room[0]] = word
    return found
