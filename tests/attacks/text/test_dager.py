"""DAGER under masks, and where it has to refuse."""

import numpy as np
import pytest

from attacks import effort, knowledge
from attacks.text import compiled, sentences
from attacks.text.discrete import candidates, dager
from attacks.text.modality import TOKENS
from attacks.text.spans import determined
from selenc_tf.models.text import bert
from tests.attacks import victims
from tests.attacks.text import clients

SEED = (1, 2)
BERT, GPT2 = clients.NAMES
WIDE = ("bert", "gpt2", "gpt2_classifier")


def found_in(model, vector, mask=None, size=1, mode="mask_aware", **more):
    view = clients.view_of(model, vector, mask)
    known = clients.known(model, size, **more)
    attack = dager.build_dager(mode=mode, programs=victims.PROGRAMS)
    return attack(view, known, SEED)


def mask_of(vector, kind):
    if kind.startswith("random"):
        return clients.random_mask(len(vector), float(kind[6:]))
    return clients.largest(vector, float(kind[7:]))


@pytest.mark.parametrize("name", clients.NAMES)
@pytest.mark.parametrize(
    "kind", ["random0.1", pytest.param("largest0.5", marks=pytest.mark.slow)]
)
def test_hidden_entries_are_no_obstacle(name, kind):
    model, vector = clients.tiny(name), clients.gradient_of(name, 1)
    found = found_in(model, vector, mask_of(vector, kind))
    truth, classes = clients.batch(model, 1)
    np.testing.assert_array_equal(found.examples, truth)
    np.testing.assert_array_equal(found.labels, classes)
    assert found.converged and found.stop == "closed_form"
    assert found.label_source == ("enumerated" if name == BERT else "inferred")


KINDS = ("random0", "random0.1", "largest0.1", "largest0.5")
EACH_ONCE = (
    ("bert", "random0"),
    ("gpt2", "largest0.5"),
    ("gpt2_classifier", "random0"),
)
"""Of these models and masks what the slow tier has; the long one has all."""


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(
            name,
            kind,
            marks=pytest.mark.slow if (name, kind) in EACH_ONCE else pytest.mark.long,
        )
        for name in WIDE
        for kind in KINDS
    ],
)
def test_batches_are_taken_apart(name, kind):
    model = clients.wide(name)
    vector = clients.gradient_of(name, 2, make=clients.wide)
    found = found_in(model, vector, mask_of(vector, kind), size=2)
    truth, classes = clients.batch(model, 2)
    assert found.converged and TOKENS.score(found.examples, truth) == 1
    if model.kind == "classes":
        assert sorted(found.labels) == sorted(classes)


@pytest.mark.slow
@pytest.mark.parametrize("name", WIDE)
def test_equal_sentences_are_counted(name):
    model = clients.wide(name)
    examples, classes = clients.batch(model, 2)
    order = [0, 1, 0]
    vector = clients.gradient(model, examples[order], classes[order])
    found = found_in(model, vector, size=3)
    assert found.converged
    assert TOKENS.score(found.examples, examples[order]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["random0.1", "largest0.1"])
def test_zeros_for_hidden_entries_mislead(kind):
    model = clients.wide("bert")
    vector = clients.gradient_of("bert", 1, make=clients.wide)
    found = found_in(model, vector, mask_of(vector, kind), mode="naive")
    assert not found.converged
    assert TOKENS.score(found.examples, clients.batch(model, 1)[0]) < 1
    aware = found_in(model, vector, mask_of(vector, kind))
    assert aware.converged


def test_known_labels_are_kept_in_their_order():
    model = clients.tiny(BERT)
    examples = sentences.of_rows([[2, 5, 3], [2, 9, 12, 3]], clients.LENGTH)
    classes = np.array([2, 0])
    vector = clients.gradient(model, examples, classes)
    found = found_in(model, vector, size=2, labels=(2, 0))
    assert found.label_source == "known" and found.labels.tolist() == [2, 0]
    np.testing.assert_array_equal(found.examples, examples)


def test_more_tokens_than_dimensions_are_ranked():
    """No vector is outside of the whole space; but usual ones are told from others."""
    model = clients.tiny(BERT)
    examples, classes = clients.batch(model, 8)
    vector, known = clients.gradient(model, examples, classes), clients.known(model, 8)
    found = found_in(model, vector, size=8)
    assert not found.converged and found.stop == "inconsistent"
    place = candidates.FIRST[0]
    target = clients.target_of(model, vector, known)
    span = determined.at(model, target, place, 8, "mask_aware")
    assert span.soft and span.rank >= len(span.rows) - 1
    entering = compiled.build_entering(model, (place,))
    scores = candidates.rank_vocabulary(
        model,
        lambda ids: entering(model.initial_weights, ids)[0],
        span,
        np.ones([model.vocabulary_size], bool),
    )
    places = np.argsort(np.argsort(scores, axis=0), axis=0)
    true = [places[row[at], at] for row in examples for at in np.flatnonzero(row >= 0)]
    assert np.median(true) < model.vocabulary_size / 4


def test_a_hidden_first_block_is_refused():
    model, vector = clients.tiny(BERT), clients.gradient_of(BERT, 1)
    mask = clients.all_but(model, "feedforward|_1/")
    with pytest.raises(knowledge.DoesNotApply, match="first block"):
        found_in(model, vector, mask)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bert", pytest.param("gpt2", marks=pytest.mark.slow)])
def test_an_attention_output_kernel_alone_gives_the_sentence(name):
    """Its rows are mixtures of values of single tokens, and mixing keeps their span."""
    model = clients.attentive(name)
    vector = clients.gradient_of(name, 1, make=clients.attentive)
    found = found_in(model, vector, clients.all_but(model, "_0/.*attention_output/ker"))
    np.testing.assert_array_equal(found.examples, clients.batch(model, 1)[0])
    assert found.converged and found.stop == "closed_form"


@pytest.mark.slow
def test_many_unknown_classes_are_refused():
    model = bert.bert_tiny_random(clients.LENGTH, 9, 0)
    examples, _ = clients.batch(model, 1)
    vector = clients.gradient(model, examples, np.array([1]))
    with pytest.raises(knowledge.DoesNotApply, match="more than 8 classes"):
        found_in(model, vector)


@pytest.mark.slow
def test_repeated_words_do_not_crowd_out_a_sentence():
    # Runs of one word fit the spans worse than short wrong prefixes; and a word at several
    # positions puts the words of the one into the span at the other.
    model = clients.wide("gpt2")
    generator = np.random.default_rng(3)
    some = [[2, *generator.integers(4, 24, 9), 2] for _ in range(3)]
    examples = sentences.of_rows(
        [*some, [2, 30, 9, 9, 9, 9, 31, 8, 8, 2]], model.length
    )
    vector = clients.gradient(model, examples, np.zeros([4, 0], np.int64))
    attack = dager.build_dager(
        effort=effort.Effort(restarts=1, max_iterations=40), programs=victims.PROGRAMS
    )
    found = attack(clients.view_of(model, vector), clients.known(model, 4), SEED)
    assert found.converged and TOKENS.score(found.examples, examples) == 1


def test_no_token_at_the_first_position_is_refused(monkeypatch):
    model, vector = clients.tiny(GPT2), clients.gradient_of(GPT2, 1)
    nothing = np.zeros([0], np.int64)

    def choose(scores, rank, batch_size):
        return candidates.Candidates((nothing,) * model.length, clear=True)

    monkeypatch.setattr(candidates, "choose", choose)
    with pytest.raises(knowledge.DoesNotApply, match="at the first position"):
        found_in(model, vector)
