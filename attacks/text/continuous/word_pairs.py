"""How likely a sentence is by pairs of words: the language prior of the search.

LAMP asks a language model of its own. A classifier is none, and this package does not
have one for every vocabulary, so that the attacker counts pairs in its public sentences
(Jelinek, Mercer, "Interpolated estimation of Markov source parameters from sparse data",
1980). Without public sentences there is no such prior.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from attacks.text import sentences

Loss = Callable[[Sequence[int]], float]
"""`(tokens) -> nats a token`."""

_PAIRS, _WORDS = 0.6, 0.35
"""Weights of a pair's and of a word's frequency; the rest is the same for all words."""


def of_public(examples: np.ndarray | None, vocabulary_size: int) -> Loss | None:
    """Counts words and pairs.

    Args:
      examples: int32 [a, L], the attacker's own sentences, or None.
      vocabulary_size: v.

    Returns:
      The mean of -log p of each token after the one before it; None without sentences.

    Example:
      of one public sentence 4 5: p(5 | 4) = 0.6 + 0.35 / 2 + 0.05 / v.
    """
    rows = [] if examples is None else sentences.rows_of(examples)
    words = Counter(token for row in rows for token in row)
    if not words:
        return None
    total = sum(words.values())
    pairs = Counter(pair for row in rows for pair in itertools.pairwise(row))
    before = Counter(token for row in rows for token in row[:-1])

    def likely(first: int, second: int) -> float:
        after = pairs[first, second] / before[first] if before[first] else 0.0
        rest = (1 - _PAIRS - _WORDS) / vocabulary_size
        return _PAIRS * after + _WORDS * words[second] / total + rest

    def loss(tokens: Sequence[int]) -> float:
        chances = [likely(*pair) for pair in itertools.pairwise(tokens)]
        return -float(np.mean(np.log(chances))) if chances else 0.0

    return loss
