"""Sentences that a search found."""

from typing import NamedTuple


class Found(NamedTuple):
    """One of them.

    Attributes:
      tokens: Special ones included.
      score: `Scorer.score`, the mean over its positions; less is better.
    """

    tokens: tuple[int, ...]
    score: float


def best(found: list[Found], most: int) -> list[Found]:
    """The best, each once.

    Args:
      found: In any order.
      most: How many.

    Returns:
      They, the best first; equal scores in the order of their tokens.
    """
    unique = {one.tokens: one for one in sorted(found, key=lambda one: -one.score)}
    return sorted(unique.values(), key=lambda one: (one.score, one.tokens))[:most]
