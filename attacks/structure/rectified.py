"""Units behind ReLUs whose zeros the gradient of a dense layer shows.

The gradient of a dense kernel is the layer's input times the derivative by its outputs. A
ReLU makes zeros of both: of the input where it comes out of one, through poolings too, and
of the derivative where one follows. Which entries are zero is therefore the sign of what
enters the ReLU, and that is a function of the example that can be searched.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from attacks import coupling
from attacks import knowledge as knowledge_lib
from attacks.structure import cut as cut_lib
from attacks.structure import dense_layers as dense_lib
from attacks.structure import graph as graph_lib
from attacks.structure import network as network_lib
from selenc_tf import eager_tracing
from selenc_tf.models import functional
from selenc_tf.types import Weights

_SAME = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.Identity,
)
"""Leave every number where it is, in inference mode."""

_MOVING = (
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Permute,
    keras.layers.Cropping1D,
    keras.layers.Cropping2D,
    keras.layers.MaxPooling1D,
    keras.layers.MaxPooling2D,
    keras.layers.GlobalMaxPooling1D,
    keras.layers.GlobalMaxPooling2D,
)
"""May change places with a ReLU, as numbers are moved or the largest is taken."""

_MOVING_OPERATIONS = ("Max", "Reshape", "Transpose")


class Units(NamedTuple):
    """Numbers that enter a ReLU, in the order in which a dense layer has them.

    Attributes:
      name: Of the layer that the ReLU is, or is part of.
      size: How many.
      channels: Numbers that lie `channels` apart come of the same weights.
      columns_of: The dense layer whose outputs they are, or None.
      rows_of: The dense layer that takes what the ReLU makes of them, or None.
    """

    name: str
    size: int
    channels: int
    columns_of: dense_lib.DenseLayer | None
    rows_of: dense_lib.DenseLayer | None


class Rectified(NamedTuple):
    """All such units of a model.

    Attributes:
      units: At least one group.
      outputs: `(weights, inputs [b, *input_shape] in [0, 1]) -> ([b, size], ...)`, what
        enters the ReLU, for each group; in inference mode, in the model's own precision.
    """

    units: tuple[Units, ...]
    outputs: Callable[[Weights, tf.Tensor], tuple[tf.Tensor, ...]]


def find(model: functional.FunctionalModel) -> Rectified:
    """Finds the units, whatever layers the model has below and between.

    Runs on: attacker. Sees: the architecture.

    Args:
      model: The model. Only its layers' configuration is read.

    Returns:
      The groups from the example upwards.

    Raises:
      DoesNotApply: If no dense layer has a ReLU before or behind it, with the layer that
        is there instead, or examples of a batch depend on each other.
    """
    if coupling.mixes_examples(model):
        raise _refusal(model, "it normalises by statistics of the batch")
    dense = dense_lib.dense_layers(model)
    if not dense:
        raise _refusal(model, "it has no dense layer on one vector for each example")
    taken = _Taken.of(model)
    found: dict[Any, tuple[Units, Any]] = {}
    for layer in dense:
        for units, tensor in (_before(taken, layer), _behind(taken, layer)):
            if units is None:
                continue
            known = found.get(id(tensor))
            if known is not None:
                units = known[0]._replace(columns_of=known[0].columns_of, rows_of=layer)
            found[id(tensor)] = (units, tensor)
    if not found:
        other = _maker(_way_down(taken, dense[0]).tensor)
        kind = type(other).__name__
        raise _refusal(model, f"its layer {other.name!r} ({kind}) is another")
    tensors = [tensor for _, tensor in found.values()]
    part = keras.Model(taken.model.inputs, tensors)
    run = cut_lib.stateless(functional.rebound(model, taken.model), part)

    def outputs(weights: Weights, inputs: tf.Tensor) -> tuple[tf.Tensor, ...]:
        values = run(weights, cut_lib.own_inputs(model, inputs))
        return tuple(values) if isinstance(values, list | tuple) else (values,)

    return Rectified(
        tuple(units for units, _ in found.values()), eager_tracing.isolated(outputs)
    )


class _Taken(NamedTuple):
    """A model taken apart: activations that are ReLUs are operations of their own.

    Attributes:
      model: It.
      inputs: Of each layer, by its name.
      outputs: Before the ReLU that is part of the layer, if one is.
    """

    model: keras.Model
    inputs: dict[str, Any]
    outputs: dict[str, Any]

    @classmethod
    def of(cls, model: functional.FunctionalModel) -> "_Taken":
        inputs: dict[str, Any] = {}
        outputs: dict[str, Any] = {}
        fused: set[str] = set()

        def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
            config = layer.get_config()
            if getattr(layer, "activation", None) is keras.activations.relu:
                if not network_lib.is_relu(layer):
                    fused.add(layer.name)
                    config = {**config, "activation": "linear"}
            return type(layer).from_config(config)

        def call(layer: keras.layers.Layer, *given: Any, **named: Any) -> Any:
            inputs[layer.name] = given[0] if given else None
            outputs[layer.name] = layer(*given, **named)
            if layer.name in fused:
                return keras.ops.relu(outputs[layer.name])
            return outputs[layer.name]

        try:
            cloned = keras.models.clone_model(
                graph_lib.graph_of(model.keras_model),
                clone_function=clone,
                call_function=call,
            )
            cloned.set_weights(model.keras_model.get_weights())
        except (ValueError, TypeError, NotImplementedError, RuntimeError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise _refusal(model, f"Keras cannot build it again ({reason})") from error
        return cls(cloned, inputs, outputs)


def _behind(taken: _Taken, layer: dense_lib.DenseLayer) -> tuple[Units | None, Any]:
    """The layer's own outputs, where a ReLU and nothing else takes them."""
    output = taken.outputs[layer.name]
    takers = [
        node.operation
        for level in taken.model._nodes_by_depth.values()
        for node in level
        if any(one is output for one in node.input_tensors)
    ]
    if len(takers) != 1 or not _is_relu(takers[0]):
        return None, None
    return Units(layer.name, layer.units, layer.units, layer, None), output


