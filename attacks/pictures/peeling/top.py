"""The dense layers of one picture: their inputs, and the derivatives by them."""

from typing import NamedTuple

import numpy as np

from attacks import target as target_lib
from attacks.continuous.analytic import completed_target, r_gap_head
from attacks.structure import dense_layers as dense_lib

_SURE = 10.0
"""Standard deviations from zero beyond which a solved input counts as positive."""


class Known(NamedTuple):
    """What is known at one depth of the network.

    Attributes:
      values: float64, the activations; zero where not known.
      known: bool of that shape.
      derivative: float64 of that shape, dL by the activations. It reaches through a ReLU
        or a pooling only once the activations are known.
      entries: Number of gradient entries used so far.
    """

    values: np.ndarray
    known: np.ndarray
    derivative: np.ndarray
    entries: int


def read(
    target: target_lib.Target,
    weights: tuple[np.ndarray, ...],
    layers: tuple[dense_lib.DenseLayer, ...],
    label: int,
) -> Known | None:
    """Reads the input of the lowest dense layer off the gradients of all of them.

    The head says what p - y is, its hidden rows too if they are few (`r_gap_head.py`).
    Below it a kernel's gradient is the input times the derivative by the outputs, which
    is known from above, so every input is the least-squares quotient of its row's
    visible entries.

    Runs on: attacker. Sees: the weights and the visible entries of the dense layers.

    Args:
      target: The gradient of one picture.
      weights: All tensors of the model, in which the dense layers are the last.
      layers: The dense layers from below, the head last.
      label: The picture's class.

    Returns:
      What is known of the flat input; None if the head does not show p - y, or a layer
      above another is not known completely.
    """
    vector = np.where(target.visible, target.plain, np.float32(0)).astype(np.float64)
    tensors = [np.asarray(tensor, np.float64) for tensor in weights]
    kernels, biases = [], []
    for layer in reversed(layers):
        biases.append(np.zeros(layer.units) if layer.bias is None else tensors.pop())
        kernels.append(tensors.pop())
    head = r_gap_head.read(
        vector, target.visible, layers[-1], kernels[0], biases[0], label
    )
    if head is None or not head.delta_known.all():
        return None
    # A zero that was solved for, and so is not quite one, would let a derivative through.
    unsure = np.abs(head.features) < _SURE * head.errors
    lowest = len(layers) == 1
    found = Known(
        np.where(unsure, 0.0, head.features),
        head.features_known & ~unsure if lowest else head.features_known,
        kernels[0] @ head.delta,
        head.entries,
    )
    for layer, kernel in zip(reversed(layers[:-1]), kernels[1:], strict=True):
        if not found.known.all():
            return None
        delta = found.derivative * (found.values > 0)
        part = completed_target.read_layer(vector, target.visible, layer)
        seen, rows = part.known[:-1], part.values[:-1]
        energy = seen @ np.square(delta)
        known = energy > 0
        found = Known(
            values=np.where(known, rows @ delta / np.where(known, energy, 1.0), 0.0),
            known=known,
            derivative=kernel @ delta,
            entries=found.entries + int(np.count_nonzero(seen)),
        )
    return found
