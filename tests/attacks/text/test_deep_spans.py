"""Sentences of causal models by whatever kernel is visible."""

import re

import numpy as np
import pytest

from attacks import knowledge
from attacks.text.discrete import deep_spans
from attacks.text.modality import TOKENS
from attacks.text.spans import lookups, places, subspace
from attacks.text.spans.places import Place
from tests.attacks import victims
from tests.attacks.text import clients

READERS = r"(query|key|value|feedforward_intermediate_dense)/kernel"
FIRST = r"_0/.*(query|key|value)/kernel"


def hiding(model, pattern):
    marks = [bool(re.search(pattern, name)) for name in model.spec.names]
    return np.repeat(marks, model.spec.sizes)


def found_in(model, vector, mask, size=1):
    attack = deep_spans.build_deep_spans(programs=victims.PROGRAMS)
    return attack(
        clients.view_of(model, vector, mask), clients.known(model, size), (1, 2)
    )


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(READERS, id="the head is left", marks=pytest.mark.slow),
        pytest.param(
            f"embeddings|{READERS}", id="second kernels", marks=pytest.mark.slow
        ),
        pytest.param(f"embeddings|{FIRST}", id="feed-forward", marks=pytest.mark.slow),
        pytest.param(
            f"embeddings|{READERS}|feedforward",
            id="attention outputs",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_any_kernel_gives_the_sentence(pattern):
    model = clients.wide("gpt2")
    vector = clients.gradient_of("gpt2", 1, make=clients.wide)
    found = found_in(model, vector, hiding(model, pattern))
    np.testing.assert_array_equal(found.examples, clients.batch(model, 1)[0])
    assert found.converged and found.label_source == "inferred"


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_the_largest_entries_hidden(share):
    model = clients.wide("gpt2")
    vector = clients.gradient_of("gpt2", 2, make=clients.wide)
    found = found_in(model, vector, clients.largest(vector, share), size=2)
    assert TOKENS.score(found.examples, clients.batch(model, 2)[0]) == 1


@pytest.mark.slow
def test_a_classifier_without_its_first_projections():
    model = clients.wide("gpt2_classifier")
    vector = clients.gradient_of("gpt2_classifier", 1, make=clients.wide)
    found = found_in(model, vector, hiding(model, FIRST))
    truth, classes = clients.batch(model, 1)
    np.testing.assert_array_equal(found.examples, truth)
    np.testing.assert_array_equal(found.labels, classes)


def test_all_kernels_hidden_are_refused():
    model = clients.wide("gpt2")
    vector = clients.gradient_of("gpt2", 1, make=clients.wide)
    with pytest.raises(knowledge.DoesNotApply, match="but none is"):
        found_in(model, vector, hiding(model, "embeddings|kernel"))


def test_positions_that_see_the_whole_sentence_are_refused():
    model, vector = (
        clients.tiny("bert_tiny_random"),
        clients.gradient_of(clients.NAMES[0], 1),
    )
    with pytest.raises(knowledge.DoesNotApply, match="see the whole sentence"):
        found_in(model, vector, None)


def test_a_table_that_is_the_head_names_its_tokens():
    model = clients.wide("gpt2")
    vector = clients.gradient_of("gpt2", 2, make=clients.wide)
    view, known = clients.view_of(model, vector), clients.known(model, 2)
    target = deep_spans.target_lib.build_target(view, known, 0, "mask_aware")
    last = Place(len(model.structure.blocks), "last")
    arguments = target, target.matched, model.spec, model.structure
    span = subspace.of(places.shown(*arguments, last), 24)
    outside = lookups.outside(places.table(*arguments), span)
    # Nobody predicts from the last token: its embedding has no gradient.
    rows = [
        [token for token in row if token >= 0][:-1]
        for row in clients.batch(model, 2)[0].tolist()
    ]
    read = {token for row in rows for token in row}
    assert set(np.flatnonzero(lookups.may_be(outside)).tolist()) == read
