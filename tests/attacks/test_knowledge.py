import keras
import numpy as np
import pytest

from attacks import knowledge
from selenc_tf.models import functional
from tests.attacks import tables


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be at least 1, got 0"),
        ({"batch_size": 2, "labels": (1,)}, "`labels` must name one class .* 2"),
        ({"labels": (3,)}, r"`labels` must be integers in \[0, 3\)"),
        ({"labels": (-1,)}, r"`labels` must be integers in \[0, 3\)"),
        ({"labels": ((0.0, 1.0, 0.0),)}, "must be whole numbers"),
        ({"client_sizes": (2, 1)}, "`client_sizes` must add up to `batch_size` = 1"),
        ({"client_sizes": (2, -1)}, "`client_sizes` must be positive"),
        ({"client_sizes": ()}, "`client_sizes` must be positive"),
        ({"batch_size": 1.5}, "must be whole numbers"),
        ({"labels": (1.5,)}, "must be whole numbers"),
    ],
)
def test_bad_knowledge_is_refused(tiny, fields, message):
    with pytest.raises(ValueError, match=message):
        knowledge.Knowledge(tiny, **fields)


@pytest.mark.parametrize(
    ("kind", "labels", "message"),
    [
        ("values", (1,), r"`labels` must have the shape \[1, 2\] .* learns values"),
        ("values", ((0.5,),), r"`labels` must have the shape \[1, 2\]"),
        ("values", ((0.5, np.inf),), "`labels` must be finite numbers"),
        ("binary", ((1.5,),), r"`labels` must be numbers in \[0, 1\]"),
    ],
)
def test_labels_that_are_numbers(kind, labels, message):
    model = tables.row_model(kind)
    with pytest.raises(ValueError, match=message):
        knowledge.Knowledge(model, labels=labels)


def test_numbers_are_known_as_rows():
    known = knowledge.Knowledge(tables.row_model("values"), labels=((-3.0, 7.5),))
    assert known.classes is None
    found = knowledge.label_array(known.model, known.labels)
    assert found.dtype == np.float32 and found.shape == (1, 2)


def test_tokens_are_refused():
    inputs = keras.Input((4,), dtype="int32")
    hidden = keras.layers.Flatten()(keras.layers.Embedding(5, 2)(inputs))
    text = functional.from_keras(keras.Model(inputs, keras.layers.Dense(3)(hidden)))
    with pytest.raises(ValueError, match=r"must take numbers .* int32"):
        knowledge.Knowledge(text)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (
            np.full((2, 6), 1.5),
            np.zeros(2, int),
            r"`public_examples.examples` must be in",
        ),
        (np.ones((2, 6)), np.array([0, 3]), r"`public_examples.labels`.* in \[0, 3\)"),
        (np.ones((2, 6)), np.array([0, -1]), r"`public_examples.labels`.* in \[0, 3\)"),
        (np.ones((2, 6)), np.zeros((2, 1), int), r"must have the shape \[2\]"),
        (np.ones((2, 6)), np.zeros(2), "must be integers"),
        (np.ones((2, 5)), np.zeros(2, int), r"must be \[a, \*\(6,\)\]"),
    ],
)
def test_public_pictures_are_checked(images, labels, message):
    public = knowledge.PublicExamples(images, labels)
    with pytest.raises(ValueError, match=message):
        knowledge.Knowledge(tables.row_model("classes"), public_examples=public)
