"""Which labels are right, and what a guess of them has."""

import numpy as np
import pytest

from attacks.knowledge import PublicExamples
from experiments.data.dataset import Dataset
from experiments.modalities.pictures.modality import PICTURES as MODALITY
from experiments.study import naming
from tests.attacks import tables


def data(labels, classes=0):
    return Dataset("mine", tables.rows(len(labels)), labels, classes, *[""] * 4)


SMALL = np.tile(np.float32(np.linspace(0, 0.04, 101))[:, np.newaxis], 2)
"""To within 0.05 any number would be right."""


@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_numbers_are_right_in_their_own_units(scale):
    model, made = tables.row_model("values"), data(SMALL * np.float32(scale), 2)
    public = PublicExamples(made.examples[:50], made.labels[:50])
    rule = naming.of(MODALITY, model, made, public)
    assert rule.tolerance == pytest.approx(0.05 * made.labels[:50].std(0), rel=1e-3)
    whose = "the public targets"
    said = f"5 % of the standard deviation of {whose}"
    assert rule.details["label_within"] == said
    assert 0.02 <= rule.details["label_guess"] <= 0.08
    # Without any nobody knows what a guess has.
    alone = naming.of(MODALITY, model, made, None)
    assert alone.tolerance == pytest.approx(0.05 * made.labels.std(0), rel=1e-3)
    said = "5 % of the standard deviation of the data's targets"
    assert alone.details == {"label_within": said}


def test_classes_are_named_as_before():
    labels = np.arange(12, dtype=np.int32) % 2
    made = data(labels, 2)
    public = PublicExamples(made.examples[:4], np.array([1, 1, 1, 0]))
    rule = naming.of(MODALITY, tables.row_model("classes"), made, public)
    assert rule == (None, {"label_guess": 0.75})
    # A loss that takes 0 and 1 as numbers: near enough to name one.
    rule = naming.of(MODALITY, tables.row_model("binary"), made, None)
    assert rule.tolerance == [0.05] and rule.details == {}
    nothing = data(np.zeros([12, 0], np.float32))
    assert naming.of(MODALITY, tables.row_model("values"), nothing, None).details == {}
