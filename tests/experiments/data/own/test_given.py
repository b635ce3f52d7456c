"""Examples that a program has at hand."""

import numpy as np
import pytest
import tensorflow as tf

from experiments.data.own import given

X = np.arange(12, dtype=np.float64).reshape(6, 2)
Y = np.array([0, 1, 2, 0, 1, 2])


def batches(*parts):
    return tf.data.Dataset.from_tensor_slices(parts)


@pytest.mark.parametrize(
    "data", [(X, Y), (tf.constant(X), tf.constant(Y)), batches(X, Y).batch(4)]
)
def test_arrays_and_batches_are_the_same_examples(data):
    found = given.load(data, name="mine")
    assert found.name == "mine"
    np.testing.assert_array_equal(found.inputs, X.astype(np.float32))
    np.testing.assert_array_equal(found.labels, Y)
    assert found.value_range.low.min() == 0 and found.value_range.high.max() == 11
    assert given.load(found, name="again") is found


def test_several_inputs_of_batches_keep_their_names():
    data = batches({"a": X, "b": X[:, :1]}, Y).batch(4)
    found = given.load(data, name="mine")
    np.testing.assert_array_equal(found.inputs["b"], X[:, :1].astype(np.float32))


def test_text_of_objects_names_classes():
    """As pandas and TensorFlow have it."""
    names = np.array(["cat", "dog", "ox"])[Y]
    expected = given.load((X, names), name="mine")
    assert expected.class_names == ("cat", "dog", "ox")
    for data in (
        (X, names.astype(object)),
        (X, np.array([name.encode() for name in names], object)),
        batches(X, names).batch(4),
    ):
        found = given.load(data, name="mine")
        assert found.class_names == expected.class_names
        np.testing.assert_array_equal(found.labels, expected.labels)
    found = given.load((X, Y, names.astype(object)), name="mine")
    assert found.client_names == expected.class_names


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((X, np.array(["a", "b", None] * 2, object)), r"missing .*`y\.astype\(str\)`"),
        ([X, Y], "must be .x, y. or .* got list"),
        (X, "got ndarray"),
        ((X,), "got `tuple` of 1"),
        (batches(X, Y), "one of single examples. Call `.batch"),
        (batches(X, Y).batch(2).repeat(), "repeats for ever"),
        (batches(X, Y, Y).batch(2), "without weights of examples, got tuple of 3"),
        (batches(X).batch(2), "got tuple of 1"),
        (batches(X, Y).batch(2).take(0), "at least one batch"),
        ((X, Y[:3]), "6 in `x`, 3 in `y`"),
    ],
)
def test_what_is_no_data_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        given.load(data, name="mine")


def test_own_data_say_their_range():
    found = given.load((X, Y), name="mine")
    with pytest.raises(ValueError, match="says its own value range"):
        given.load(found, name="mine", value_range=(0.0, 11.0))
