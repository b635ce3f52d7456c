"""Which units of a first dense layer a ReLU silenced, from entries and from the mask.

A silent unit has zeros in its row of the next kernel's gradient, and in its column of its
own kernel's. An entry that is not zero says the contrary. A mask that hides the largest
entries says as much by what it hides: zeros come last, those of lower index first, so that
behind the first visible zero of a tensor every hidden entry is none.
"""

from typing import NamedTuple

import keras
import numpy as np

from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.continuous.analytic import completed_target
from attacks.structure import dense_layers as dense_lib
from attacks.structure import graph as graph_lib
from attacks.structure import network as network_lib
from selenc_tf.models import functional

_BY_CHANCE = 20.0
"""Hidden entries that silent units had at least to have by chance, for none of them to
say that the mask follows the message: else one in exp(20) masks by lot would do so."""

_FEW = 0.01
"""Share of those that may be hidden all the same: products that float32 makes zero."""


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
    plain = np.where(target.visible, target.plain, np.float32(0)).astype(np.float64)
    on, silent = _evidence(plain, target.visible, found)
    # The mask's word, tried: hidden entries behind the first visible zero as ones. Tensor
    # by tensor, as a policy may share out what it hides.
    late = np.zeros_like(target.visible)
    for part in (found.layer.kernel, found.layer.bias, found.following.kernel):
        if part is not None:
            zeros = target.visible[part] & (plain[part] == 0)
            late[part] = np.maximum.accumulate(zeros)
    hidden = late & ~target.visible
    guess_on, guess_silent = _evidence(
        np.where(hidden, 1.0, plain), target.visible | hidden, found
    )
    follows = _follows(hidden, late, guess_silent, found)
    if follows:
        on, silent = guess_on, guess_silent
    # Zero may be a product too small for float32; another number is never zero.
    signs = np.where(on, 1, np.where(silent, -1, 0)).astype(np.int8)
    return UnitSigns(signs, follows)


def _evidence(
    values: np.ndarray, known: np.ndarray, found: Rectified
) -> tuple[np.ndarray, np.ndarray]:
    """Units with an entry that is not zero, and with a zero that their silence explains."""
    below = completed_target.read_layer(values, known, found.layer)
    above = completed_target.read_layer(values, known, found.following)
    rows, rows_known = above.values[:-1], above.known[:-1]
    on = np.any(below.values != 0, axis=0) | np.any(rows != 0, axis=1)
    # A zero says nothing where an input, or a derivative above, is zero itself.
    derived = np.any(above.values != 0, axis=0)
    inputs = np.any(below.values != 0, axis=1)
    inputs[-1] = inputs.any()
    silent = np.any(rows_known & (rows == 0) & derived, axis=1)
    silent |= np.any(below.known & (below.values == 0) & inputs[:, np.newaxis], axis=0)
    return on, silent


def _follows(
    hidden: np.ndarray, late: np.ndarray, silent: np.ndarray, found: Rectified
) -> bool:
    """Whether no silent unit has hidden entries, though chance would have hidden some."""
    by_chance, there = 0.0, 0
    below, above = (
        completed_target.read_layer(hidden.astype(np.float64), late, layer)
        for layer in (found.layer, found.following)
    )
    for values, inside in (
        (below.values, below.known),
        (above.values[:-1].T, above.known[:-1].T),
    ):
        share = float(np.sum(values)) / max(int(np.count_nonzero(inside)), 1)
        by_chance += share * int(np.count_nonzero(inside[:, silent]))
        there += int(np.count_nonzero(values[:, silent]))
    return by_chance >= _BY_CHANCE and there <= _FEW * by_chance
