"""Trained weights back in the Keras model that they came from."""

from typing import Any

import keras
import numpy as np
import tensorflow_federated as tff

from selenc_tf.models import task as task_lib
from selenc_tf.models.task import LearningTask


def to_keras(
    weights: tff.learning.models.ModelWeights,
    model: keras.Model | LearningTask,
    *,
    inputs: Any = None,
) -> keras.Model:
    """Puts what a process has learned into a Keras model, statistics included.

    Args:
      weights: `process.get_model_weights(state)`.
      model: The model that `federated.tff_model` was given, or one like it.
      inputs: `tf.TensorSpec`s of a batch, for a model that does not say what it takes.

    Returns:
      The same Keras model, with the new values.

    Raises:
      ValueError: If the weights are of another model.
    """
    target = model.keras_model if isinstance(model, LearningTask) else model
    moving = []
    if len(listed(weights.non_trainable)):
        specs = model.inputs if isinstance(model, LearningTask) else inputs
        moving = task_lib.moving_variables(target, specs)
    for what, variables, values in (
        ("trainable weights", target.trainable_variables, weights.trainable),
        ("statistics", moving, weights.non_trainable),
    ):
        _put(what, target.name, variables, listed(values))
    return target


def _put(what: str, name: str, variables: list[Any], values: list[np.ndarray]) -> None:
    found, own = [one.shape for one in values], [tuple(one.shape) for one in variables]
    if found != own:
        raise ValueError(
            f"`weights` must have the {what} of {name!r}, of the shapes {own}, got {found}."
            " Take the model that `federated.tff_model` was given."
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def listed(values: Any) -> list[np.ndarray]:
    """One part of `ModelWeights` as arrays in Keras' order.

    Args:
      values: Its `trainable` or `non_trainable`, a list or what `federated.tff_model`
        makes of it: a dictionary whose keys are numbered in that order.

    Returns:
      The arrays.
    """
    if isinstance(values, dict):
        return [np.asarray(values[key]) for key in sorted(values)]
    return [np.asarray(one) for one in values]
