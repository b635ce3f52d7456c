import dataclasses

import keras
import numpy as np
import pytest

from experiments.modalities.pictures import loading
from experiments.study import own_model, settings
from experiments.study.flag_table import SettingsError
from selenc_tf.models import task as task_lib
from tests.selenc_tf.models import architectures


@pytest.mark.parametrize("suffix", [".npz", ".weights.h5"])
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_weights_are_loaded_and_all_else_stays(tmp_path, suffix):
    model = architectures.dense(
        architectures.layers.BatchNormalization,
        lambda: architectures.layers.Dropout(0.5),
    )()
    for variable in model.variables:
        if variable.dtype == "float32":
            variable.assign(np.full(variable.shape, 0.25, np.float32))
    path = str(tmp_path / f"trained{suffix}")
    if suffix == ".npz":
        np.savez(path, *model.get_weights())
    else:
        model.save_weights(path)
    fresh = task_lib.from_keras(
        architectures.dense(
            architectures.layers.BatchNormalization,
            lambda: architectures.layers.Dropout(0.5),
        )()
    )
    loaded = own_model.with_weights(fresh, path)
    for value in (*loaded.initial_weights, *loaded.initial_state):
        np.testing.assert_array_equal(value, np.full(value.shape, 0.25))
    assert loaded.is_random and fresh.is_random
    assert loaded.places.moving == fresh.places.moving


@pytest.mark.parametrize("kind", ["other shapes", "not finite", "no file", "text"])
def test_weights_that_cannot_be_used(tmp_path, kind):
    task = task_lib.from_keras(architectures.build("dense"))
    path = tmp_path / "weights.npz"
    values = task.keras_model.get_weights()
    if kind == "other shapes":
        np.savez(path, *values[:-1])
    elif kind == "not finite":
        np.savez(path, *[np.full_like(value, np.nan) for value in values])
    elif kind == "text":
        path.write_text("no archive")
    with pytest.raises(SettingsError, match=r"`--weights=.*npz` must"):
        own_model.with_weights(task, str(path))


def test_a_loss_that_nobody_said_is_known_to_be_guessed():
    model = architectures.build("dense")
    asked = settings.Settings(model="given:model")
    assert own_model.task_of(model, asked).objective.is_guessed
    said = dataclasses.replace(asked, loss="sparse_categorical_crossentropy")
    assert not own_model.task_of(model, said).objective.is_guessed
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert not own_model.task_of(model, asked).objective.is_guessed


def test_changed_data_are_another_run(tmp_path):
    """The flags stay: what the file holds is what tells them apart."""
    path = tmp_path / "table.npz"
    inputs, labels = architectures.numbers(np.random.default_rng(0), 30)
    asked = settings.Settings(
        model="tests.experiments.study.test_own_model:classifier", data=str(path)
    )

    def facts(x, y):
        np.savez(path, x=x, y=y)
        return loading.load(asked).facts

    first = facts(inputs, labels)
    assert facts(inputs, labels) == first
    assert facts(inputs, (labels + 1) % 3)["data_sha256"] != first["data_sha256"]
    moved = inputs.copy()
    moved[3, 1] = (inputs[:, 1].min() + inputs[:, 1].max()) / 2
    assert facts(moved, labels)["data_sha256"] != first["data_sha256"]


def classifier():
    return architectures.dense()()
