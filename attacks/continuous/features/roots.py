"""What a dense layer hands on, from the derivative of the loss by it.

The derivative d of one example's loss by the layer's outputs z is a function of z and the
label: d = act'(z) (W (softmax(W act(z) + b) - e_y)) where the next layer is the head. So d,
which an outer product shows, is as many equations as z has numbers. Behind an activation
whose slope varies they have few solutions, and z = K^T h + b is linear in the layer's
input h, of which rows may be hidden. (A ReLU's slope does not vary: d says which units are
on, and no more than the logits of the rest.)
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import optimize

from attacks.continuous.features import layer as layer_lib
from attacks.continuous.features import span as span_lib

_STARTS = 6
"""Starts for a label that has a solution: there may be several solutions."""

_STEPS = 20

_FITS = 1e-6
"""Largest error of the derivatives, relative to their size, of a solution."""

_APART = 1e-3
"""Relative distance from which two solutions are two."""

_DETERMINED = 0.1
"""Largest error of the outputs relative to their size, root mean squares."""


class Root(NamedTuple):
    """Outputs that explain a derivative.

    Attributes:
      outputs: float64 [u], before the layer's activation.
      errors: float64 [u], standard deviations: what float32 leaves of the derivatives.
      label: The class.
    """

    outputs: np.ndarray
    errors: np.ndarray
    label: int


def find(
    layer: layer_lib.Layer,
    slopes: np.ndarray,
    labels: Sequence[int],
    start: np.ndarray,
) -> tuple[Root, ...]:
    """Finds the outputs.

    Runs on: attacker. Sees: the weights and what was read.

    Args:
      layer: Of a model that learns classes.
      slopes: float64 [u], the derivative by all of its outputs.
      labels: Classes that the example may have.
      start: float64 [u], about what the outputs are.

    Returns:
      All that were found; none where the derivatives do not determine them, or no class
      explains them.
    """
    size = float(np.sqrt(np.mean(np.square(slopes))))
    if layer.head or size == 0.0:
        return ()
    spread = float(np.sqrt(np.mean(np.square(start)))) or 1.0
    generator = np.random.default_rng(0)
    others = start + spread * generator.standard_normal((_STARTS, start.size))
    found: list[Root] = []
    for label in labels:
        first = _root(layer, slopes, label, start)
        if first is None:
            first = _root(layer, slopes, label, others[0])
        if first is None:
            continue
        found.append(first)
        for other in others[1:]:
            more = _root(layer, slopes, label, other)
            if more is not None and not any(_same(more, one) for one in found):
                found.append(more)
    return tuple(found)


def errors(slopes: np.ndarray) -> np.ndarray:
    """What float32 leaves of derivatives [u] by outputs, standard deviations."""
    size = np.sqrt(np.mean(np.square(slopes)))
    found: np.ndarray = span_lib.ROUNDING * (np.abs(slopes) + size)
    return found


def _same(one: Root, other: Root) -> bool:
    apart = np.linalg.norm(one.outputs - other.outputs)
    near = apart <= _APART * np.linalg.norm(other.outputs)
    return one.label == other.label and bool(near)


def _root(
    layer: layer_lib.Layer,
    slopes: np.ndarray,
    label: int,
    start: np.ndarray,
) -> Root | None:
    """The solution that steps from a start lead to, or None."""
    sigma = errors(slopes)
    told = np.zeros((1, layer.slopes.classes))
    told[0, label] = 1.0
    directions = np.eye(start.size)[:, np.newaxis]

    def off(outputs: np.ndarray) -> np.ndarray:
        made = layer.slopes.slopes(outputs[np.newaxis], told)[0]
        missed: np.ndarray = (made - slopes) / sigma
        return missed

    def jacobian(outputs: np.ndarray) -> np.ndarray:
        bends = layer.slopes.bends(outputs[np.newaxis], told, directions)[:, 0]
        matrix: np.ndarray = bends.T / sigma[:, np.newaxis]
        return matrix

    ended = optimize.least_squares(
        off, start, jacobian, xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=_STEPS
    )
    outputs = ended.x
    missed = np.linalg.norm(ended.fun * sigma)
    if not missed <= _FITS * np.linalg.norm(slopes):
        return None
    _, singular, right = np.linalg.svd(jacobian(outputs))
    if not singular[-1] > 0:
        return None
    deviations = np.sqrt(np.sum(np.square(right / singular[:, np.newaxis]), axis=0))
    if not np.linalg.norm(deviations) <= _DETERMINED * np.linalg.norm(outputs):
        return None
    return Root(outputs, deviations, label)
