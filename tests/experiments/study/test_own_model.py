import numpy as np
import pytest

from experiments.study import own_model
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
