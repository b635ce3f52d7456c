"""A learning task: any Keras 3 model and its loss as pure functions.

Clients train it, the aggregator's process starts from it, and what is attacked
(`functional.py`) is made of it, so that all of them compute the same.
"""

import dataclasses
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from selenc_tf import flatten
from selenc_tf.models import (
    contract,
    labels,
    objectives,
    structures,
    tracing,
    variables,
)
from selenc_tf.models.objectives import Objective
from selenc_tf.types import Seed, State, Weights


@dataclasses.dataclass(frozen=True, eq=False)
class LearningTask:
    """What is learned, from what, and how one step is computed.

    Attributes:
      name: The architecture's name, as results report it.
      keras_model: The Keras model that the functions were made from. Its variables are
        never written by them.
      spec: Layout of the flat gradient: the trainable tensors in Keras' order.
      initial_weights: The trainable tensors at the start.
      state_spec: Layout of what training moves beside them (batch statistics), or None.
      initial_state: Its tensors at the start.
      inputs: `tf.TensorSpec`s, nested as the model takes them.
      outputs: An `Output` each, nested as the model returns them.
      objective: The loss.
      training: Whether a step is computed in Keras' training mode (batch statistics,
        dropout) or in inference mode throughout.
      places: Where Keras' non-trainable variables get their values.
      held: Scopes of what depends on inputs and is held constant by `tf.stop_gradient`.
    """

    name: str
    keras_model: keras.Model
    spec: flatten.FlatSpec
    initial_weights: Weights
    state_spec: flatten.FlatSpec | None
    initial_state: State
    inputs: Any
    outputs: Any
    objective: Objective
    training: bool
    places: variables.Variables
    held: tuple[str, ...]

    @property
    def is_random(self) -> bool:
        """Whether a step draws random numbers (dropout, noise)."""
        return self.training and bool(self.places.seeds)


class Run(NamedTuple):
    """What a call of the model gives.

    Attributes:
      outputs: As Keras returns them.
      state: The moving state after the call.
      penalty: A scalar: what the model adds to its loss (regularisers, `add_loss`).
    """

    outputs: Any
    state: State
    penalty: tf.Tensor


class Step(NamedTuple):
    """What a batch gives.

    Attributes:
      loss: A scalar, penalties included.
      outputs: As Keras returns them.
      state: The moving state after the batch.
    """

    loss: tf.Tensor
    outputs: Any
    state: State


def from_keras(
    model: keras.Model,
    loss: Any = None,
    *,
    inputs: Any = None,
    training: bool = True,
    name: str | None = None,
) -> LearningTask:
    """Makes a learning task of a Keras 3 model.

    Args:
      model: Built from `keras.Input`s, or with `inputs`.
      loss: As `objectives.recognise` takes it; that of a compiled model by default.
      inputs: Nested `tf.TensorSpec`s with the batch axis, for a model that does not say
        what it takes.
      training: Whether a step is computed in training mode, as Keras' `fit` does, or in
        inference mode: statistics frozen as they are, no dropout.
      name: What results call it; the model's own name by default.

    Returns:
      The task, starting from the model's present values.

    Raises:
      ValueError: If the model cannot be computed as Keras computes it; every reason is a
        sentence that names the layer.
    """
    contract.check(contract.of_environment())
    if loss is None:
        contract.check(contract.of_training(model))
    inputs = structures.given_inputs(model, inputs)
    if not model.built:
        model(structures.zeros(inputs), **tracing.mode(model, training=False))
    contract.check(contract.of_layers(model))
    traced = tracing.trace(model, inputs)
    contract.check(contract.of_trace(model, traced))
    objective = objectives.recognise(
        objectives.of_compiled(model) if loss is None else loss,
        traced.outputs,
        model.name,
    )
    places = variables.of_model(model, traced.updated)
    moving = [model.non_trainable_variables[at] for at in places.moving]
    contract.check(contract.of_state(model, moving))
    return LearningTask(
        name=name or model.name,
        keras_model=model,
        spec=_layout(model.trainable_variables),
        initial_weights=variables.values(model.trainable_variables),
        state_spec=_layout(moving) if moving else None,
        initial_state=variables.values(moving),
        inputs=inputs,
        outputs=traced.outputs,
        objective=objective,
        training=training,
        places=places,
        held=traced.held,
    )


def moving_variables(model: keras.Model, inputs: Any = None) -> list[Any]:
    """The variables that training moves beside the weights, as `state_spec` has them.

    Args:
      model: Built.
      inputs: As `from_keras` takes them.

    Returns:
      Keras variables.
    """
    traced = tracing.trace(model, structures.given_inputs(model, inputs))
    places = variables.of_model(model, traced.updated)
    return [model.non_trainable_variables[at] for at in places.moving]


def run(
    task: LearningTask,
    weights: Weights,
    state: State,
    inputs: Any,
    *,
    training: bool,
    seed: tf.Tensor | Seed | None = None,
) -> Run:
    """Calls the model.

    Runs on: whoever has inputs. Sees: them.

    Args:
      task: The task.
      weights: As `task.spec` has them.
      state: As `task.state_spec` has it.
      inputs: Nested as `task.inputs`.
      training: The mode of this call, e.g. False to evaluate.
      seed: integers [2], of dropout and noise.

    Returns:
      Outputs, state and penalty.

    Raises:
      ValueError: If the call is random and has no seed, or inputs are nested otherwise.
    """
    if training and task.places.seeds and seed is None:
        raise ValueError(
            f"`seed` must be given for {task.name!r}, which draws random numbers in "
            "training (dropout or noise), got None."
        )
    outputs, after, losses = task.keras_model.stateless_call(
        list(weights),
        task.places.assembled(state, seed),
        structures.like(task.inputs, inputs),
        return_losses=True,
        **tracing.mode(task.keras_model, training=training),
    )
    dtype = weights[0].dtype
    penalty = tf.add_n([tf.cast(one, dtype) for one in losses] or [tf.zeros([], dtype)])
    return Run(outputs, task.places.moved(after), penalty)


def step(
    task: LearningTask,
    weights: Weights,
    state: State,
    inputs: Any,
    labels_: Any,
    *,
    training: bool | None = None,
    seed: tf.Tensor | Seed | None = None,
) -> Step:
    """The loss of a batch, as Keras computes it.

    Runs on: client. Sees: its own batch.

    Args:
      task: The task.
      weights: As `task.spec` has them.
      state: As `task.state_spec` has it.
      inputs: Nested as `task.inputs`.
      labels_: As the task's objective takes them.
      training: The mode; `task.training` by default.
      seed: integers [2], of dropout and noise.

    Returns:
      Loss, outputs and state.

    Raises:
      ValueError: As `run`, or if labels have another shape.
      InvalidArgumentError: When run, if a label is out of range.
    """
    mode = task.training if training is None else training
    ran = run(task, weights, state, inputs, training=mode, seed=seed)
    known = labels.checked(task.objective.rules, labels_)
    value = task.objective.loss(known, ran.outputs)
    return Step(value + tf.cast(ran.penalty, value.dtype), ran.outputs, ran.state)


def _layout(listed: Any) -> flatten.FlatSpec:
    return flatten.FlatSpec(
        names=tuple(variable.path for variable in listed),
        shapes=tuple(tuple(variable.shape) for variable in listed),
    )
