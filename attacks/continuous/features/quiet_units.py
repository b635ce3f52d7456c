"""Which units are likely off for one example of a batch and on for the others.

A draw of b - 1 units tells an example if all of them are off for it and the other
examples' derivatives there are independent. With units drawn evenly that happens once in
2^(b - 1) draws. But the layer's inputs for the examples are combinations q of the span's
b directions, and whether a unit is on is the sign of a linear function of q. So units
that are off together for some q are likely off together for an example: a q is drawn at
random, and then units whose outputs for it are far below zero. Several in a hundred such
draws tell an example, whatever the size of the batch.

Every example that is found confines the others: its row v of the unmixing matrix has
v q = 0 for every other example. With all but one found the last one's q is known.
"""

from typing import NamedTuple

import numpy as np

from attacks.continuous.features import layer as layer_lib
from attacks.continuous.features import span as span_lib

_SIZES = (0.5, 1.0, 2.0, 4.0)
"""Of the entries of q, relative to that of the direction that all examples share."""
_CENTRES = (0.05, 0.4)
"""Shares of all q for which the drawn units are on, about, and"""
_WIDTHS = (0.05, 0.1, 0.15)
"""how far from that: some unit is to be on for each of the other examples."""
_PULLS = (1.0, 2.0, 3.0)
"""How much rarer units are drawn the larger their outputs are for the q of a draw."""
_STEEP, _LEAST, _LARGEST = 4.0, -2.0, 3.0
"""A pull's share of outputs of root mean square 1, and its range."""
_EVENLY = 8
"""One draw in so many is even, for layers of which these outputs say nothing."""


class Outputs(NamedTuple):
    """The layer's outputs as far as the span says them.

    Attributes:
      through: float64 [u, r], what the directions add to the outputs, biases included.
      ones: float64 [r], the span's row of ones: ones q = 1 for every example.
    """

    through: np.ndarray
    ones: np.ndarray


def outputs(layer: layer_lib.Layer, span: span_lib.Span) -> Outputs:
    """What a span says of the outputs of its units.

    Args:
      layer: The layer.
      span: Of its inputs; what is unknown of them is left out.

    Returns:
      The outputs of the units that the span has.
    """
    rows, left = span.rows[:-1], span.left[:-1]
    through = layer.kernel.T[:, rows] @ left[rows] + np.outer(layer.bias, span.left[-1])
    return Outputs(through[span.columns], span.left[-1])


def draw(
    outputs: Outputs,
    found: np.ndarray,
    count: int,
    size: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """Draws units without repeating one.

    Runs on: attacker. Sees: what it is given.

    Args:
      outputs: Of u units.
      found: float64 [k < r, r], independent rows of the unmixing matrix.
      count: How many to a draw, at most u.
      size: How many draws.
      generator: Of what is drawn.

    Returns:
      int [size, count].
    """

    def each(values: tuple[float, ...]) -> np.ndarray:
        return generator.choice(np.asarray(values), size)[:, np.newaxis]

    combined = _combinations(outputs.ones, found, each(_SIZES), generator)
    each_output = combined @ outputs.through.T
    rates = np.mean(each_output > 0, axis=0)
    spread = np.sqrt(np.mean(np.square(each_output), axis=1, keepdims=True))
    relative = each_output / np.where(spread > 0, spread, 1.0)
    centres = generator.uniform(*_CENTRES, size)[:, np.newaxis]
    logits = -np.square((rates - centres) / each(_WIDTHS)) / 2
    logits -= each(_PULLS) * np.clip(_STEEP * relative, _LEAST, _LARGEST)
    logits[::_EVENLY] = 0.0
    # The largest of logits plus Gumbel noise are a draw without repetition.
    keys = logits + generator.gumbel(size=logits.shape)
    drawn: np.ndarray = np.argpartition(-keys, count - 1, axis=1)[:, :count]
    return drawn


def _combinations(
    ones: np.ndarray,
    found: np.ndarray,
    sizes: np.ndarray,
    generator: np.random.Generator,
) -> np.ndarray:
    """Random q [n, r] of which none is an example that was found, sizes [n, 1]."""
    common = 1.0 / ones[0] if ones[0] else 1.0
    noise = generator.standard_normal((len(sizes), len(ones)))
    drawn = common * sizes * noise
    drawn[:, 0] = common
    # Under the conditions normal numbers stay normal, moved by the shortest way.
    conditions = np.vstack([ones, found])
    wanted = np.zeros(len(conditions))
    wanted[0] = 1.0
    lengths = np.linalg.norm(conditions, axis=1)
    conditions, wanted = conditions / lengths[:, np.newaxis], wanted / lengths
    moved = (drawn @ conditions.T - wanted) @ np.linalg.pinv(conditions).T
    return drawn - moved
