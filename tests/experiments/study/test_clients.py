"""Which examples are attacked, and which attackers have beside them."""

import dataclasses

import numpy as np
import pytest

from experiments.study import clients
from experiments.study.clients import TrainingData
from experiments.study.flag_table import SettingsError
from tests.experiments import made_up
from tests.experiments.command import parse


def with_equal(shape):
    """Twelve examples; 7 is example 1 again, and 9 is example 3 but for the sign of 0."""
    found = made_up.pictures(shape)
    examples = found.examples.copy()
    examples[3].flat[0] = 0.0
    examples[7], examples[9] = examples[1], examples[3]
    examples[9].flat[0] = -0.0
    return dataclasses.replace(found, examples=examples)


@pytest.mark.parametrize("shape", [(4, 4, 1), (5,)])
class TestPublic:
    def test_none_is_equal_to_an_attacked_one(self, shape):
        found = clients.public(with_equal(shape), range(12), 4)
        assert found.rows == (4, 5, 6, 8, 10, 11)
        assert found.note == "2 public examples left out: equal to an attacked one."

    def test_others_take_their_place(self, shape):
        found = clients.public(with_equal(shape), range(12), 4, 4)
        assert found.rows == (4, 5, 6, 8) and found.note.startswith("1 public")

    def test_nothing_is_said_where_nothing_was_left_out(self, shape):
        assert clients.public(with_equal(shape), range(12), 4, 3) == ((4, 5, 6), "")
        assert clients.public(with_equal(shape), range(12), 4, 0) == ((), "")
        assert clients.public(with_equal(shape), range(12), 12) == ((), "")

    def test_a_refusal_where_none_is_left(self, shape):
        with pytest.raises(
            SettingsError, match="the 2 of made-up beside the 2 attacked"
        ):
            clients.public(with_equal(shape), (1, 3, 7, 9), 2)

    def test_what_was_trained_on_is_not_attacked(self, shape):
        dataset = with_equal(shape)
        asked = parse("--weights_after_rounds=1").training
        trained = dataclasses.replace(dataset, rows=np.arange(12))
        own = TrainingData((clients.dataset_lib.take(trained, [1, 2, 9]),), dataset)
        found = clients.order(dataset, asked, 0, own)
        assert sorted(found) == [0, 4, 5, 6, 8, 10, 11]
