"""Which activation the input of a layer comes out of."""

from typing import Any

import keras

from attacks.structure import activations, chain
from attacks.structure import dense_layers as dense_lib
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
    tensor: Any = dense_lib.single_inputs(model.keras_model).get(
        id(model.keras_model.get_layer(layer))
    )
    while tensor is not None:
        operation = tensor._keras_history.operation
        found = chain.activation_of(operation)
        if found is not None and found != activations.LINEAR:
            return found
        plain = isinstance(operation, keras.layers.Activation) and found is not None
        if not (plain or isinstance(operation, _PASSIVE)):
            break
        tensor = operation.input
    return activations.LINEAR
