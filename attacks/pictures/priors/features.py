"""What goes into a model's normalisation layers and its head, as functions of weights."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from attacks import knowledge
from attacks.structure import graph
from selenc_tf.models import functional
from selenc_tf.types import Weights


class Probe(NamedTuple):
    """The inputs of some layers.

    Attributes:
      apply: `(weights, images [b, h, w, c]) -> inputs`, one tensor for each layer.
      means: Running means of the layers that normalise, float32 [channels] each.
      variances: Their running variances.
    """

    apply: Callable[[Weights, tf.Tensor], tuple[tf.Tensor, ...]]
    means: tuple[np.ndarray, ...]
    variances: tuple[np.ndarray, ...]


def normalisation_inputs(model: functional.FunctionalModel) -> Probe:
    """The inputs and the public statistics of all batch-normalisation layers.

    Runs on: attacker. Sees: the architecture, with the statistics that it broadcasts.

    Args:
      model: A model made from a functional or sequential Keras model.

    Returns:
      The probe.

    Raises:
      DoesNotApply: If the model has no such layer.
    """
    layers = [
        layer
        for layer in model.keras_model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    if not layers:
        raise knowledge.DoesNotApply(
            f"`model` must have batch normalisations for a prior on their statistics, "
            f"{model.name} has none. Set the prior's weight to 0."
        )
    return Probe(
        _inputs_of(model, layers),
        tuple(np.asarray(layer.moving_mean) for layer in layers),
        tuple(np.asarray(layer.moving_variance) for layer in layers),
    )


def head_inputs(model: functional.FunctionalModel) -> Probe:
    """The input of the last dense layer.

    Args:
      model: A model made from a functional or sequential Keras model.

    Returns:
      The probe, with one layer.

    Raises:
      DoesNotApply: If the model has no dense layer.
    """
    layers = [
        layer
        for layer in model.keras_model.layers
        if isinstance(layer, keras.layers.Dense)
    ]
    if not layers:
        raise knowledge.DoesNotApply(
            f"`model` must have a dense layer for a feature prior, {model.name} has "
            "none. Set the prior's weight to 0."
        )
    return Probe(_inputs_of(model, layers[-1:]), (), ())


def _inputs_of(
    model: functional.FunctionalModel, layers: list[keras.layers.Layer]
) -> Callable[[Weights, tf.Tensor], tuple[tf.Tensor, ...]]:
    whole, calls = model.keras_model, graph.single_calls(model.keras_model)
    twice = [layer.name for layer in layers if id(layer) not in calls]
    if twice:
        raise knowledge.DoesNotApply(
            f"`model` must call each layer that a prior reads once, {model.name} does not "
            f"call {', '.join(map(repr, twice))} so. Set the prior's weight to 0."
        )
    tensors = [calls[id(layer)].input for layer in layers]
    part = keras.Model(graph.graph_of(whole).inputs, tensors)
    # The same variables, perhaps fewer of them and in another order.
    places = {id(variable): i for i, variable in enumerate(whole.trainable_variables)}
    order = [places[id(variable)] for variable in part.trainable_variables]
    frozen = tuple(variable.numpy() for variable in part.non_trainable_variables)

    def apply(weights: Weights, images: tf.Tensor) -> tuple[tf.Tensor, ...]:
        values, _ = part.stateless_call(
            [weights[index] for index in order],
            [tf.convert_to_tensor(value) for value in frozen],
            [model.value_range.from_unit(images)],
            training=False,
        )
        return tuple(values) if isinstance(values, list | tuple) else (values,)

    return apply
