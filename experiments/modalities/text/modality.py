"""The modality itself, and how sentences come to models and attackers."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from attacks.catalog import ATTACKS
from attacks.knowledge import Labels, PublicExamples
from attacks.text import sentences
from attacks.text.discrete import blind
from attacks.text.modality import TOKENS
from experiments.data.dataset import Dataset
from experiments.modalities.text import chance, leaks, loading, measuring, showing
from experiments.study.modality import Modality
from selenc_tf.models.text.token_model import TokenModel


def _batch(model: TokenModel, dataset: Dataset, rows: Sequence[int]) -> tuple[Any, Any]:
    examples = dataset.examples[list(rows)]
    labels = sentences.labels_of(examples)
    if model.kind == "classes":
        labels = dataset.labels[list(rows)]
    return sentences.as_tokens(examples, model.special.pad), labels


def _inputs(model: TokenModel, dataset: Dataset) -> tuple[Any, Any]:
    tokens, labels = _batch(model, dataset, range(len(dataset)))
    return tokens._asdict(), labels


def _told(model: TokenModel, labels: np.ndarray) -> Labels | None:
    if model.kind != "classes":
        raise ValueError(
            f"`--labels_known` cannot be used with {model.name}, whose labels are the "
            "sentences themselves. Leave it out."
        )
    return tuple(int(label) for label in labels)


def _public(model: TokenModel, dataset: Dataset, rows: Sequence[int]) -> PublicExamples:
    kind = np.int64 if model.kind == "classes" else np.float32
    labels = dataset.labels[list(rows)].astype(kind)
    return PublicExamples(dataset.examples[list(rows)], labels)


def _at_weights(
    model: TokenModel, weights: Sequence[Any], state: Sequence[Any]
) -> TokenModel:
    del state  # A `TokenModel` has none.
    start = tuple(tf.constant(one) for one in weights)
    task = dataclasses.replace(model.task, initial_weights=start)
    return model._replace(initial_weights=start, task=task)


TEXT = Modality(
    leaks=leaks.TEXT,
    load=loading.load,
    attacked=TOKENS,
    attacks=ATTACKS,
    on_aggregate="dager",
    batch=_batch,
    inputs=_inputs,
    told=_told,
    public=_public,
    at_weights=_at_weights,
    units=lambda model: [],
    measure=measuring.measure,
    measure_member=measuring.measure_member,
    show=lambda run_folder, dataset, records: None,
    texts=showing.texts,
    visible=lambda dataset: "sentences",
    blind=blind.blind_guess,
    chance=chance.control,
    tables=showing.tables,
)
