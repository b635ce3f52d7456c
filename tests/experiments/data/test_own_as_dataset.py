"""Own data as attacks take them: `dataset.of_own`."""

import numpy as np
import pytest
import tensorflow as tf

from experiments.data import dataset as dataset_lib
from experiments.data.own_data import OwnData
from selenc_tf.models.value_range import UNIT, value_range

A = np.array([[[0.0, 10.0]], [[5.0, 20.0]]], np.float32)
B = np.array([[-1.0], [1.0]], np.float32)
CLASSES = np.array([0, 1], np.int32)


def spec(*shape, dtype=tf.float32):
    return tf.TensorSpec((None, *shape), dtype)


TO_20 = value_range(0, 20)
AROUND_0 = value_range(-1, 1)


def data(inputs=A, labels=CLASSES, interval=TO_20, **more):
    return OwnData("mine", inputs, labels, value_range=interval, note="Mine.", **more)


SEVERAL = data({"a": A, "b": B}, interval={"a": TO_20, "b": AROUND_0})


def test_one_input_keeps_its_shape():
    own = data(clients=CLASSES, client_names=("x", "y"), class_names=("n", "y"))
    found = dataset_lib.of_own(own, spec(1, 2))
    np.testing.assert_array_equal(found.examples, A / 20)
    assert found.example_shape == (1, 2) and found.num_classes == 2
    assert (found.name, found.note) == ("mine", "Mine.")
    assert found.clients.tolist() == [0, 1] and found.value_range is own.value_range


def test_open_sizes_of_one_input_are_allowed():
    assert len(dataset_lib.of_own(data(), spec(None, None))) == 2


def test_columns_keep_their_names_and_intervals():
    x = np.array([[0.0, 5.0], [4.0, 9.0]], np.float32)
    own = data(x, interval=value_range([0, 5], [4, 9]), feature_names=("p", "q"))
    found = dataset_lib.of_own(own, spec(2))
    assert found.examples.tolist() == [[0, 0], [1, 1]]
    assert found.feature_names == ("p", "q")


def test_several_inputs_are_one_vector_in_the_order_of_the_model():
    found = dataset_lib.of_own(SEVERAL, {"b": spec(1), "a": spec(1, 2)})
    np.testing.assert_array_equal(found.examples, [[0, 0, 0.5], [1, 0.25, 1]])
    assert found.feature_names == ("b[0]", "a[0, 0]", "a[0, 1]")
    np.testing.assert_array_equal(found.value_range.low, [-1, 0, 0])
    units = found.value_range.from_unit(found.examples)
    np.testing.assert_array_equal(units, [[-1, 0, 10], [1, 5, 20]])


def test_a_tuple_of_inputs():
    own = data((B, A), interval=(AROUND_0, TO_20))
    found = dataset_lib.of_own(own, [spec(1), spec(1, 2)])
    assert found.feature_names == ("0[0]", "1[0, 0]", "1[0, 1]")


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (np.array([0.5, 2], np.float32), [[0.5], [2]]),
        (np.array([[0.5, 2], [1, 1]], np.float32), [[0.5, 2], [1, 1]]),
        (np.array([[0, 1], [1, 1]], np.int32), [[0, 1], [1, 1]]),
    ],
)
def test_labels_that_are_numbers(labels, found):
    made = dataset_lib.of_own(data(labels=labels), spec(1, 2))
    assert made.labels.tolist() == found and made.labels.dtype == np.float32
    assert made.num_classes == len(found[0]) and not made.has_classes


WORDS = np.array([[1], [2]], np.int32)


@pytest.mark.parametrize(
    ("own", "specs", "message"),
    [
        (
            data(WORDS, interval=None),
            spec(1, dtype=tf.int32),
            "`x` of 'mine' is of int",
        ),
        (
            data({"a": A, "w": WORDS}, interval={"a": TO_20, "w": None}),
            {"a": spec(1, 2), "w": spec(1)},
            "`x_w` of 'mine' is of integers",
        ),
        (data(), spec(3), r"shape \(None, 3\), which the model takes"),
        (
            data(),
            {"a": spec(1, 2)},
            "1 inputs .an array., but the model takes 1 .a dict",
        ),
        (SEVERAL, spec(1, 2), "2 inputs .a dictionary of a, b., but the model takes 1"),
        (SEVERAL, {"a": spec(1, 2), "c": spec(1)}, r"a dictionary of \['a', 'c'\]"),
        (SEVERAL, [spec(1, 2), spec(1)], "must be a tuple of the 2 inputs"),
        (SEVERAL, {"a": spec(None, 2), "b": spec(1)}, "numbers of a known size"),
        (data(labels={"y": CLASSES}), spec(1, 2), "Labels of 'mine' must be one class"),
        (data(labels=WORDS), spec(1, 2), "Labels of 'mine' must be one class"),
    ],
)
def test_what_does_not_fit_is_refused(own, specs, message):
    with pytest.raises(ValueError, match=message) as caught:
        dataset_lib.of_own(own, specs)
    assert "20." not in str(caught.value)


MADE = {
    "examples": np.zeros((2, 3), np.float32),
    "labels": np.zeros((2, 1), np.float32),
    "num_classes": 1,
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"examples": np.zeros(2, np.float32)}, r"float32 \[N, ...\]"),
        (
            {"labels": np.zeros((2, 2), np.float32)},
            r"`labels` must be float32 \[2, 1\]",
        ),
        ({"labels": np.zeros((2, 1), np.int32)}, r"`labels` must be float32 \[2, 1\]"),
        ({"labels": np.full((2, 1), np.nan, np.float32)}, "`labels` must be finite"),
        ({"groups": np.zeros(2, np.int32)}, "`groups` need labels that are classes"),
        ({"clients": np.zeros(3, np.int32)}, r"`clients` must be int32 \[2\]"),
        ({"feature_names": ("a",)}, "one for each column"),
        ({"value_range": value_range([0, 0], [1, 1])}, "`value_range` must be of one"),
    ],
)
def test_a_dataset_of_numbers_is_checked(changes, message):
    with pytest.raises(ValueError, match=message):
        dataset_lib.Dataset(
            name="t", source="", licence="", citation="", note="", **{**MADE, **changes}
        )


def test_tables_are_no_pictures():
    made = dataset_lib.Dataset("t", source="", licence="", citation="", note="", **MADE)
    assert made.value_range is UNIT and made.example_shape == (3,)
    with pytest.raises(ValueError, match=r"must be pictures \[h, w, c\] here"):
        made.image_shape  # noqa: B018
