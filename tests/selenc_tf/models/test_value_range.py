import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from selenc_tf.models import functional, value_range
from selenc_tf.models import task as task_lib
from tests.selenc_tf.models import architectures

FLOATS = st.floats(-1e3, 1e3, width=32)


@given(
    FLOATS, st.floats(0.125, 100, width=32), hnp.arrays(np.float32, 4, elements=FLOATS)
)
def test_there_and_back(low, width, values):
    found = value_range.value_range(low, low + width)
    back = found.from_unit(found.to_unit(values))
    np.testing.assert_allclose(back, values, rtol=1e-4, atol=1e-3 * (1 + abs(low)))


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [(1, 1, "below `high`"), ([0, 2], [1, 1], "is not for 1"), (np.nan, 1, "finite")],
)
def test_no_interval(low, high, message):
    with pytest.raises(ValueError, match=message):
        value_range.value_range(low, high)


@pytest.mark.parametrize("bad", [-0.1, 1.1, np.nan, 255.0])
def test_values_outside_are_refused_and_not_shown(bad):
    with pytest.raises(ValueError, match=r"must be in \[0, 1\]") as caught:
        value_range.check_unit("images", np.array([0.5, bad]))
    assert str(bad) not in str(caught.value).replace("[0, 1]", "")


def test_gradients_are_those_of_the_models_own_units():
    task = task_lib.from_keras(architectures.build("dense"))
    inputs, labels = architectures.clients("dense")[0]
    own = value_range.value_range(inputs.min(0), inputs.max(0))
    plain = functional.from_task(task)
    ranged = functional.from_task(task, value_range=own)
    targets = functional.targets(plain, labels)
    expected = functional.gradient(plain, plain.initial_weights, inputs, targets)
    for model in (ranged, functional.in_float64(ranged)):
        dtype = model.initial_weights[0].dtype.as_numpy_dtype
        unit = own.to_unit(inputs).astype(dtype)
        found = functional.gradient(
            model, model.initial_weights, unit, targets.numpy().astype(dtype)
        )
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
