"""Which found sentence belongs to which true one.

A gradient does not tell the order of its batch. Every found sentence is matched once
(Kuhn, "The Hungarian Method for the Assignment Problem", 1955): matching with
replacement would let one good sentence count for several.
"""

from collections.abc import Sequence

import numpy as np
from scipy import optimize

from attacks.metrics.text import agreement

_BAG_WEIGHT = 1e-3
"""Of the bag: it decides between matches that agree in equally many positions."""


def match_sentences(
    found: Sequence[Sequence[int]], truth: Sequence[Sequence[int]]
) -> tuple[int | None, ...]:
    """Finds the order with the greatest total agreement.

    Args:
      found: Sentences as tokens, of any number.
      truth: The true ones.

    Returns:
      For each true sentence the place of the found one, None where there are too few.
      The total of `agreement.by_position` is the greatest; where orders are equal (to a
      thousandth), that of `agreement.bag_f1`.

    Example:
      >>> match_sentences([[7, 8], [4, 5]], [[4, 6], [8, 7], [1]])
      (1, 0, None)
    """
    order: list[int | None] = [None] * len(truth)
    if found and truth:
        value = np.array([[_agreement(one, true) for one in found] for true in truth])
        rows, columns = optimize.linear_sum_assignment(value, maximize=True)
        for row, column in zip(rows, columns, strict=True):
            order[int(row)] = int(column)
    return tuple(order)


def _agreement(found: Sequence[int], truth: Sequence[int]) -> float:
    bag = agreement.bag_f1(found, truth)
    return agreement.by_position(found, truth) + _BAG_WEIGHT * bag
