"""What is in a message beside the losses of single examples: penalties, batch statistics.

Attacks that match gradients compute all of it (`FunctionalModel.losses`). Those that read
layers take a message for the mean of the examples' own gradients, and need to know.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from selenc_tf import flatten
from selenc_tf.models import functional, joining
from selenc_tf.models import task as task_lib
from selenc_tf.models.any_model import AnyModel


def mixes_examples(model: AnyModel) -> bool:
    """Whether an example's loss depends on the others of its batch.

    As under the batch statistics of a normalisation in training mode.
    """
    return model.task.training and model.task.state_spec is not None


def penalty_gradient(
    model: functional.FunctionalModel, weights: tuple[np.ndarray, ...]
) -> np.ndarray | float | None:
    """The gradient of what a model adds to its loss, where only weights are in it.

    Runs on: attacker. Sees: the weights.

    Args:
      model: The model, with its regularisers.
      weights: Of the round.

    Returns:
      float32 [n]; 0.0 where nothing is added; None where it depends on examples, as a
      penalty on activities does.
    """
    if not any(_may_add(layer) for layer in model.keras_model._flatten_layers()):
        return 0.0
    task, tensors = model.task, tuple(tf.constant(one) for one in weights)
    inputs = tf.zeros([2, *model.input_shape], tensors[0].dtype)
    several = not isinstance(task.inputs, tf.TensorSpec)
    with tf.GradientTape(watch_accessed_variables=False, persistent=True) as tape:
        tape.watch((tensors, inputs))
        parts = joining.split(task.inputs, inputs) if several else inputs
        penalty = task_lib.run(
            task,
            tensors,
            task.initial_state,
            parts,
            training=task.training,
            seed=(0, 0),
        ).penalty
    if tape.gradient(penalty, inputs) is not None:
        return None
    slopes = tape.gradient(
        penalty, tensors, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    flat = flatten.flatten([tf.convert_to_tensor(one) for one in slopes]).numpy()
    return flat if np.any(flat) else 0.0


def _may_add(layer: Any) -> bool:
    """Whether a layer has a regulariser, or is a user's, which may add anything."""
    if not type(layer).__module__.startswith("keras."):
        return True
    if layer.activity_regularizer is not None:
        return True
    variables = [] if isinstance(layer, keras.Model) else layer.trainable_variables
    return any(getattr(one, "regularizer", None) is not None for one in variables)
