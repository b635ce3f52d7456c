"""Which units of a first dense layer a ReLU silenced, from entries and from the mask.

A silent unit has zeros in its row of the next kernel's gradient, and in its column of its
own kernel's (`layer_signs.py`).
"""

from typing import NamedTuple

import keras
import numpy as np

from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.continuous.features import layer_signs
from attacks.structure import dense_layers as dense_lib
from attacks.structure import graph as graph_lib
from attacks.structure import network as network_lib
from selenc_tf.models import functional


class Rectified(NamedTuple):
    """A dense layer on the example itself, with a ReLU, and the dense layer behind.

    Attributes:
      layer: The former.
      following: The latter.
    """

    layer: dense_lib.DenseLayer
    following: dense_lib.DenseLayer


class UnitSigns(NamedTuple):
    """The signs of a layer's outputs before its ReLU.

    Attributes:
      signs: int8 [units], 1 where a unit is on, -1 where it is silent, 0 where that is
        not known.
      by_mask: Whether hidden entries were taken for entries that are not zero.
    """

    signs: np.ndarray
    by_mask: bool


def find(model: functional.FunctionalModel) -> Rectified:
    """Finds the layers.

    Runs on: attacker. Sees: the architecture.

    Args:
      model: The model. Only its layers' configuration is read.

    Returns:
      Both layers.

    Raises:
      DoesNotApply: If the model does not begin so.
    """
    layers = {one.name: one for one in dense_lib.dense_layers(model)}
    own = {one.name: one for one in model.keras_model.layers}
    calls = graph_lib.single_calls(model.keras_model)

    def behind(name: str) -> keras.layers.Layer | None:
        """The only layer that takes this one's output."""
        output = calls[id(own[name])].output
        takers = [
            layer
            for layer in model.keras_model.layers
            if id(layer) in calls and calls[id(layer)].input is output
        ]
        return takers[0] if len(takers) == 1 else None

    first = next((one for one in layers.values() if one.sees_picture), None)
    if first is not None:
        rectified = own[first.name].activation is keras.activations.relu
        after = behind(first.name)
        if not rectified and after is not None and network_lib.is_relu(after):
            rectified, after = True, behind(after.name)
        if rectified and after is not None and after.name in layers:
            return Rectified(first, layers[after.name])
    raise knowledge_lib.DoesNotApply(
        f"`knowledge.model` ({model.name}) must begin with a dense layer on the example "
        "itself, a ReLU and another dense layer for signs of units to be read, but it "
        "does not."
    )


def read(target: target_lib.Target, found: Rectified) -> UnitSigns:
    """Reads the signs.

    Runs on: attacker. Sees: the mask, and the visible entries of the two layers.

    Args:
      target: The gradient of one example, finite where visible.
      found: The layers.

    Returns:
      The signs, of those units that something visible speaks for.
    """
    shown = layer_signs.Shown(found.layer, found.following)
    read_off = layer_signs.read(target, (shown,))
    return UnitSigns(read_off.signs[0], read_off.by_mask)
