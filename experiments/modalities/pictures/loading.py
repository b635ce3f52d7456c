"""Data of the catalogue or one's own, and a model that takes them."""

from typing import Any

import numpy as np
import tensorflow as tf

from experiments.data import catalog as data_catalog
from experiments.data import dataset as dataset_lib
from experiments.data.dataset import Dataset
from experiments.data.own import given, loading
from experiments.modalities.pictures import examples
from experiments.study import digests, own_model
from experiments.study.flag_table import SettingsError
from experiments.study.modality import Studied
from experiments.study.settings import Subject
from selenc_tf import catalog
from selenc_tf.models import functional
from selenc_tf.models import value_range as value_ranges
from selenc_tf.models.functional import FunctionalModel
from selenc_tf.models.task import LearningTask
from selenc_tf.models.value_range import ValueRange


def load(asked: Subject) -> Studied[FunctionalModel]:
    """Loads the data and builds the model for them.

    Args:
      asked: Checked flags.

    Returns:
      Both.

    Raises:
      DataNotFoundError: If no source has the data set.
      ValueError: If there is no such model, or data and model do not go together.
    """
    if asked.model in catalog.MODELS:
        dataset = _data(asked, None)
        model = _catalogued(asked, dataset)
        if asked.weights:
            started = own_model.with_weights(model.task, asked.weights)
            model = functional.from_task(started, input_shape=model.input_shape)
    else:
        task = own_model.task(asked)
        if asked.weights:
            task = own_model.with_weights(task, asked.weights)
        dataset = _data(asked, task.inputs)
        model = _own(asked, task, dataset)
    return _checked(asked, model, dataset)


def of_given(made: Any, examples_: Any, asked: Subject) -> Studied[FunctionalModel]:
    """The same of a model and data that are there.

    Args:
      made: A Keras model or a `LearningTask`.
      examples_: As `experiments.data.own.given.load` takes them.
      asked: Checked flags, which name both.

    Returns:
      Both.

    Raises:
      ValueError: If they cannot be used, or do not go together.
    """
    task = own_model.task_of(made, asked)
    if asked.weights:
        task = own_model.with_weights(task, asked.weights)
    name = asked.data.rpartition(":")[2]
    own = given.load(examples_, name=name, value_range=_bounds(asked))
    dataset = dataset_lib.of_own(own, task.inputs)
    return _checked(asked, _own(asked, task, dataset), dataset)


def _checked(
    asked: Subject, model: FunctionalModel, dataset: Dataset
) -> Studied[FunctionalModel]:
    if tuple(dataset.examples.shape[1:]) != model.input_shape:
        raise SettingsError(
            f"`--model={asked.model}` takes examples of shape {model.input_shape}, but "
            f"those of {dataset.name} are {tuple(dataset.examples.shape[1:])}."
        )
    own_model.check_finite(model.task, asked.model)
    examples.check_labels(model, dataset)
    return Studied(dataset, model, _facts(asked, model, dataset))


def _data(asked: Subject, specs: Any) -> Dataset:
    if not asked.data:
        # Leave to ask the internet is no order: where nothing is to be had, it is not
        # used.
        may_ask = data_catalog.CATALOG[asked.dataset].has_original
        return data_catalog.load(
            asked.dataset, asked.data_dir or None, asked.allow_download and may_ask
        )
    own = loading.load(
        asked.data,
        value_range=_bounds(asked),
        label=asked.label_column,
        client=asked.client_column,
    )
    if specs is None:
        if not isinstance(own.inputs, np.ndarray):
            raise SettingsError(
                f"`--model={asked.model}` takes pictures, but {own.name} has several "
                "inputs. Give a model of your own."
            )
        specs = tf.TensorSpec([None, *own.inputs.shape[1:]], tf.float32)
    return dataset_lib.of_own(own, specs)


def _catalogued(asked: Subject, dataset: Dataset) -> FunctionalModel:
    if dataset.examples.ndim != 4 or not dataset.has_classes:
        raise SettingsError(
            f"`--model={asked.model}` takes pictures [height, width, channels] of "
            f"classes, but examples of {dataset.name} are "
            f"{tuple(dataset.examples.shape[1:])} with labels of shape "
            f"{tuple(dataset.labels.shape[1:])}. Give a model of your own."
        )
    return catalog.model(
        asked.model, dataset.image_shape, dataset.num_classes, asked.seed
    )


def _own(asked: Subject, task: LearningTask, dataset: Dataset) -> FunctionalModel:
    several = not isinstance(task.inputs, tf.TensorSpec)
    try:
        return functional.from_task(
            task,
            input_shape=None if several else tuple(dataset.examples.shape[1:]),
            value_range=_range(asked) or dataset.value_range,
        )
    except ValueError as error:
        raise SettingsError(
            f"`--model={asked.model}` cannot be used on {dataset.name}: {error}"
        ) from None


def _bounds(asked: Subject) -> tuple[float, float] | None:
    return (asked.data_range[0], asked.data_range[1]) if asked.data_range else None


def _range(asked: Subject) -> ValueRange | None:
    return value_ranges.value_range(*asked.data_range) if asked.data_range else None


def _facts(asked: Subject, model: FunctionalModel, dataset: Dataset) -> dict[str, Any]:
    source = "data" if asked.data and asked.model not in catalog.MODELS else "catalogue"
    facts = {
        "loss": model.task.objective.name,
        "training_mode": model.task.training,
        "value_range": [np.asarray(bound).tolist() for bound in model.value_range],
        "value_range_from": "--data_range" if asked.data_range else source,
    }
    # What a file or a function gives may change while the flags stay.
    if asked.weights or asked.model not in catalog.MODELS:
        start = (*model.initial_weights, *model.task.initial_state)
        facts["weights_sha256"] = digests.of_arrays(*[one.numpy() for one in start])
    if asked.data:
        facts["data_sha256"] = digests.of_arrays(
            dataset.examples, dataset.labels, dataset.clients
        )
    return facts
