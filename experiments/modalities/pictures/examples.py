"""Between data, in [0, 1] and one array, and what a model takes, in its own units."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from attacks.knowledge import Labels
from experiments.data.dataset import Dataset
from experiments.study.flag_table import SettingsError
from selenc_tf.models import functional, joining
from selenc_tf.models import labels as labels_lib
from selenc_tf.models.functional import FunctionalModel


def inputs(model: FunctionalModel, images: NDArray[np.float32]) -> Any:
    """Inputs as the Keras model takes them.

    Args:
      model: With its units.
      images: float32 [b, *model.input_shape] in [0, 1].

    Returns:
      float32 in the model's own units, nested as the task's inputs.
    """
    own = model.value_range.from_unit(images).astype(np.float32)
    specs = model.task.inputs
    return own if isinstance(specs, tf.TensorSpec) else joining.split(specs, own)


def labels(model: FunctionalModel, known: NDArray[Any]) -> NDArray[Any]:
    """Labels as the model's loss takes them.

    Args:
      model: With its loss.
      known: int32 [b] of classes, or float32 [b, k].

    Returns:
      int32 [b], or float32 [b, num_classes].

    Raises:
      ValueError: If they say something else.
    """
    rule, size = model.task.objective.rules, model.num_classes
    if rule.classes or known.ndim == 2:
        return known.astype(rule.spec.dtype.as_numpy_dtype)
    if size == 1:
        return known.astype(np.float32)[:, np.newaxis]
    if model.kind != "classes":
        raise ValueError(
            f"`labels` must be {size} numbers for each example, as the model has outputs,"
            " got one."
        )
    if not np.all((known >= 0) & (known < size)):
        raise ValueError(f"`labels` must be in [0, {size}), the classes of the model.")
    return np.eye(size, dtype=np.float32)[known]


def targets(model: FunctionalModel, known: NDArray[Any]) -> NDArray[np.float32]:
    """The same as the numbers that `FunctionalModel.losses` takes, [b, num_classes]."""
    found: NDArray[np.float32] = functional.targets(
        model, tf.constant(labels(model, known))
    ).numpy()
    return found


def truth(model: FunctionalModel, known: NDArray[Any]) -> NDArray[Any]:
    """Labels as attacks have them: int64 [b] of classes, or float32 [b, num_classes]."""
    if model.kind != "classes":
        return labels(model, known).astype(np.float32)
    return (known if known.ndim == 1 else known.argmax(axis=1)).astype(np.int64)


def declared(model: FunctionalModel, known: NDArray[Any]) -> Labels:
    """The same as an attacker is told them."""
    found = truth(model, known)
    if found.ndim == 1:
        return tuple(int(label) for label in found)
    return tuple(tuple(float(one) for one in row) for row in found)


def check_labels(model: FunctionalModel, dataset: Dataset) -> None:
    """Checks that a model's loss can take the labels of its data.

    Raises:
      SettingsError: If it cannot.
    """
    rule = model.task.objective.rules
    try:
        found = labels(model, dataset.labels)
        labels_lib.check(rule, found, f"labels of {dataset.name}")
    except ValueError as error:
        raise SettingsError(
            f"{dataset.name} and the model {model.name!r} do not go together: {error}"
        ) from None
    if not rule.spec.shape.is_compatible_with(found.shape):
        raise SettingsError(
            f"The labels of {dataset.name} have the shape {found.shape[1:]} for each "
            f"example, but the loss {model.task.objective.name!r} of {model.name!r} "
            f"takes {tuple(rule.spec.shape[1:])}. {_advice(found, rule)}"
        )


def _advice(found: NDArray[Any], rule: labels_lib.Rule) -> str:
    """What to do about labels of another shape than the loss takes."""
    if not rule.classes:
        return "Give labels of this shape, or the loss that takes yours."
    if found.ndim == 2 and found.shape[1] > 1:
        return (
            "Rows of 0 and 1 go with a loss such as `categorical_crossentropy`; for this "
            "one give their places, `y.argmax(axis=1)`."
        )
    return "Classes are integers: give `y.astype('int32')`."
