"""Sentences near one: with other words, other orders, other lengths."""

from collections.abc import Sequence

import numpy as np

from attacks.text.continuous import moves

_NEAREST = 40
"""Words of a place that a derivative ranks the highest, which are drawn from."""
_PRIOR = 0.02
"""What a nat of a word's frequency counts, in relative decreases of the distance."""
_WORD, _SECOND, _ORDER, _LONGER, _SHORTER = 0.60, 0.25, 0.20, 0.07, 0.07
"""Of what kind a proposal is, by chance; the rest joins two sentences."""


def likely_words(
    slopes: np.ndarray,
    present: np.ndarray,
    words: np.ndarray,
    allowed: np.ndarray,
    frequency: np.ndarray,
) -> np.ndarray:
    """The words that a distance's derivative names for each place.

    The distance changes by slope . (other word - this word) to first order (Ebrahimi,
    Rao, Lowd, Dou, "HotFlip: White-Box Adversarial Examples for Text Classification", ACL
    2018, equation 3).

    Args:
      slopes: float [n, d], relative to the distance, one row for each place.
      present: int [n], the words there.
      words: float [v, d], the embeddings.
      allowed: int [a], the words that may be there.
      frequency: float [a], their log-frequencies.

    Returns:
      int [n, min(40, a)], in no order.
    """
    decrease = -(slopes @ words[allowed].T)
    decrease += np.sum(slopes * words[present], axis=1, keepdims=True)
    decrease += _PRIOR * frequency
    kept = min(_NEAREST, len(allowed))
    best = np.argpartition(-decrease, kept - 1, axis=1)[:, :kept]
    return allowed[best]


def propose(
    words: Sequence[int],
    likely: np.ndarray,
    others: Sequence[Sequence[int]],
    most: int,
    generator: np.random.Generator,
) -> tuple[int, ...]:
    """Draws one sentence near another.

    Args:
      words: Of the sentence, without its ends.
      likely: int [n, c], words for each of its places.
      others: Sentences whose ends it can be joined to.
      most: Words that there is room for.
      generator: Of the draw.

    Returns:
      The words; perhaps the same.
    """
    kind = generator.random()
    if not words:
        return ()
    if kind < _WORD:
        found = _other_word(words, likely, generator)
        if generator.random() < _SECOND:
            found = _other_word(found, likely, generator)
        return found
    kind -= _WORD
    if kind < _ORDER:
        order = moves.orders(np.arange(len(words)), len(words), 4, generator)
        if not len(order):
            return tuple(words)
        return tuple(words[at] for at in order[generator.integers(0, len(order))])
    kind -= _ORDER
    place = int(generator.integers(0, len(words)))
    if kind < _LONGER:
        new = int(generator.choice(likely[place]))
        return (
            (*words[:place], new, *words[place:]) if len(words) < most else tuple(words)
        )
    kind -= _LONGER
    if kind < _SHORTER or not others:
        return (*words[:place], *words[place + 1 :]) if len(words) > 1 else tuple(words)
    other = others[int(generator.integers(0, len(others)))]
    return (*words[:place], *other[place:])


def _other_word(
    words: Sequence[int], likely: np.ndarray, generator: np.random.Generator
) -> tuple[int, ...]:
    place = int(generator.integers(0, len(words)))
    return (*words[:place], int(generator.choice(likely[place])), *words[place + 1 :])
