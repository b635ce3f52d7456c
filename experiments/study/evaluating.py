"""What a model has learned: its meters on examples that no client has."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from experiments.data.dataset import Dataset
from experiments.outputs import chance_accuracy
from experiments.study.modality import Modality
from federated import restoring
from selenc_tf.models import labels as labels_lib
from selenc_tf.models import meters
from selenc_tf.models import task as task_lib
from selenc_tf.models.any_model import AnyModel

_BATCH, _OUTPUTS = 500, 2**27
"""At most so many examples a batch, and so many numbers that are a model's outputs."""


def on(
    modality: Modality, model: AnyModel, test: Dataset
) -> Callable[[tff.learning.models.ModelWeights], dict[str, float]]:
    """Prepares an evaluation in inference mode.

    Args:
      modality: What an example is.
      model: What is trained.
      test: The examples.

    Returns:
      `weights -> value of each meter`: the loss, and the metrics that the model was
      compiled with or that its loss suggests.
    """
    task, measured = model.task, meters.of_task(model.task)

    # Not compiled: a new function in every training would be traced anew.
    def evaluate(trained: tff.learning.models.ModelWeights) -> dict[str, float]:
        weights, state = (
            tuple(tf.constant(one) for one in restoring.listed(part))
            for part in (trained.trainable, trained.non_trainable)
        )
        sums = [[tf.constant(value) for value in meter.initial] for meter in measured]
        for inputs, known in sliced(modality, model, test).batch(_batch_size(model)):
            step = task_lib.step(task, weights, state, inputs, known, training=False)
            known = labels_lib.checked(task.objective.rules, known)
            sums = [
                meter.update(list(one), step.loss, known, step.outputs)
                for meter, one in zip(measured, sums, strict=True)
            ]
        return {
            meter.name: float(meter.result(one))
            for meter, one in zip(measured, sums, strict=True)
        }

    return evaluate


def by_guess(model: AnyModel, test: Dataset) -> dict[str, float]:
    """What who always names the most frequent class is right in, for records of rounds.

    Args:
      model: What is trained.
      test: The examples.

    Returns:
      `chance_accuracy.GUESS` and `chance_accuracy.OF`; empty where labels are no classes.
    """
    if not test.has_classes or model.kind not in ("classes", "binary"):
        return {}
    _, counts = np.unique(test.labels, return_counts=True)
    share = float(counts.max() / len(test))
    return {chance_accuracy.GUESS: share, chance_accuracy.OF: len(test)}


def _batch_size(model: AnyModel) -> int:
    """Fewer where a language model gives a number for each token at each position."""
    positions = model.task.objective.rules.spec.shape[1:].num_elements() or 1
    return max(1, min(_BATCH, _OUTPUTS // (positions * model.num_classes)))


def sliced(modality: Modality, model: AnyModel, found: Dataset) -> tf.data.Dataset:
    """Examples one by one, `(inputs, labels)`, in a model's units and nesting."""
    inputs, labels = modality.inputs(model, found)
    return tf.data.Dataset.from_tensor_slices((_in_order(inputs), labels))


def _in_order(nested: Any) -> Any:
    """Lists as tuples, which data sets take for nesting and not for a tensor."""
    if isinstance(nested, Mapping):
        return {key: _in_order(part) for key, part in nested.items()}
    if isinstance(nested, list):
        return tuple(_in_order(part) for part in nested)
    return nested
