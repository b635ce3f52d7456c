"""What a metric needs of its context, or an error that says what to do."""

from typing import NamedTuple, TypeVar

import tensorflow as tf

from selenc_tf import flatten
from selenc_tf.models.functional import FunctionalModel
from selenc_tf.significance.context import ScoreBatch, ScoreContext
from selenc_tf.types import Vector, Weights

_T = TypeVar("_T")


class Examples(NamedTuple):
    """Everything that it takes to differentiate the loss of the examples again.

    Attributes:
      model: The architecture.
      weights: Where to differentiate, as the tensors of `model.spec`.
      batch: The examples.
    """

    model: FunctionalModel
    weights: Weights
    batch: ScoreBatch


def gradient(context: ScoreContext, metric: str) -> Vector:
    """Returns the gradient to score, float32 [n].

    Args:
      context: What the metric was given.
      metric: The metric's name, for the message.

    Raises:
      ValueError: If it is missing, or not as long as the layout.
    """
    return _as_long_as_layout(
        context, context.gradient, "gradient", metric, "Pass the gradient, flat."
    )


def weights(context: ScoreContext, metric: str) -> Vector:
    """Returns the weights that the server broadcast, float32 [n].

    Args:
      context: What the metric was given.
      metric: The metric's name, for the message.

    Raises:
      ValueError: If they are missing, or not as long as the layout.
    """
    return _as_long_as_layout(
        context, context.weights, "weights", metric, "Pass the broadcast weights, flat."
    )


def update(context: ScoreContext, metric: str) -> Vector:
    """Returns the change of the weights by local training, float32 [n].

    Args:
      context: What the metric was given.
      metric: The metric's name, for the message.

    Raises:
      ValueError: If it is missing, or not as long as the layout.
    """
    return _as_long_as_layout(
        context,
        context.update,
        "update",
        metric,
        "Pass the weights after local training minus those before it, flat.",
    )


def examples(context: ScoreContext, metric: str) -> Examples:
    """Returns the examples with the model and the weights to differentiate at.

    Args:
      context: What the metric was given.
      metric: The metric's name, for the message.

    Raises:
      ValueError: If model, weights or batch are missing, weights and model do not go
        together, or the model is one of other examples than numbers.
      InvalidArgumentError: When run, if the batch is empty.
    """
    fix = "Only a client has its examples: run this metric there."
    model = _present(context.model, "model", metric, "Pass the functional model.")
    batch = _present(context.batch, "batch", metric, fix)
    if not isinstance(model, FunctionalModel):
        raise ValueError(
            f"`{metric}` needs `ScoreContext.model` to be one of pictures or numbers, got "
            f"{model.name!r}. Choose a metric that needs no examples, such as `magnitude`."
        )
    tensors = flatten.unflatten(weights(context, metric), model.spec)
    return Examples(model, tensors, _not_empty(batch))


def _not_empty(batch: ScoreBatch) -> ScoreBatch:
    # Eager TensorFlow raises here; in a graph the inputs have to wait for the check.
    check = tf.debugging.assert_positive(
        tf.shape(batch.inputs)[0],
        "`ScoreContext.batch` must have at least one example. Score a client without "
        "examples by a metric that needs none, such as `random`.",
    )
    with tf.control_dependencies([] if check is None else [check]):
        return batch._replace(inputs=tf.identity(batch.inputs))


def _as_long_as_layout(
    context: ScoreContext, value: Vector | None, field: str, metric: str, fix: str
) -> Vector:
    present = _present(value, field, metric, fix)
    # A vector of one entry would otherwise be broadcast without a word.
    if not present.shape.is_compatible_with([context.spec.size]):
        raise ValueError(
            f"`ScoreContext.{field}` must have the {context.spec.size} entries of "
            f"`ScoreContext.spec`, got the shape {present.shape}. Pass vectors and the "
            "layout of one model."
        )
    return present


def _present(value: _T | None, field: str, metric: str, fix: str) -> _T:
    if value is None:
        raise ValueError(
            f"`{metric}` needs `ScoreContext.{field}`, got None. {fix} Or choose a "
            "metric that needs less, such as `random`."
        )
    return value
