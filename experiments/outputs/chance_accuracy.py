"""Accuracies that say nothing: a model that has learned nothing loses nothing by hiding."""

import math
from collections.abc import Collection

from experiments.outputs.records import RoundRecord

GUESS = "accuracy_by_guess"
"""In the details of a round: the share of the most frequent class of the test set."""

OF = "test_examples"
"""In the same: its size."""

SAYS = (
    "no better than always naming the most frequent class of the test set: this shows no "
    "cost of hiding, nor that there is none"
)
"""Of such an accuracy, as the end of a sentence."""

_SURE = 1.645
"""Standard deviations that a guess exceeds with 5 % (normal approximation)."""


def of(last: Collection[RoundRecord]) -> float | None:
    """What a guess has right, where accuracies are no better than that.

    Args:
      last: The last measured round of each seed.

    Returns:
      The share of the most frequent class, in [0, 1]; None where some accuracy is above
      what a guess reaches on so many examples with 95 %, or nothing is on record.
    """
    shares = [one.details.get(GUESS) for one in last]
    if not shares or any(map(_learned, last)):
        return None
    return max(share for share in shares if share is not None)


def _learned(one: RoundRecord) -> bool:
    share, count = one.details.get(GUESS), one.details.get(OF)
    if share is None or not count or one.accuracy is None:
        # Records of earlier versions do not say.
        return True
    spread = math.sqrt(share * (1 - share) / count)
    return one.accuracy > share + _SURE * spread
