"""Counts that look like a reading and are too few to be told from guesses.

A verdict of "no better" beside five of five would contradict what the reader sees, and
"read" would claim what chance gives as well. How many more would decide can be said.
"""

from typing import NamedTuple

_LUCK = 0.05
_RARE = 0.2
"""What guesses have as often in no more cases looks read."""

_MOST = 10_000


class Count(NamedTuple):
    """How often something was right that a guess may have right as well.

    Attributes:
      right: How often.
      of: Of how many.
      share: In which share of them a guess is right.
      lucky: The same with everything that chance may do beside it; at least `share`.
      looks: Among how many such counts the best is told.
    """

    right: int
    of: int
    share: float
    lucky: float
    looks: int = 1


def looks_read(count: Count) -> bool:
    """Whether it is more than a guess has, so that a reader may take it for a reading."""
    if not count.right > count.of * count.share:
        return False
    # Right each time strikes whoever reads it, whatever else was looked at.
    looks = 1 if count.right == count.of else count.looks
    return _by_chance(count.right, count.of, count.share, looks) <= _RARE


def would_decide(count: Count) -> int | None:
    """Of how many it would be no chance, with 95 %, if it is right in the same share.

    Args:
      count: Of which `right` is more than a guess has.

    Returns:
      The number; None where 10,000 are not enough.
    """
    # Here, so that reading results does not wait for SciPy.
    import numpy as np
    from scipy import stats

    many = np.arange(count.of + 1, _MOST + 1)
    right = np.floor(many * count.right / count.of)
    likely = stats.binom.sf(right - 1, many, count.lucky)
    enough = 1.0 - (1.0 - likely) ** count.looks <= _LUCK
    return int(many[np.argmax(enough)]) if enough.any() else None


def _by_chance(right: int, of: int, share: float, looks: int) -> float:
    from scipy import stats

    return float(1.0 - (1.0 - stats.binom.sf(right - 1, of, share)) ** looks)
