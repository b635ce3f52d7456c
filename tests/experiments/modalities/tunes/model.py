"""Tunes, and a model that tells their genre from the mean of their notes' embeddings."""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from experiments.data.dataset import Dataset
from selenc_tf.models import objectives
from selenc_tf.models import task as task_lib

NOTES, LENGTH, GENRES = 12, 6, 3


class TuneModel(NamedTuple):
    """What `AnyModel` asks for, and nothing more."""

    name: str
    spec: Any
    initial_weights: Any
    kind: str
    num_classes: int
    task: Any
    losses: Any
    batch_spec: Any


def heard(tunes):
    """Tunes of a data set, int [b, l] with -1 behind their end, as models take them."""
    tunes = np.asarray(tunes)
    return np.maximum(tunes, 0).astype(np.int32), tunes >= 0


def build(seed):
    keras.utils.set_random_seed(seed)
    notes = keras.Input((LENGTH,), dtype="int32", name="notes")
    sounding = keras.Input((LENGTH,), dtype="bool", name="sounding")
    weight = keras.ops.cast(sounding, "float32")[:, :, None]
    embedded = keras.layers.Embedding(NOTES, 4, name="table")(notes) * weight
    mean = keras.ops.sum(embedded, axis=1) / keras.ops.sum(weight, axis=1)
    logits = keras.layers.Dense(GENRES, name="head")(mean)
    task = task_lib.from_keras(
        keras.Model({"notes": notes, "sounding": sounding}, logits, name="tune_model"),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )

    def losses(weights, examples, labels):
        inputs = dict(zip(("notes", "sounding"), examples, strict=True))
        ran = task_lib.run(task, weights, (), inputs, training=True)
        return objectives.soft("classes", labels, ran.outputs)

    return TuneModel(
        name=task.name,
        spec=task.spec,
        initial_weights=task.initial_weights,
        kind="classes",
        num_classes=GENRES,
        task=task,
        losses=losses,
        batch_spec=(
            (
                tf.TensorSpec([None, LENGTH], tf.int32),
                tf.TensorSpec([None, LENGTH], tf.bool),
            ),
            task.objective.rules.spec,
        ),
    )


def tunes(count=60):
    """Tunes of three to six notes, each genre with notes that it likes."""
    rng = np.random.default_rng(0)
    labels = (np.arange(count) % GENRES).astype(np.int32)
    examples = np.full((count, LENGTH), -1, np.int32)
    for tune, genre in zip(examples, labels, strict=True):
        length = rng.integers(3, LENGTH + 1)
        tune[:length] = (4 * genre + rng.integers(0, 6, length)) % NOTES
    return Dataset(
        name="tunes",
        examples=examples,
        labels=labels,
        num_classes=GENRES,
        source="random",
        licence="none",
        citation="none",
        note="Random tunes.",
    )
