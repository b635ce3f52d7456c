"""A Keras model cut in two at the input of a dense layer.

The gradient of a dense kernel says much of the layer's input, whatever lies around it. What
the model makes of that input, and how it comes from a picture, are functions of their own.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from attacks import coupling
from attacks import knowledge as knowledge_lib
from attacks.structure import dense_layers as dense_lib
from attacks.structure import graph as graph_lib
from selenc_tf import eager_tracing
from selenc_tf.models import functional, joining, objectives
from selenc_tf.types import Weights


class Cut(NamedTuple):
    """A model below and above the input of one of its dense layers, in float64.

    Attributes:
      layer: The dense layer, the first one above the cut.
      below: `(weights, inputs [b, *input_shape] in [0, 1]) -> features [b, f]`, all
        float64, in inference mode.
      above: `(weights, features [b, f]) -> [b, num_classes]`, logits or values. All of
        them take all weights of the model.
      into: `(weights, features [b, f]) -> [b, units]`, the layer's own linear map, before
        its activation.
      after: `(weights, into's outputs) -> [b, num_classes]`: `above` is both. None where
        a path leads from the layer's input around the layer.
    """

    layer: dense_lib.DenseLayer
    below: Callable[[Weights, tf.Tensor], tf.Tensor]
    above: Callable[[Weights, tf.Tensor], tf.Tensor]
    into: Callable[[Weights, tf.Tensor], tf.Tensor]
    after: Callable[[Weights, tf.Tensor], tf.Tensor] | None


def cuts(model: functional.FunctionalModel, *, double: bool = True) -> tuple[Cut, ...]:
    """Cuts a model at every dense layer through whose input all of it passes.

    Runs on: attacker. Sees: the architecture.

    Args:
      model: The model.
      double: Whether in float64, or else in the model's own precision, which is faster.

    Returns:
      The cuts from the picture upwards, at least one.

    Raises:
      DoesNotApply: If no dense layer on one vector for each example has the whole model on
        its two sides, or examples of a batch depend on each other.
    """
    if coupling.mixes_examples(model):
        raise knowledge_lib.DoesNotApply(
            f"`knowledge.model` ({model.name}) must compute each example by itself, but "
            f"its layer {_mixing_layer(model)!r} normalises by statistics of the batch."
        )
    layers = dense_lib.dense_layers(model)
    try:
        run = functional.in_float64(model) if layers and double else model
    except ValueError as error:
        raise knowledge_lib.DoesNotApply(str(error)) from error
    calls = graph_lib.single_calls(run.keras_model)
    own = {layer.name: layer for layer in run.keras_model.layers}
    found = (
        _cut(run, layer, own[layer.name], calls[id(own[layer.name])])
        for layer in layers
    )
    passed = tuple(one for one in found if one is not None)
    if not passed:
        raise knowledge_lib.DoesNotApply(
            f"`knowledge.model` ({model.name}) must have a dense layer on one vector for "
            "each example, through which all of the model passes, and be made of "
            f"`keras.Input`s, but {_what_else(layers)}."
        )
    return passed


def _cut(
    model: functional.FunctionalModel,
    layer: dense_lib.DenseLayer,
    dense: keras.layers.Dense,
    call: graph_lib.Call,
) -> Cut | None:
    graph = graph_lib.graph_of(model.keras_model)
    try:
        upper = keras.Model(call.input, graph.outputs[0])
    except ValueError:
        # A path around the layer: its input does not determine the outputs.
        return None
    lower = keras.Model(graph.inputs, call.input)
    run_lower, run_upper = stateless(model, lower), stateless(model, upper)
    task = model.task

    def below(weights: Weights, inputs: tf.Tensor) -> tf.Tensor:
        return run_lower(weights, own_inputs(model, inputs))

    def above(weights: Weights, values: tf.Tensor) -> tf.Tensor:
        # `from_task` has made sure of one output.
        return objectives.logits(task.outputs, run_upper(weights, [values]))

    into, after = _halves(model, layer, dense, call.output, graph.outputs[0])
    return Cut(
        layer,
        eager_tracing.isolated(below),
        eager_tracing.isolated(above),
        eager_tracing.isolated(into),
        None if after is None else eager_tracing.isolated(after),
    )


def _halves(
    model: functional.FunctionalModel,
    layer: dense_lib.DenseLayer,
    dense: keras.layers.Dense,
    output: Any,
    outputs: Any,
) -> tuple[
    Callable[[Weights, tf.Tensor], tf.Tensor],
    Callable[[Weights, tf.Tensor], tf.Tensor] | None,
]:
    """`Cut.into` and `Cut.after`."""
    paths = [one.path for one in model.keras_model.trainable_variables]
    kernel = paths.index(dense.kernel.path)
    # A bias that is not trained stays what it is.
    bias = None if dense.bias is None or layer.bias else dense.bias.numpy()
    trained = paths.index(dense.bias.path) if layer.bias else None

    def into(weights: Weights, features: tf.Tensor) -> tf.Tensor:
        product = tf.matmul(features, weights[kernel])
        if trained is not None:
            return product + weights[trained]
        return product if bias is None else product + tf.constant(bias)

    if layer.head:
        # What its activation makes of logits is the loss's business.
        return into, lambda _, values: values
    try:
        run = stateless(model, keras.Model(output, outputs))
    except ValueError:
        return into, None

    def after(weights: Weights, values: tf.Tensor) -> tf.Tensor:
        found = run(weights, [dense.activation(values)])
        return objectives.logits(model.task.outputs, found)

    return into, after


def own_inputs(model: functional.FunctionalModel, inputs: tf.Tensor) -> list[tf.Tensor]:
    """Examples as the Keras model takes them.

    Args:
      model: The model.
      inputs: [b, *input_shape] in [0, 1].

    Returns:
      Its inputs, one after the other, in its own units.
    """
    own, scale = inputs, model.value_range
    if not scale.is_unit:
        low, high = (tf.cast(bound, inputs.dtype) for bound in scale)
        own = low + inputs * (high - low)
    several = not isinstance(model.task.inputs, tf.TensorSpec)
    parts = joining.split(model.task.inputs, own) if several else own
    found: list[tf.Tensor] = tf.nest.flatten(parts)
    return found


def stateless(
    model: functional.FunctionalModel, part: keras.Model
) -> Callable[[Weights, list[tf.Tensor]], Any]:
    """A part of the model as a function of the whole model's weights.

    Args:
      model: The model.
      part: A model of the same layers.

    Returns:
      `(weights, inputs of the part) -> its outputs`, in inference mode.
    """
    whole, places = model.keras_model, model.task.places
    index = {id(one): at for at, one in enumerate(whole.trainable_variables)}
    trained = [index[id(one)] for one in part.trainable_variables]
    others = {id(one): at for at, one in enumerate(whole.non_trainable_variables)}
    fixed = [others[id(one)] for one in part.non_trainable_variables]
    # As an array: graphs take no eager tensors of another graph's making.
    state = [tensor.numpy() for tensor in model.task.initial_state]

    def run(weights: Weights, inputs: list[tf.Tensor]) -> tf.Tensor:
        moving = tuple(tf.constant(value) for value in state)
        values = places.assembled(moving, model.seed)
        outputs, _ = part.stateless_call(
            [weights[at] for at in trained],
            [values[at] for at in fixed],
            inputs if len(inputs) > 1 else inputs[0],
            training=False,
        )
        return outputs

    return run


def _mixing_layer(model: functional.FunctionalModel) -> str:
    layers = model.keras_model._flatten_layers(include_self=False)
    moving = {
        id(model.keras_model.non_trainable_variables[at])
        for at in model.task.places.moving
    }
    for layer in layers:
        own = layer.non_trainable_variables
        if not isinstance(layer, keras.Model) and any(id(one) in moving for one in own):
            return str(layer.name)
    return model.name


def _what_else(layers: tuple[dense_lib.DenseLayer, ...]) -> str:
    if not layers:
        return "it has no such layer"
    names = ", ".join(repr(layer.name) for layer in layers)
    return f"there is a path around {names}"
