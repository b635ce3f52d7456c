"""Models that draw random numbers, to an attacker who does not know the draws."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from attacks.refusal import DoesNotApply
from selenc_tf.models import functional, rebuilding, tracing, variables
from selenc_tf.models.any_model import AnyModel

_RATES = ("rate", "dropout", "recurrent_dropout", "stddev")
"""What Keras' random layers call the strength of what they draw."""


def check(model: AnyModel) -> None:
    """Refuses to compute as if a client's random draws were known.

    Raises:
      DoesNotApply: If the model draws random numbers in a step.
    """
    if model.task.is_random:
        raise DoesNotApply(
            f"`knowledge.model` ({model.name}) must not draw random numbers "
            "(dropout, noise), whose seeds at the client nobody else knows. Declare "
            "`knowledge.without_draws`, with which an attack of the catalogue computes "
            "without them."
        )


def without(model: functional.FunctionalModel) -> functional.FunctionalModel:
    """The same model with nothing drawn: dropout and noise of strength 0.

    Args:
      model: A model that Keras can build again from its configuration.

    Returns:
      A model with the same weights, that computes in inference mode what the given one
      computes there.

    Raises:
      DoesNotApply: If what a layer draws cannot be turned off.
    """
    source = model.task
    silent = {
        layer.name
        for layer in source.keras_model._flatten_layers(include_self=False)
        if any(inner._seed_generators for inner in layer._flatten_layers())
    }

    def change(config: dict[str, Any]) -> dict[str, Any]:
        if config.get("name") not in silent:
            return config
        return {
            key: 0.0 if key in _RATES and isinstance(value, int | float) else value
            for key, value in config.items()
        }

    if not source.is_random:
        return model
    rebuilt = rebuilding.rebuilt(source.keras_model, change)
    traced = tracing.trace(rebuilt, source.inputs)
    places = variables.of_model(rebuilt, traced.updated)
    task = dataclasses.replace(source, keras_model=rebuilt, places=places)
    if places.seeds or len(places.moving) != len(source.places.moving):
        raise _cannot(model)
    found = functional.from_task(
        task, input_shape=model.input_shape, value_range=model.value_range
    )._replace(initial_weights=model.initial_weights)
    probe = tf.constant(
        np.random.default_rng(0).uniform(size=(2, *model.input_shape)), tf.float32
    )
    ours, theirs = (one.apply(model.initial_weights, probe) for one in (found, model))
    if not np.allclose(ours, theirs, rtol=1e-4, atol=1e-5):
        raise _cannot(model)
    return found


def _cannot(model: functional.FunctionalModel) -> DoesNotApply:
    return DoesNotApply(
        f"`knowledge.model` ({model.name}) must have random layers that a rate of 0 "
        "silences, as Keras' dropout, but some layer still draws. Give the attacker a "
        "model without it."
    )
