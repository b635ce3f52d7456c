"""The labels of examples whose inputs and derivatives are known.

The derivative of a loss by a layer's outputs is affine in the label. So each class's
derivative is compared with the one that was read: the labels follow, and with them
whether the reading fits the model at all.
"""

from typing import NamedTuple

import numpy as np
from scipy import optimize

from attacks.continuous.features import layer as layer_lib
from attacks.continuous.features import pieces as pieces_lib

_EPSILON = 1e-7
"""What a probability in float32 is uncertain by."""
_FITS = 1e-3
"""Largest misfit of a derivative, relative to its size and what float32 leaves of it."""
_APART = 10.0


class Labelled(NamedTuple):
    """Labels, and how well they explain what was read.

    Attributes:
      labels: int64 [b], or float64 [b, c].
      misfit: float64 [b], root of the squared error of each example's derivative,
        relative to its own size and what float32 leaves.
      sure: bool [b], whether no other class explains it.
    """

    labels: np.ndarray
    misfit: np.ndarray
    sure: np.ndarray

    @property
    def explained(self) -> np.ndarray:
        """Whether the model makes each example's derivative, bool [b]."""
        found: np.ndarray = self.misfit <= _FITS
        return found

    @property
    def fits(self) -> bool:
        """Whether every derivative is one that the model makes."""
        return bool(np.all(self.explained))


def classes(layer: layer_lib.Layer, pieces: pieces_lib.Pieces) -> Labelled:
    """The classes of examples, each by itself.

    Runs on: attacker. Sees: the weights and what was read.

    Args:
      layer: Of a model that learns classes.
      pieces: With all inputs of the layer known.

    Returns:
      The best class of each.
    """
    errors = misfits(layer, pieces)
    order = np.argsort(errors, axis=1, kind="stable")
    rows = np.arange(len(errors))
    best = errors[rows, order[:, 0]]
    second = errors[rows, order[:, 1]]
    return Labelled(
        labels=order[:, 0].astype(np.int64),
        misfit=best,
        sure=second > _APART * np.maximum(best, 1e-6),
    )


def assigned(
    layer: layer_lib.Layer, pieces: pieces_lib.Pieces, labels: np.ndarray
) -> np.ndarray:
    """Which example of a batch has which of its classes.

    Args:
      layer: Of a model that learns classes.
      pieces: With all inputs of the layer known.
      labels: int64 [b], in any order.

    Returns:
      int64 [b]: the index into `labels` of each example, so that all of them together
      fit best.
    """
    errors = misfits(layer, pieces)[:, labels]
    # In orders of magnitude: one that fits exactly is worth many that nearly do.
    found: np.ndarray = optimize.linear_sum_assignment(np.log(errors + 1e-12))[1]
    return found


def misfits(layer: layer_lib.Layer, pieces: pieces_lib.Pieces) -> np.ndarray:
    """How far each class's derivative is from the one that was read, [b, c]."""
    outputs = layer.outputs(pieces.features)
    count, size = layer.slopes.classes, len(outputs)
    each = np.repeat(outputs, count, axis=0)
    model = layer.slopes.slopes(each, np.tile(np.eye(count), (size, 1)))
    model = model.reshape(size, count, -1)[..., pieces.units]
    # A label counts as its derivative does: that of probability one.
    effect = np.abs(model - model.mean(axis=1, keepdims=True))
    data = pieces.slopes[:, None, pieces.units]
    sigma = pieces.slope_errors[:, None, pieces.units] + _EPSILON * effect
    error = np.sqrt(np.sum(np.square(model - data), axis=-1))
    allowed = np.sqrt(np.sum(np.square(data), axis=-1)) + (
        np.sqrt(np.sum(np.square(sigma), axis=-1)) / _FITS * 10
    )
    return error / np.maximum(allowed, 1e-300)
