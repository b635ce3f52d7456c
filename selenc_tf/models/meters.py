"""What is measured while a task is trained or evaluated, as sums over examples."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from selenc_tf.models.objectives import Objective, logits
from selenc_tf.models.task import LearningTask

Sums: TypeAlias = list[tf.Tensor]
"""What clients add up, and the server finalises."""


class Meter(NamedTuple):
    """One measure.

    Attributes:
      name: As results report it.
      initial: The sums at the start.
      update: `(sums, loss, labels, outputs) -> sums`, after a batch.
      result: `sums -> scalar`.
    """

    name: str
    initial: tuple[Any, ...]
    update: Callable[[Sums, tf.Tensor, Any, Any], Sums]
    result: Callable[[Sums], tf.Tensor]


def of_task(task: LearningTask, metrics: Any = None) -> tuple[Meter, ...]:
    """The meters of a task: its loss, then what is asked for.

    Args:
      task: The task.
      metrics: Keras metrics or their names; for several outputs a dictionary of lists.
        By default those that the model was compiled with, or what the loss suggests:
        accuracy, or the mean absolute error.

    Returns:
      Meters with different names.

    Raises:
      ValueError: If a metric is unknown, or two have one name.
    """
    if metrics is None:
        metrics = _compiled(task.keras_model) or _usual(task.objective)
    listed = [_loss(), *_all(metrics, task)]
    names = [meter.name for meter in listed]
    if len(set(names)) < len(names):
        raise ValueError(f"`metrics` must have different names, got {names}.")
    return tuple(listed)


def count(labels: Any) -> tf.Tensor:
    """Examples of a batch, int32."""
    return tf.shape(tf.nest.flatten(labels)[0])[0]


def _loss() -> Meter:
    def update(sums: Sums, loss: tf.Tensor, labels: Any, outputs: Any) -> Sums:
        del outputs
        examples = tf.cast(count(labels), tf.float32)
        return [sums[0] + tf.cast(loss, tf.float32) * examples, sums[1] + examples]

    def result(sums: Sums) -> tf.Tensor:
        return tf.math.divide_no_nan(sums[0], sums[1])

    return Meter("loss", (np.float32(0), np.float32(0)), update, result)


def _all(metrics: Any, task: LearningTask) -> list[Meter]:
    if not isinstance(metrics, Mapping):
        return [_of_metric(one, task) for one in _as_list(metrics)]
    unknown = set(metrics) - set(_keys(task.outputs))
    if unknown:
        raise ValueError(
            f"`metrics` must be for outputs of {task.name!r}, {_keys(task.outputs)}, got "
            f"{sorted(unknown)}."
        )
    return [
        _of_metric(one, task, key)
        for key, several in metrics.items()
        for one in _as_list(several)
    ]


def _of_metric(metric: Any, task: LearningTask, key: str | None = None) -> Meter:
    scores = metric in ("accuracy", "acc")
    found = _accuracy(task, key) if scores else keras.metrics.get(metric)
    if not isinstance(found, keras.metrics.Metric):
        found = keras.metrics.MeanMetricWrapper(found, name=str(metric))
    output = task.outputs if key is None else task.outputs[key]

    def update(sums: Sums, loss: tf.Tensor, labels: Any, outputs: Any) -> Sums:
        del loss
        if key is not None:
            labels, outputs = labels[key], outputs[key]
        seen = logits(output, outputs) if scores else outputs
        return list(found.stateless_update_state(sums, labels, seen))

    def result(sums: Sums) -> tf.Tensor:
        return tf.convert_to_tensor(found.stateless_result(sums))

    name = found.name if key is None else f"{key}_{found.name}"
    return Meter(name, tuple(v.numpy() for v in found.variables), update, result)


def _accuracy(task: LearningTask, key: str | None) -> keras.metrics.Metric:
    """What "accuracy" means for an output; of logits, whatever the model returns."""
    rule = task.objective.rules if key is None else task.objective.rules[key]
    if getattr(rule, "classes", 0):
        return keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    if task.objective.kind == "classes":
        return keras.metrics.CategoricalAccuracy(name="accuracy")
    if getattr(rule, "probabilities", False):
        return keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)
    raise ValueError(
        f"`metrics` must not ask for the accuracy of {task.name!r}, whose loss "
        f"{task.objective.name!r} has no classes. Take 'mean_absolute_error'."
    )


def _usual(objective: Objective) -> list[str]:
    known = {
        "classes": ["accuracy"],
        "binary": ["accuracy"],
        "values": ["mean_absolute_error"],
    }
    if objective.kind in known:
        return known[objective.kind]
    return ["accuracy"] if getattr(objective.rules, "classes", 0) else []


def _compiled(model: keras.Model) -> Any:
    return getattr(getattr(model, "_compile_metrics", None), "_user_metrics", None)


def _as_list(metrics: Any) -> Sequence[Any]:
    return metrics if isinstance(metrics, list | tuple) else [metrics]


def _keys(outputs: Any) -> list[str]:
    return list(outputs) if isinstance(outputs, Mapping) else []
