"""Where a search among embeddings begins."""

import numpy as np

from attacks.text.continuous import guessing, moves
from attacks.text.continuous.guessing import Place, Search

_MOST = 500
"""Draws and orders at the start of the published search."""


def begin(
    search: Search, place: Place, iterations: int, generator: np.random.Generator
) -> tuple[np.ndarray, int]:
    """Draws the first embeddings: the best of some draws, in the best of some orders.

    Runs on: attacker. Sees: the visible entries, the weights and its own guesses.

    Args:
      search: How.
      place: With the hypothesis.
      iterations: Of the search; the draws are a share of them.
      generator: Of the draws.

    Returns:
      float32 [b, L, d], and how many were compared.
    """
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
    errors = [guessing.distance(search, place, words)]
    for _ in range(count - 1):
        other = drawn()
        errors.append(guessing.distance(search, place, other))
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
        other = guessing.ordered(words, order)
        errors.append(guessing.distance(search, place, other))
        if errors[-1] < least:
            words, least = other, errors[-1]
    if recipe.norm_weight and not search.listed:
        norms = np.linalg.norm(words, axis=-1, keepdims=True)
        words = words * (search.embeddings.norm / np.where(norms > 0, norms, 1.0))
    return words.astype(np.float32), len(errors)
