"""A learning task as pure functions of its weights alone.

The client of a federated SGD round, the metrics and the attacker all use these
functions, so that what is attacked is what was sent.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from selenc_tf import eager_tracing, flatten
from selenc_tf.models import joining, objectives, rebuilding, structures, variables
from selenc_tf.models import labels as labels_lib
from selenc_tf.models import task as task_lib
from selenc_tf.models.any_model import AnyModel
from selenc_tf.models.objectives import Kind
from selenc_tf.models.task import LearningTask
from selenc_tf.models.tracing import Output
from selenc_tf.models.twice_differentiable import whole_moments
from selenc_tf.models.value_range import UNIT, ValueRange
from selenc_tf.types import Seed, Vector, Weights

_SEED = (0, 0)
"""Of dropout, where nobody says another: the same masks in every gradient."""


class FunctionalModel(NamedTuple):
    """A task with one output, its inputs as one tensor, its state and seed bound.

    Attributes:
      name: The architecture's name, as results report it.
      input_shape: Shape of one example, without the batch axis; that of a vector where
        the task has several inputs (`joining`).
      num_classes: Length of an example's output: logits of classes or of events, or
        values.
      spec: Layout of the flat gradient.
      initial_weights: The trainable tensors at the start.
      apply: `(weights, inputs [b, *input_shape]) -> [b, num_classes]` logits or values,
        in inference mode and in the model's dtype (float32; `in_float64` makes the
        other).
      keras_model: The Keras model that the functions were made from. Its variables are
        never read or written by them.
      kind: What is learned.
      losses: `(weights, inputs, labels [b, num_classes]) -> [b]`, the loss of each
        example, the model's own penalties in each of them, in the task's mode; labels
        are numbers (`objectives.soft`).
      task: What all of this is made of.
      value_range: The model's own units. `inputs` of all functions here are in [0, 1].
      seed: Of dropout and noise.
    """

    name: str
    input_shape: tuple[int, ...]
    num_classes: int
    spec: flatten.FlatSpec
    initial_weights: Weights
    apply: Callable[[Weights, tf.Tensor], tf.Tensor]
    keras_model: keras.Model
    kind: Kind
    losses: Callable[[Weights, tf.Tensor, tf.Tensor], tf.Tensor]
    task: LearningTask
    value_range: ValueRange
    seed: Seed

    @property
    def batch_spec(self) -> tuple[tf.TensorSpec, tf.TensorSpec]:
        """Examples in [0, 1], and labels as the loss takes them, of any number."""
        examples = tf.TensorSpec([None, *self.input_shape], tf.float32)
        return examples, self.task.objective.rules.spec


def from_keras(
    model: keras.Model,
    name: str | None = None,
    *,
    loss: object = None,
    training: bool = True,
) -> FunctionalModel:
    """Makes the pure functions of a Keras 3 model.

    Args:
      model: A model with one input and one output.
      name: What results call it; the model's own name by default.
      loss: As `objectives.recognise` takes it.
      training: Whether gradients are taken in training mode; see `task.from_keras`.

    Returns:
      The functional model, starting from the model's present weights.

    Raises:
      ValueError: As `task.from_keras` and `from_task`.
    """
    return from_task(task_lib.from_keras(model, loss, training=training, name=name))


def from_task(
    task: LearningTask,
    *,
    seed: Seed = _SEED,
    input_shape: tuple[int, ...] | None = None,
    value_range: ValueRange = UNIT,
) -> FunctionalModel:
    """Binds a task's state and seed.

    Args:
      task: With one input, or several of numbers, and one output.
      seed: Of dropout and noise; every gradient draws the same.
      input_shape: Of one example, where the model leaves sizes open.
      value_range: The interval of the data in the model's own units.

    Returns:
      The functional model, starting from the task's weights and state.

    Raises:
      ValueError: If there are several outputs or several inputs that are not all
        numbers, a size is open, no attack and metric knows the loss, or the model holds
        constant what depends on its inputs.
    """
    output, several = task.outputs, not isinstance(task.inputs, tf.TensorSpec)
    if not isinstance(output, Output) or task.objective.kind == "other":
        raise ValueError(
            f"The loss {task.objective.name!r} of {task.name!r} must be the cross-entropy "
            "of classes or of events, or a squared error, of one output [batch, size], to "
            "be attacked or scored by examples."
        )
    if task.held:
        raise ValueError(
            f"{task.name!r} must not hold constant what depends on its inputs, to be "
            f"attacked or scored, but {task.held[0]!r} does (tf.stop_gradient): the "
            "derivative of its gradients would be wrong. TFF trains it as it is."
        )
    shape = (joining.width(task.inputs),) if several else _shape(task, input_shape)
    kind = task.objective.kind
    # As arrays: TensorFlow 1 graphs, which TFF builds, take no eager tensors.
    start = [tensor.numpy() for tensor in task.initial_state]

    def call(weights: Weights, inputs: tf.Tensor, training: bool) -> task_lib.Run:
        own, state = inputs, tuple(tf.constant(value) for value in start)
        if not value_range.is_unit:
            low, high = (tf.cast(bound, inputs.dtype) for bound in value_range)
            own = low + inputs * (high - low)
        parts = joining.split(task.inputs, own) if several else own
        with whole_moments():
            return task_lib.run(
                task, weights, state, parts, training=training, seed=seed
            )

    def apply(weights: Weights, inputs: tf.Tensor) -> tf.Tensor:
        return objectives.logits(output, call(weights, inputs, False).outputs)

    def losses(weights: Weights, inputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        ran = call(weights, inputs, task.training)
        scores = objectives.logits(output, ran.outputs)
        return objectives.soft(kind, labels, scores) + ran.penalty

    return FunctionalModel(
        name=task.name,
        input_shape=shape,
        num_classes=int(output.shape[1] or 0),
        spec=task.spec,
        initial_weights=task.initial_weights,
        apply=eager_tracing.isolated(apply),
        keras_model=task.keras_model,
        kind=kind,
        losses=eager_tracing.isolated(losses),
        task=task,
        value_range=value_range,
        seed=seed,
    )


def _shape(task: LearningTask, given: tuple[int, ...] | None) -> tuple[int, ...]:
    own = task.inputs.shape[1:]
    shape = tuple(own) if given is None else given
    if None in shape or not own.is_compatible_with(shape):
        raise ValueError(
            f"`input_shape` must say every size of an example of {task.name!r}, which "
            f"takes {tuple(own)}, got {shape}."
        )
    return shape


def in_float64(model: FunctionalModel) -> FunctionalModel:
    """The same functions computed in float64, for attacks that need the precision.

    Args:
      model: A model that Keras can build again from its configuration.

    Returns:
      A model with the same architecture, weights and state in float64.

    Raises:
      ValueError: If it cannot be built again.
    """
    rebuilt = rebuilding.in_dtype(model.task.keras_model, "float64")
    double = rebound(model, rebuilt, tf.float64)
    return double._replace(
        initial_weights=tuple(tf.cast(one, tf.float64) for one in model.initial_weights)
    )


def rebound(
    model: FunctionalModel, keras_model: keras.Model, dtype: tf.DType = tf.float32
) -> FunctionalModel:
    """The same task, seed and units with another Keras model of the same architecture.

    Args:
      model: Whose loss, mode, seed and value range stay.
      keras_model: Its values are taken.
      dtype: What it computes in.

    Returns:
      The functional model.
    """
    source = model.task
    places = variables.of_model(keras_model, source.places.updated)
    moving = [keras_model.non_trainable_variables[at] for at in places.moving]
    task = dataclasses.replace(
        source,
        keras_model=keras_model,
        places=places,
        inputs=structures.mapped(lambda spec: _in_dtype(spec, dtype), source.inputs),
        initial_weights=variables.values(keras_model.trainable_variables),
        initial_state=variables.values(moving),
    )
    return from_task(
        task,
        seed=model.seed,
        input_shape=model.input_shape,
        value_range=model.value_range,
    )


def _in_dtype(spec: tf.TensorSpec, dtype: tf.DType) -> tf.TensorSpec:
    return tf.TensorSpec(spec.shape, dtype) if spec.dtype.is_floating else spec


def targets(model: AnyModel, labels: tf.Tensor) -> tf.Tensor:
    """Labels as data have them, as the numbers that `FunctionalModel.losses` takes.

    Runs on: client. Sees: its labels.

    Args:
      model: The model.
      labels: As the task's objective takes them: integers [b] of classes, or numbers
        [b, num_classes].

    Returns:
      float32 [b, num_classes]; the labels themselves where there are several classes
      for each example, or only the loss knows what they are.

    Raises:
      ValueError: If they have another shape.
      InvalidArgumentError: When run, if a label is out of range.
    """
    rule = model.task.objective.rules
    known = labels_lib.checked(rule, labels)
    # Of every position, as of next tokens, numbers would take far too much room.
    one_each = rule.classes and known.shape.rank == 1
    return tf.one_hot(known, model.num_classes) if one_each else known


def mean_loss(
    model: AnyModel, weights: Weights, inputs: Any, labels: tf.Tensor
) -> tf.Tensor:
    """The mean loss of a batch, a scalar; see `FunctionalModel.losses`."""
    return tf.reduce_mean(model.losses(weights, inputs, labels))


def gradient(
    model: AnyModel, weights: Weights, inputs: Any, labels: tf.Tensor
) -> Vector:
    """The flat gradient of the mean loss with respect to the weights.

    Runs on: client (its own batch), and the attacker (a candidate batch). Twice
    differentiable, so the attacker can differentiate it by `inputs` and `labels`.

    Args:
      model: The model.
      weights: Where the gradient is taken.
      inputs: [b, *input_shape], in the dtype of the weights; of other models, what
        their `losses` take.
      labels: [b, num_classes] of that dtype, see `targets`.

    Returns:
      [n] in the dtype of the weights; embeddings are dense.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(weights)
        loss = mean_loss(model, weights, inputs, labels)
    gradients = tape.gradient(
        loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    return flatten.flatten([tf.convert_to_tensor(part) for part in gradients])
