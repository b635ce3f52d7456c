"""The strongest attack on sentences is made of those for sentences."""

import numpy as np
import pytest

from attacks import catalog, words
from attacks import effort as effort_lib
from attacks.text.modality import TOKENS
from tests.attacks import victims
from tests.attacks.text import clients

BERT = "bert_tiny_random"
EFFORT = effort_lib.Effort(restarts=1, max_iterations=10)


def found_in(mask=None):
    model = clients.tiny(BERT)
    view = clients.view_of(model, clients.gradient_of(BERT, 1), mask)
    attack = catalog.build("strongest", effort=EFFORT, programs=victims.PROGRAMS)
    return attack(view, clients.known(model), (1, 2))


@pytest.mark.slow
def test_an_exact_one_ends_it():
    found = found_in()
    names = [
        name
        for name, entry in catalog.ATTACKS.items()
        if entry.is_member and entry.inputs == words.TOKENS
    ]
    members = {
        "dager",
        "deep_spans",
        "tiger",
        "pooled_words",
        "bag_of_words",
        "tag",
        "lamp_cos",
    }
    assert members == set(names)
    assert {one.name for one in found.choice.members} == set(names)
    assert found.choice.name == "dager"
    truth, _ = clients.batch(clients.tiny(BERT), 1)
    np.testing.assert_array_equal(found.examples, truth)


@pytest.mark.slow
def test_searches_run_where_spans_are_hidden():
    model = clients.tiny(BERT)
    ends, block = np.cumsum(model.spec.sizes), model.structure.blocks[0]
    mask = np.zeros(model.spec.size, bool)
    for one in (*block.of_inputs, block.output):
        mask[ends[one.kernel - 1] : ends[one.kernel]] = True
    found = found_in(mask)
    by_name = {one.name: one for one in found.choice.members}
    assert by_name["dager"].status == "does_not_apply"
    for name in ("bag_of_words", "tag", "lamp_cos"):
        assert by_name[name].status == "ok", by_name[name].reason
    assert found.choice.by == "criterion"
    errors = [one.visible_error for one in found.choice.members]
    assert by_name[found.choice.name].visible_error == np.nanmin(errors)
    truth, _ = clients.batch(model, 1)
    assert TOKENS.score(found.examples, truth) > 0.5
