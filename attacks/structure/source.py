"""Which activation the input of a layer comes out of."""

from typing import Any

import keras

from attacks.structure import activations, chain, graph
from selenc_tf.models import functional

_PASSIVE = (
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Dropout,
    keras.layers.Permute,
    keras.layers.Identity,
)
"""What only moves numbers around, in inference mode."""


def activation_below(
    model: functional.FunctionalModel, layer: str
) -> activations.Activation:
    """Finds the invertible activation whose outputs are a layer's inputs.

    Runs on: attacker. Sees: the architecture.

    Args:
      model: The model.
      layer: Name of one of its layers, which is called once.

    Returns:
      The activation; `activations.LINEAR` if there is none that can be undone.
    """
    calls = graph.single_calls(model.keras_model)
    own = calls.get(id(model.keras_model.get_layer(layer)))
    tensor: Any = own and own.input
    while tensor is not None:
        operation = tensor._keras_history.operation
        found = chain.activation_of(operation)
        if found is not None and found != activations.LINEAR:
            return found
        plain = isinstance(operation, keras.layers.Activation) and found is not None
        if not (plain or isinstance(operation, _PASSIVE)):
            break
        below = calls.get(id(operation))
        tensor = below and below.input
    return activations.LINEAR
