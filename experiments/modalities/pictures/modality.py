"""The modality itself, and how its examples come to models and attackers."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from attacks.catalog import ATTACKS
from attacks.continuous.modality import NUMBERS
from attacks.knowledge import PublicExamples
from attacks.pictures.statistical import prior_pictures
from experiments.data.dataset import Dataset
from experiments.modalities.pictures import (
    chance,
    columns,
    examples,
    loading,
    measuring,
    showing,
)
from experiments.outputs.pictures import leaks
from experiments.study.modality import Modality
from selenc_tf.models import functional, rebuilding
from selenc_tf.models.functional import FunctionalModel


def _batch(
    model: FunctionalModel, dataset: Dataset, rows: Sequence[int]
) -> tuple[Any, Any]:
    labels = examples.labels(model, dataset.labels[list(rows)])
    return dataset.examples[list(rows)], labels


def _inputs(model: FunctionalModel, dataset: Dataset) -> tuple[Any, Any]:
    return (
        examples.inputs(model, dataset.examples),
        examples.labels(model, dataset.labels),
    )


def _public(
    model: FunctionalModel, dataset: Dataset, rows: Sequence[int]
) -> PublicExamples:
    return PublicExamples(
        dataset.examples[list(rows)], examples.truth(model, dataset.labels[list(rows)])
    )


def _at_weights(
    model: FunctionalModel, weights: Sequence[Any], state: Sequence[Any]
) -> FunctionalModel:
    """In a Keras model of its own."""
    copy = rebuilding.rebuilt(model.task.keras_model, dict)
    moving = [copy.non_trainable_variables[at] for at in model.task.places.moving]
    for variables, values in ((copy.trainable_variables, weights), (moving, state)):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    return functional.rebound(model, copy)


PICTURES = Modality(
    leaks=leaks.PICTURES,
    load=loading.load,
    attacked=NUMBERS,
    attacks=ATTACKS,
    on_aggregate="dlg",
    batch=_batch,
    inputs=_inputs,
    told=examples.declared,
    public=_public,
    at_weights=_at_weights,
    units=lambda model: [np.asarray(bound) for bound in model.value_range],
    measure=measuring.measure,
    measure_member=measuring.measure_member,
    show=showing.show,
    texts=showing.texts,
    visible=lambda dataset: "pictures" if showing.drawable(dataset) else "",
    blind=prior_pictures.blind_guess,
    chance=chance.control,
    one_for_all=columns.one_for_all,
    tables=showing.tables,
)


def of_given(model: Any, data: Any) -> Modality:
    """The same for a model and data that are there, whatever flags call them.

    Args:
      model: A Keras model or a `LearningTask`.
      data: As `experiments.data.own.given.load` takes them.

    Returns:
      A modality that loads these two.
    """
    return PICTURES._replace(load=functools.partial(loading.of_given, model, data))
