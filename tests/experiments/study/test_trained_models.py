"""What was trained is a file that Keras loads, and the run's own model stays as it is."""

import keras
import numpy as np
import pytest
import tensorflow_federated as tff

from experiments.study import trained_models
from selenc_tf.models import functional
from tests.experiments.outputs.example_records import cell


def model_of(layer):
    return keras.Sequential(
        [keras.Input((3,)), layer, keras.layers.BatchNormalization()]
    )


class Remembering(keras.layers.Layer):
    """Made of what no configuration can hold."""

    def __init__(self, error):
        super().__init__()
        self.inner, self.error = keras.layers.Dense(2), error

    def call(self, inputs):
        return self.inner(inputs)

    def get_config(self):
        raise self.error("no configuration")


def learned(model):
    """Weights that nobody starts with."""
    return tff.learning.models.ModelWeights(
        [np.full(one.shape, 0.25, np.float32) for one in model.trainable_variables],
        [np.full((2,), 3.0, np.float32), np.full((2,), 4.0, np.float32)],
    )


def test_keras_loads_what_was_kept(tmp_path):
    keras_model = model_of(keras.layers.Dense(2))
    model = functional.from_keras(keras_model, loss="mean_squared_error")
    before = [np.copy(one) for one in keras_model.get_weights()]
    assert trained_models.save(tmp_path, cell(), model, learned(keras_model)) == ""
    loaded = keras.models.load_model(
        trained_models.path_of(tmp_path, cell()), compile=False
    )
    for one in loaded.trainable_variables:
        assert np.all(one.numpy() == 0.25)
    assert np.all(loaded.layers[-1].moving_mean.numpy() == 3.0)
    for one, old in zip(keras_model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, old)
    assert [path.name for path in (tmp_path / "models").iterdir()] == [
        "random_public_0.1.keras"
    ]


@pytest.mark.parametrize("error", [NotImplementedError, RuntimeError])
def test_what_keras_cannot_write_is_said_and_leaves_nothing(tmp_path, error):
    keras_model = model_of(Remembering(error))
    model = functional.from_keras(keras_model, loss="mean_squared_error")
    before = [np.copy(one) for one in keras_model.get_weights()]
    said = trained_models.save(tmp_path, cell(), model, learned(keras_model))
    assert "is not kept: Keras cannot write it (no configuration)" in said
    assert list((tmp_path / "models").iterdir()) == []
    for one, old in zip(keras_model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, old)
