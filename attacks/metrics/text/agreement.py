"""Tokens of a found sentence against those of the true one.

Sentences are the numbers of their tokens, without padding. Two empty sentences agree
wholly, an empty one and another not at all.
"""

from collections import Counter
from collections.abc import Sequence


def by_position(found: Sequence[int], truth: Sequence[int]) -> float:
    """The share of the true tokens that are found at their own position.

    Args:
      found: Of any length; what is behind the true sentence's end counts nothing.
      truth: The true sentence.

    Returns:
      In [0, 1].

    Example:
      >>> by_position([4, 6, 5], [4, 5, 6, 7])
      0.25
    """
    if not truth:
        return float(not found)
    return sum(a == b for a, b in zip(found, truth, strict=False)) / len(truth)


def bag_recall(found: Sequence[int], truth: Sequence[int]) -> float:
    """The share of the true tokens that are found anywhere, each as often as it is there.

    Args:
      found: Of any length.
      truth: The true sentence.

    Returns:
      In [0, 1]: the sum over tokens of the smaller of both counts, divided by the length
      of the true sentence.

    Example:
      >>> bag_recall([5, 5, 4, 9], [4, 5, 6])
      0.6666666666666666
    """
    if not truth:
        return float(not found)
    return _shared(found, truth) / len(truth)


def bag_f1(found: Sequence[int], truth: Sequence[int]) -> float:
    """The harmonic mean of `bag_recall` and of the share of found tokens that are true.

    Args:
      found: Of any length.
      truth: The true sentence.

    Returns:
      In [0, 1]: twice the tokens that both have, divided by the sum of both lengths. For
      equal lengths it is `bag_recall`.

    Example:
      >>> bag_f1([5, 4, 9, 9], [4, 5])
      0.6666666666666666
    """
    if not truth or not found:
        return float(len(truth) == len(found))
    return 2 * _shared(found, truth) / (len(found) + len(truth))


def _shared(found: Sequence[int], truth: Sequence[int]) -> int:
    return (Counter(found) & Counter(truth)).total()
