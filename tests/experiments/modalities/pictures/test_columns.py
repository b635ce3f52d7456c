"""Single columns of rows: what counts as read, and what one value for all has."""

import dataclasses
import types

import numpy as np

from attacks.knowledge import PublicExamples
from experiments.data.dataset import Dataset
from experiments.modalities.pictures import columns
from selenc_tf.models import value_range

UNITS = value_range.value_range([0.0, 1.0, 0.0], [1.0, 81.0, 1.0])
MODEL = types.SimpleNamespace(value_range=UNITS)
ROWS = np.array([[0.0, 0.5, 0.3], [1.0, 0.25, 0.7], [1.0, 0.25, 0.9]], np.float32)
DATA = Dataset("rows", ROWS, np.array([0, 1, 0], np.int32), 2, "", "", "", "")


def test_whole_numbers_are_rounded_and_others_are_close():
    # A yes, an age of 21.4 for 21, and a number that is off by less than half a step.
    near = np.array([0.6, 0.255, 0.7015])
    assert columns.read(MODEL, DATA, 1, near) == (True, True, True)
    far = np.array([0.4, 0.26, 0.703])
    assert columns.read(MODEL, DATA, 1, far) == (False, False, False)


def test_a_column_of_few_values_shows_one_or_not():
    assert columns.at_a_level(DATA, np.array([0.999, 0.4, 0.3])) == (True, False, True)
    many = np.linspace(0, 1, 60, dtype=np.float32).reshape(20, 3)
    wide = dataclasses.replace(DATA, examples=many, labels=np.zeros(20, np.int32))
    assert columns.at_a_level(wide, many[0]) == (False, False, False)


def test_one_value_for_all_is_the_commonest_of_the_public_rows():
    public = PublicExamples(
        np.array([[1, 0.5, 0.3], [1, 0.25, 0.303], [0, 0.25, 0.4], [1, 0.25, 0.8]]),
        np.array([0, 0, 1, 1], np.int32),
    )
    found = columns.one_for_all(MODEL, DATA, public)
    assert found == {"columns_by_one_value": [0.75, 0.75, 0.5]}
    assert columns.one_for_all(MODEL, DATA, None) == {}
    pictures = dataclasses.replace(DATA, examples=np.zeros((3, 2, 2, 1), np.float32))
    assert columns.one_for_all(MODEL, pictures, public) == {}
