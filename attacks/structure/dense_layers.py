"""Where a model's dense layers lie in the flat vector, and which one sees the picture."""

from typing import NamedTuple

import keras
import numpy as np

from attacks.structure import graph
from selenc_tf.models import functional

_PASSIVE = (keras.layers.InputLayer, keras.layers.Flatten, keras.layers.Reshape)


class DenseLayer(NamedTuple):
    """A dense layer on one vector per picture.

    Attributes:
      name: Its name in the model.
      kernel: Slice of the flat vector: row-major [features, units].
      features: Length of its input.
      units: Length of its output.
      bias: Slice of its bias, or None where it has none.
      sees_picture: Whether its input is the flattened picture itself.
      head: Whether its output is the logits.
    """

    name: str
    kernel: slice
    features: int
    units: int
    bias: slice | None
    sees_picture: bool
    head: bool


def slices_of(model: functional.FunctionalModel) -> dict[str, slice]:
    """Where each tensor of a model lies in the flat vector, by its name."""
    ends = np.cumsum(model.spec.sizes)
    return {
        name: slice(int(end) - size, int(end))
        for name, end, size in zip(
            model.spec.names, ends, model.spec.sizes, strict=True
        )
    }


def dense_layers(model: functional.FunctionalModel) -> tuple[DenseLayer, ...]:
    """Lists the dense layers whose input is one vector per picture.

    The gradient of such a kernel over b pictures is a sum of b outer products. (A dense
    layer on a sequence has one for each position, and is not listed.)

    Runs on: attacker. Sees: the architecture.

    Args:
      model: The model. Only its layers' configuration is read.

    Returns:
      The layers in the model's order; none for a model with nested models.
    """
    places = slices_of(model)
    layers, calls = model.keras_model.layers, graph.single_calls(model.keras_model)
    found = []
    for index, layer in enumerate(layers):
        # Not a subclass, which may compute something else.
        if type(layer) is not keras.layers.Dense or id(layer) not in calls:
            continue
        if layer.kernel.path not in places or len(calls[id(layer)].input.shape) != 2:
            continue
        features, units = layer.kernel.shape
        bias = None if layer.bias is None else places.get(layer.bias.path)
        found.append(
            DenseLayer(
                name=layer.name,
                kernel=places[layer.kernel.path],
                features=int(features),
                units=int(units),
                bias=bias,
                sees_picture=_only_flattened(layers[:index], features, model),
                head=_gives_scores(layer, layers[index + 1 :], model),
            )
        )
    return tuple(found)


def first_after_picture(
    model: functional.FunctionalModel,
) -> keras.layers.Layer | None:
    """The first layer that does more than to bring the picture into another shape.

    Args:
      model: The model. Only its layers' configuration is read.

    Returns:
      The layer in the model's order, or None.
    """
    layers = model.keras_model.layers
    return next((layer for layer in layers if not isinstance(layer, _PASSIVE)), None)


def _only_flattened(
    before: list[keras.layers.Layer], features: int, model: functional.FunctionalModel
) -> bool:
    return features == int(np.prod(model.input_shape)) and all(
        isinstance(layer, _PASSIVE) for layer in before
    )


def _gives_scores(
    layer: keras.layers.Dense,
    after: list[keras.layers.Layer],
    model: functional.FunctionalModel,
) -> bool:
    """Whether its output is `FunctionalModel.apply`'s, the probabilities' logits too."""
    linear = layer.activation is keras.activations.linear
    if after:
        # The activation as a layer of its own.
        return linear and len(after) == 1 and _is_last_activation(after[0])
    return linear or model.task.outputs.scale in ("softmax", "sigmoid")


def _is_last_activation(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, keras.layers.Softmax):
        return layer.axis == -1
    return isinstance(layer, keras.layers.Activation) and layer.activation in (
        keras.activations.linear,
        keras.activations.softmax,
        keras.activations.sigmoid,
    )
