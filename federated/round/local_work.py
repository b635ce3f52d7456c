"""What a client computes on its own examples, before anything is protected."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from federated.round import wiring
from selenc_tf import flatten
from selenc_tf.models import functional, local_steps
from selenc_tf.models.any_model import AnyModel
from selenc_tf.models.local_steps import LocalTraining
from selenc_tf.significance.context import ScoreBatch, ScoreContext
from selenc_tf.types import Seed, Vector


class Batch(NamedTuple):
    """A client's examples.

    Attributes:
      examples: As the model's `batch_spec` has them: float32 [b, *input_shape] of
        numbers.
      labels: As the model's loss takes them: int32 [b] of classes, or float32 numbers.
    """

    examples: Any
    labels: Any


class ModelBroadcast(NamedTuple):
    """The weights that the server sends to every client."""

    weights: Any


def placed_types(model: AnyModel) -> tuple[tff.Type, tff.Type]:
    """The types of what a round starts from: the weights@SERVER, a `Batch`@CLIENTS."""
    batch = Batch(*(tff.types.tensorflow_to_type(part) for part in model.batch_spec))
    return (
        tff.FederatedType(
            [(np.float32, shape) for shape in model.spec.shapes], tff.SERVER
        ),
        tff.FederatedType(batch, tff.CLIENTS),
    )


def broadcast(weights: tff.Value) -> tff.Value:
    """Wires the broadcast of the server's weights: a `ModelBroadcast` at the clients."""
    sent = wiring.apply(lambda tensors: ModelBroadcast(tensors), weights)
    return tff.federated_broadcast(sent)


def gradient(model: AnyModel, weights: Any, batch: Batch) -> Vector:
    """The client's gradient.

    Runs on: client. Sees: its own batch.

    Args:
      model: The model.
      weights: Where the gradient is taken.
      batch: The client's examples.

    Returns:
      float32 [n].

    Raises:
      InvalidArgumentError: When run, if the batch is empty.
    """
    return functional.gradient(
        model, tuple(weights), batch.examples, _targets(model, batch)
    )


class LocalWork(NamedTuple):
    """A client's local training, where it sends an update instead of a gradient.

    Attributes:
      training: The steps.
      num_examples: The number of examples that every client has, static.
    """

    training: LocalTraining
    num_examples: int


def vector(
    model: AnyModel,
    weights: Any,
    batch: Batch,
    work: LocalWork | None,
) -> Vector:
    """What the client sends: its gradient, or the update of its local training.

    Runs on: client. Sees: its own batch.

    Args:
      model: The model.
      weights: Where the work begins.
      batch: The client's examples, in the order in which steps take them.
      work: The local training; None for one gradient.

    Returns:
      float32 [n]; zeros without examples.

    Raises:
      InvalidArgumentError: When run, if the batch is neither empty nor of
        `num_examples`.
    """

    def work_on() -> Vector:
        if work is None:
            return gradient(model, weights, batch)
        own = tf.nest.map_structure(
            lambda part: tf.ensure_shape(part, [work.num_examples, *part.shape[1:]]),
            batch.examples,
        )
        return local_steps.update(
            model, tuple(weights), own, _targets(model, batch), work.training
        )

    return if_any(batch, model.spec.size, work_on)


def if_any(batch: Batch, n: int, compute: Callable[[], Vector]) -> Vector:
    """What `compute` makes of the examples, float32 [n]; zeros if there are none."""
    return tf.cond(
        tf.shape(batch.labels)[0] > 0,
        lambda: tf.ensure_shape(compute(), [n]),
        lambda: tf.zeros([n]),
    )


def presence(batch: Batch) -> tf.Tensor:
    """The weight of a client where all count the same: 1, or 0 without examples."""
    return tf.cast(tf.shape(batch.labels)[0] > 0, tf.float32)


def score_context(
    model: AnyModel,
    weights: Any,
    batch: Batch,
    own_gradient: Vector,
    seed: Seed,
) -> ScoreContext:
    """All that a client knows when it scores its own gradient.

    Runs on: client. Sees: its own batch. The scores are as secret as the gradient.

    Args:
      model: The model.
      weights: Where the gradient was taken.
      batch: The client's examples.
      own_gradient: float32 [n], from `gradient`.
      seed: The public seed of the mask.

    Returns:
      The context, with every field. The update is that of one step of federated SGD
      with a learning rate of one.
    """
    return ScoreContext(
        gradient=own_gradient,
        seed=tf.constant(seed, tf.int32),
        spec=model.spec,
        weights=flatten.flatten(list(weights)),
        update=-own_gradient,
        batch=ScoreBatch(batch.examples, _targets(model, batch)),
        model=model,
    )


def _targets(model: AnyModel, batch: Batch) -> tf.Tensor:
    check = tf.debugging.assert_positive(
        tf.shape(batch.labels)[0],
        "A client has no data: give every client of the cohort at least one example",
    )
    with tf.control_dependencies([op for op in (check,) if op is not None]):
        return functional.targets(model, tf.identity(batch.labels))
