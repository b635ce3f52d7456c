"""A Keras model as pure functions of its weights.

The client, the aggregator and the attacker all use these functions, so that what is
attacked is what was sent.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from selenc_tf import flatten
from selenc_tf.types import Vector, Weights


class FunctionalModel(NamedTuple):
    """A classifier without state of its own.

    Attributes:
      name: The architecture's name, as results report it.
      input_shape: Shape of one example, without the batch axis.
      num_classes: Length of the logits.
      spec: Layout of the flat gradient.
      initial_weights: The trainable tensors at the start.
      apply: `(weights, inputs [b, *input_shape]) -> logits [b, num_classes]`, in
        inference mode and in the model's dtype (float32; `in_float64` makes the other).
      keras_model: The Keras model that the functions were made from. Its variables are
        never read or written by them.
    """

    name: str
    input_shape: tuple[int, ...]
    num_classes: int
    spec: flatten.FlatSpec
    initial_weights: Weights
    apply: Callable[[Weights, tf.Tensor], tf.Tensor]
    keras_model: keras.Model


def from_keras(model: keras.Model, name: str | None = None) -> FunctionalModel:
    """Makes the pure functions of a built Keras 3 classifier that returns logits.

    Args:
      model: A built model with one input and one output `[batch, num_classes]`.
        Non-trainable state (normalisation statistics) is frozen at its present values.
      name: What results call it; the model's own name by default.

    Returns:
      The functional model, starting from the model's present weights.

    Raises:
      ValueError: If the model is not built, has no trainable weights, or does not map
        one tensor to `[batch, num_classes]`.
    """
    if not model.built:
        raise ValueError(
            f"`model` must be built, but {model.name!r} is not. Call it once on a batch"
            " or give its first layer an `Input` shape."
        )
    if not model.trainable_variables:
        raise ValueError(
            f"`model` must have trainable weights, but {model.name!r} has none: there "
            "is no gradient to protect. Set `layer.trainable = True` on some layer."
        )
    output_shape = getattr(model, "output_shape", None)
    if not (isinstance(output_shape, tuple) and len(output_shape) == 2):
        raise ValueError(
            f"`model` must map one tensor to logits [batch, num_classes], but the "
            f"output shape of {model.name!r} is {output_shape}."
        )
    variables = model.trainable_variables
    spec = flatten.FlatSpec(
        names=tuple(variable.path for variable in variables),
        shapes=tuple(tuple(variable.shape) for variable in variables),
    )
    frozen = tuple(variable.numpy() for variable in model.non_trainable_variables)

    def apply(weights: Weights, inputs: tf.Tensor) -> tf.Tensor:
        logits, _ = model.stateless_call(
            list(weights),
            [tf.convert_to_tensor(value) for value in frozen],
            inputs,
            training=False,
        )
        return logits

    return FunctionalModel(
        name=name or model.name,
        input_shape=tuple(model.input_shape[1:]),
        num_classes=int(output_shape[1]),
        spec=spec,
        initial_weights=tuple(tf.constant(variable.numpy()) for variable in variables),
        apply=apply,
        keras_model=model,
    )


def in_float64(model: FunctionalModel) -> FunctionalModel:
    """The same functions computed in float64, for attacks that need the precision.

    Args:
      model: A model whose layers can be rebuilt from their configuration (custom layers
        have to be registered with `keras.saving.register_keras_serializable`).

    Returns:
      A model with the same architecture, weights and frozen state in float64.
    """
    config = _with_dtype(model.keras_model.get_config(), "float64")
    rebuilt = type(model.keras_model).from_config(config)
    rebuilt.set_weights(model.keras_model.get_weights())
    return from_keras(rebuilt, name=model.name)._replace(
        spec=model.spec,
        initial_weights=tuple(
            tf.cast(tensor, tf.float64) for tensor in model.initial_weights
        ),
    )


def _with_dtype(config: Any, dtype: str) -> Any:
    """Replaces every float dtype and dtype policy in a Keras configuration."""
    if isinstance(config, dict):
        return {
            key: dtype
            if key == "dtype" and not _is_integer_dtype(value)
            else _with_dtype(value, dtype)
            for key, value in config.items()
        }
    if isinstance(config, list | tuple):
        return type(config)(_with_dtype(item, dtype) for item in config)
    return config


def _is_integer_dtype(value: Any) -> bool:
    return isinstance(value, str) and not value.startswith(("float", "bfloat"))


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean cross-entropy of a batch.

    Args:
      labels: [b, c] probabilities (one-hot for known labels; an attacker may optimise
        over soft ones).
      logits: [b, c].

    Returns:
      A scalar.
    """
    # TensorFlow's fused operation takes labels for constants in its second derivative
    # (2.20), so an attacker who optimises over them would stand still.
    return -tf.reduce_mean(
        tf.reduce_sum(labels * tf.nn.log_softmax(logits, axis=-1), axis=-1)
    )


def gradient(
    model: FunctionalModel, weights: Weights, inputs: tf.Tensor, labels: tf.Tensor
) -> Vector:
    """The flat gradient of the mean cross-entropy with respect to the weights.

    Runs on: client (its own batch), and the attacker (a candidate batch). Twice
    differentiable, so the attacker can differentiate it by `inputs` and `labels`.

    Args:
      model: The model.
      weights: Where the gradient is taken.
      inputs: [b, *input_shape], in the dtype of the weights.
      labels: [b, num_classes] probabilities of that dtype.

    Returns:
      [n] in the dtype of the weights; embeddings are dense.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(weights)
        loss = cross_entropy(labels, model.apply(weights, inputs))
    gradients = tape.gradient(
        loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    return flatten.flatten([tf.convert_to_tensor(part) for part in gradients])
