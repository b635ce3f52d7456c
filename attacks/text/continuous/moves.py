"""Other orders of a sentence's tokens, as LAMP tries them.

(Balunovic, Dimitrov, Jovanovic, Vechev, "LAMP: Extracting Text from Gradients with
Language Model Priors", NeurIPS 2022, section 4.3.)
"""

import numpy as np

_KINDS = 4


def orders(
    free: np.ndarray, length: int, count: int, generator: np.random.Generator
) -> np.ndarray:
    """Draws orders of a sentence.

    Two tokens exchanged, one moved, some moved, or a beginning moved to the end, in turn.

    Args:
      free: int [f], the places whose tokens may move, ascending.
      length: L.
      count: How many.
      generator: Of the draws.

    Returns:
      int [count, L], at each place the one that its token comes from; none where fewer
      than two tokens are free.

    Example:
      free places 1 to 3, a beginning of one to the end: 0 2 3 1 4.
    """
    found = np.tile(np.arange(length), (count if len(free) > 1 else 0, 1))
    for index, row in enumerate(found):
        row[free] = free[_order(len(free), index % _KINDS, generator)]
    return found


def shuffles(
    free: np.ndarray, length: int, count: int, generator: np.random.Generator
) -> np.ndarray:
    """Draws orders of a sentence without regard to the present one, as `orders`."""
    found = np.tile(np.arange(length), (count if len(free) > 1 else 0, 1))
    for row in found:
        row[free] = generator.permutation(free)
    return found


def _order(count: int, kind: int, generator: np.random.Generator) -> np.ndarray:
    order = np.arange(count)
    if kind == 0:
        one, other = generator.choice(count, 2, replace=False)
        order[[one, other]] = order[[other, one]]
        return order
    if kind == 3:
        return np.roll(order, -int(generator.integers(1, count)))
    size = 1 if kind == 1 else int(generator.integers(1, count))
    start = int(generator.integers(0, count - size + 1))
    rest = np.delete(order, slice(start, start + size))
    to = int(generator.integers(0, len(rest) + 1))
    return np.insert(rest, to, order[start : start + size])
