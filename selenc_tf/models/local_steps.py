"""Federated averaging, unrolled: what a client that trains locally sends.

McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized
Data", AISTATS 2017, algorithm 1 (the client's part), differentiated through as Geiping
et al., "Inverting Gradients: How easy is it to break privacy in federated learning?",
NeurIPS 2020, section 6, do.

The pictures are in the order in which the client takes them. Within a batch their order
changes nothing, since a step takes a mean; between batches it does. So labels that an
attacker declares (`Knowledge.labels`) have to be sorted into the batches, and
reconstructed pictures come out in that order.
"""

import operator
from typing import Any, NamedTuple

import tensorflow as tf

from selenc_tf.models import functional
from selenc_tf.models.any_model import AnyModel
from selenc_tf.types import Vector, Weights


class LocalTraining(NamedTuple):
    """How a client makes its update, where it is not one gradient (federated averaging).

    Plain gradient descent over the examples in a fixed order, in batches; the update is
    the client's weights before minus those after, divided by `learning_rate`, so that
    one step sends the gradient.

    Attributes:
      learning_rate: > 0.
      epochs: Passes over the examples, at least 1.
      batch_size: Examples of a step; None for all in one step.
    """

    learning_rate: float
    epochs: int = 1
    batch_size: int | None = None


def num_steps(training: LocalTraining | None, num_pictures: int) -> int:
    """The gradients that a message is the sum of.

    Args:
      training: How the message was made; None for one gradient.
      num_pictures: The client's pictures.

    Returns:
      At least 1. Every pass ends with a smaller batch where the sizes do not divide.

    Example:
      >>> num_steps(LocalTraining(learning_rate=0.1, epochs=2, batch_size=2), 5)
      6
    """
    if training is None:
        return 1
    size = training.batch_size or num_pictures
    return training.epochs * -(-num_pictures // size)


def update(
    model: AnyModel,
    weights: Weights,
    examples: Any,
    labels: tf.Tensor,
    training: LocalTraining | None,
) -> Vector:
    """(weights before - after) / learning rate, after local gradient descent.

    Runs on: client (its own examples), and the attacker (a candidate). Differentiable by
    examples and labels. It is the sum of the steps' gradients, which is the same number
    without the cancellation; so one step over all examples gives
    `functional.gradient` exactly.

    Args:
      model: The model.
      weights: Before the first step.
      examples: [b, *input_shape], in the order in which they are taken; of other models,
        what their `losses` take, with the batch axis first everywhere.
      labels: [b, num_classes] probabilities.
      training: The steps; None for one gradient.

    Returns:
      [n] in the dtype of the weights.

    Example:
      Two steps with gradients g1 (at w) and g2 (at w - rate * g1) give g1 + g2.
    """
    if training is None:
        return functional.gradient(model, weights, examples, labels)
    count = int(tf.nest.flatten(examples)[0].shape[0])
    size = training.batch_size or count
    total = None
    steps = num_steps(training, count)
    per_epoch = steps // training.epochs
    for step in range(steps):
        first = (step % per_epoch) * size
        part = slice(first, min(first + size, count))
        own = tf.nest.map_structure(operator.itemgetter(part), examples)
        slope = functional.gradient(model, weights, own, labels[part])
        total = slope if total is None else total + slope
        if step + 1 < steps:
            weights = _moved(model, weights, slope, training.learning_rate)
    return total


def _moved(
    model: AnyModel,
    weights: Weights,
    slope: Vector,
    learning_rate: float,
) -> Weights:
    parts = tf.split(slope, list(model.spec.sizes))
    return tuple(
        tensor - learning_rate * tf.reshape(part, tensor.shape)
        for tensor, part in zip(weights, parts, strict=True)
    )