def _before(taken: _Taken, layer: dense_lib.DenseLayer) -> tuple[Units | None, Any]:
    """What enters the ReLU that the layer's input comes out of."""
    way = _way_down(taken, layer)
    tensor = _entering(way.tensor)
    if not _is_relu(_maker(way.tensor)) or tensor is None:
        return None, None
    name, channels = _maker(tensor).name, int(tensor.shape[-1])
    for operation in reversed(way.moved):
        tensor = operation(tensor)
    if len(tensor.shape) != 2:
        return None, None
    return Units(name, layer.features, channels, None, layer), tensor


class _Way(NamedTuple):
    """From a dense layer's input down to the first operation that makes new numbers.

    Attributes:
      tensor: What that operation makes.
      moved: Those between that move numbers, from the dense layer downwards.
    """

    tensor: Any
    moved: list[Any]


def _way_down(taken: _Taken, layer: dense_lib.DenseLayer) -> _Way:
    tensor = taken.inputs[layer.name]
    moved: list[Any] = []
    while True:
        operation, below = _maker(tensor), _entering(tensor)
        if below is None or not (_moves(operation) or isinstance(operation, _SAME)):
            return _Way(tensor, moved)
        if _moves(operation):
            moved.append(operation)
        tensor = below


def _maker(tensor: Any) -> Any:
    return tensor._keras_history.operation


def _entering(tensor: Any) -> Any:
    """The first input of the operation that makes a tensor; None of a model's input."""
    history = tensor._keras_history
    inputs = history.operation._inbound_nodes[history.node_index].input_tensors
    return inputs[0] if inputs else None


def _is_relu(operation: Any) -> bool:
    return network_lib.is_relu(operation) or type(operation).__name__ == "Relu"


def _moves(operation: Any) -> bool:
    if isinstance(operation, keras.layers.Layer):
        return isinstance(operation, _MOVING)
    return type(operation).__name__ in _MOVING_OPERATIONS


def _refusal(
    model: functional.FunctionalModel, where: str
) -> knowledge_lib.DoesNotApply:
    return knowledge_lib.DoesNotApply(
        f"`knowledge.model` ({model.name}) must have a ReLU before or behind a dense "
        "layer, at most with poolings between, for signs of units to be read, but "
        f"{where}."
    )
