"""Examples that the model makes, by derivatives of which float32 lost the label's part.

Behind a softmax an example's derivative by the logits is p_j for every other class and
p_y - 1 for its own. Where the network is sure, p_y - 1 is what float32 leaves beside one:
a few multiples of 6e-8, or zero, while each p_j keeps its seven digits however small it
is. So the label's part is a number of its own that is fitted, within what rounding may
have made of it. What is left has to agree in many units, each weighed by how well the
gradient shows it.
"""

from typing import NamedTuple

import numpy as np

from attacks.continuous.features import layer as layer_lib
from attacks.continuous.features import pieces as pieces_lib

_ROUNDED = 3e-7
"""What a probability near one may be off by, after a softmax in float32."""
_LOOSE = 3e-2
_CLOSE = 1e-3
"""Misfits of derivatives that the model makes: of inputs to a few digits, and to many."""
_SEEN = 30.0
"""Least size of a derivative, in units of its errors, that tells anything."""
_CHANCE = 1e-2
"""Most wrong examples, over all classes, that would fit as well."""


class Explained(NamedTuple):
    """The class under which the model explains each example best.

    Attributes:
      labels: int64 [k].
      misfit: float64 [k], error of the derivatives relative to them, weighed by units.
      loosely: bool [k], whether it explains them to a few digits, and
      closely: bool [k], to many.
    """

    labels: np.ndarray
    misfit: np.ndarray
    loosely: np.ndarray
    closely: np.ndarray


def explained(layer: layer_lib.Layer, pieces: pieces_lib.Pieces) -> Explained:
    """Asks the model for every example and class.

    Runs on: attacker. Sees: the weights and what was read.

    Args:
      layer: Of a model that learns classes.
      pieces: k candidates with all inputs of the layer known.

    Returns:
      What explains each of them best, and how well.
    """
    outputs = layer.outputs(pieces.features)
    count, size = layer.slopes.classes, len(outputs)
    each = np.repeat(outputs, count, axis=0)
    labels = np.tile(np.eye(count), (size, 1))
    # Inputs of wrong candidates may be huge: those fit nothing.
    with np.errstate(all="ignore"):
        weights = 1 / pieces.slope_errors[:, None, pieces.units]
        data = pieces.slopes[:, None, pieces.units] * weights

        def weighed(values: np.ndarray) -> np.ndarray:
            shaped = values.reshape(size, count, -1)
            found: np.ndarray = shaped[..., pieces.units] * weights
            return found

        own = weighed(layer.slopes.pulls(each, labels))
        missing = data - weighed(layer.slopes.slopes(each, labels))
        squares = np.maximum(np.sum(np.square(own), axis=-1), 1e-300)
        lost = np.sum(own * missing, axis=-1) / squares
        lost = np.clip(lost, -_ROUNDED, _ROUNDED)[..., None]
        error = np.linalg.norm(missing - lost * own, axis=-1)
        # What the fitted number could explain alone tells nothing.
        told = data - own * (np.sum(own * data, axis=-1) / squares)[..., None]
        length = np.linalg.norm(told, axis=-1)
        units = length**4 / np.maximum(np.sum(told**4, axis=-1), 1e-300)
        misfit = np.nan_to_num(error / length, nan=np.inf)
        best = np.argmin(misfit, axis=1)
        row = np.arange(size)
        misfit, units, length = (one[row, best] for one in (misfit, units, length))
        chance = count * np.minimum(misfit, 1.0) ** (units - 1)
    seen = (length > _SEEN) & (chance < _CHANCE)
    return Explained(best, misfit, seen & (misfit < _LOOSE), seen & (misfit < _CLOSE))
