"""Searches among embeddings: DLG, TAG and LAMP on sentences."""

import numpy as np
import pytest
import tensorflow as tf

from attacks import catalog, knowledge
from attacks import effort as effort_lib
from attacks import target as target_lib
from attacks.text import sentences
from attacks.text.continuous import (
    embeddings,
    engine,
    hypotheses,
    lengths,
    matching_attack,
    problems,
    recipes,
)
from attacks.text.modality import TOKENS
from selenc_tf.models.text import bert
from tests.attacks import victims
from tests.attacks.text import clients

SEED = (1, 2)
BERT = "bert_tiny_random"
CLASSIFIERS = [
    BERT,
    pytest.param("gpt2_tiny_classifier_random", marks=pytest.mark.slow),
]


def target_of(model, vector, mask=None, size=1, mode="mask_aware", **more):
    known = clients.known(model, size, **more)
    view = clients.view_of(model, vector, mask)
    return target_lib.build_target(view, known, 0, mode), known


def place_of(model, vector, mask=None, examples=None, classes=(1,), recipe="lamp_cos"):
    """The problem of the true lengths and classes."""
    target, known = target_of(model, vector, mask, len(classes))
    weights = model.initial_weights
    counts = tuple(int(one) for one in (examples >= 0).sum(axis=1))
    made = embeddings.of_model(model, weights)
    place = problems.of_hypothesis(
        weights,
        target,
        known,
        recipes.RECIPES[recipe],
        made,
        hypotheses.Hypothesis(counts, tuple(classes)),
    )
    return place, made


def found_in(model, vector, name="lamp_cos", mask=None, size=1, iterations=60, **more):
    mode = more.pop("mode", "mask_aware")
    attack = matching_attack.build_attack(
        name,
        mode,
        effort=effort_lib.Effort(1, iterations),
        programs=victims.PROGRAMS,
    )
    return attack(
        clients.view_of(model, vector, mask), clients.known(model, size, **more), SEED
    )


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_true_words_have_the_gradient_that_was_sent(name):
    """Of all tensors but the words' table: positions and segments too."""
    model = clients.tiny(name)
    examples, _ = clients.batch(model, 2)
    vector = clients.gradient(model, examples, np.array([1, 0]))
    place, made = place_of(model, vector, examples=examples, classes=(1, 0))
    words = made.words[np.maximum(examples, 0)]
    ours = engine.gradient(model, place.problem, tf.constant(words))
    parts = np.split(vector, np.cumsum(model.spec.sizes)[:-1])
    kept = [parts[one] for one in engine.compared(model)]
    assert len(kept) == len(parts) - 1
    for one, other in zip(ours, kept, strict=True):
        np.testing.assert_allclose(one.numpy().ravel(), other, atol=1e-6)


def test_what_softmax_does_not_see_is_not_compared():
    model = clients.tiny(BERT)
    examples, classes = clients.batch(model, 1)
    place, _ = place_of(
        model, clients.gradient_of(BERT, 1), examples=examples, classes=classes
    )
    layout = engine.layout(model)
    matched = np.split(place.problem.matched.numpy(), np.cumsum(layout.sizes)[:-1])
    ignored = {
        name for name, one in zip(layout.names, matched, strict=True) if not one.any()
    }
    assert ignored == {name for name in layout.names if "key/bias" in name} != set()


def test_embeddings_are_taken_for_their_words():
    model = clients.tiny(BERT)
    made = embeddings.of_model(model, model.initial_weights)
    tokens = np.arange(4, 20)
    every = np.ones([model.vocabulary_size], bool)
    noisy = 3 * made.words[tokens] + 0.1 * made.scale
    np.testing.assert_array_equal(embeddings.nearest(noisy, made, every), tokens)
    allowed = every & (np.arange(model.vocabulary_size) != 7)
    assert embeddings.nearest(made.words[7], made, allowed) != 7
    embedded = model.embed(model.initial_weights, tf.constant([[5, 6, 7]]))[0]
    np.testing.assert_allclose(
        embedded, made.words[[5, 6, 7]] + made.places[:3], atol=1e-6
    )


def test_lengths_are_read_off():
    model = clients.tiny(BERT)
    examples = sentences.of_rows([[2, 9, 8, 7, 3], [2, 5, 3]], clients.LENGTH)
    vector = clients.gradient(model, examples, np.array([0, 1]))
    target, known = target_of(model, vector, size=2)
    assert lengths.candidates(target, known, "mask_aware", 12) == ((5, 3),)
    one = clients.gradient(model, examples[:1], np.array([0]))
    target, known = target_of(model, one)
    assert lengths.candidates(target, known, "mask_aware", 12) == ((5,),)
    # Without the table of positions the first block's rank says it.
    place = model.structure.position_table
    ends = np.cumsum(model.spec.sizes)
    mask = np.zeros(len(one), bool)
    mask[ends[place - 1] : ends[place]] = True
    target, known = target_of(model, one, mask)
    assert lengths.candidates(target, known, "mask_aware", 12) == ((5,),)
    # Without both nothing does.
    mask[: ends[place + 12]] = True
    target, known = target_of(model, one, mask)
    assert lengths.candidates(target, known, "mask_aware", 12) == ((8,),)


def test_unknown_classes_and_lengths_are_tried_together():
    model = clients.tiny(BERT)
    examples = sentences.of_rows([[2, 9, 8, 7, 3], [2, 5, 3]], clients.LENGTH)
    vector = clients.gradient(model, examples, np.array([0, 1]))
    target, known = target_of(model, vector, size=2)
    found = hypotheses.of_target(target, known, "mask_aware")
    assert hypotheses.Hypothesis((5, 3), (0, 1)) in found.tried
    assert hypotheses.Hypothesis((5, 3), (1, 0)) in found.tried
    target, known = target_of(model, vector, size=2, labels=(1, 0))
    found = hypotheses.of_target(target, known, "mask_aware")
    # Known classes keep their order, so that lengths take theirs.
    assert found.source == "known"
    assert found.tried == tuple(
        hypotheses.Hypothesis(one, (1, 0)) for one in ((5, 3), (3, 5))
    )


@pytest.mark.slow
def test_an_order_is_found_where_the_words_are_seen():
    """The token table names the words, and the search has to order them."""
    model = clients.tiny(BERT)
    truth, classes = clients.batch(model, 1, seed=2)
    vector = clients.gradient_of(BERT, 1, seed=2)
    found = found_in(model, vector)
    np.testing.assert_array_equal(found.examples, truth)
    np.testing.assert_array_equal(found.labels, classes)
    assert found.converged and found.stop == "tolerance"
    assert found.iterations == 60 < found.evaluations


def test_a_token_table_alone_is_refused():
    model, vector = clients.tiny(BERT), clients.gradient_of(BERT, 1)
    ends = np.cumsum(model.spec.sizes)
    place = model.structure.token_table
    mask = np.ones(len(vector), bool)
    mask[ends[place] - model.spec.sizes[place] : ends[place]] = False
    with pytest.raises(knowledge.DoesNotApply, match="beside the token table"):
        found_in(model, vector, mask=mask)


@pytest.mark.slow
def test_a_model_that_predicts_tokens_is_refused():
    model = clients.tiny("gpt2_tiny_random")
    vector = clients.gradient_of("gpt2_tiny_random", 1)
    with pytest.raises(knowledge.DoesNotApply, match="Use DAGER"):
        found_in(model, vector)


@pytest.mark.slow
def test_a_model_that_draws_is_refused():
    sizes = bert.TINY
    special = clients.tiny(BERT).special
    model = bert.of_sizes(sizes, 8, 3, 0, special, dropout=0.1)
    vector = np.zeros(model.spec.size, np.float32)
    with pytest.raises(knowledge.DoesNotApply, match="dropout"):
        found_in(model, vector)
    with pytest.raises(knowledge.DoesNotApply, match="dropout"):
        catalog.build("tag")(clients.view_of(model, vector), clients.known(model), SEED)


def test_an_unknown_recipe_is_refused():
    with pytest.raises(ValueError, match="`name` must be one of"):
        matching_attack.build_attack("film")
    with pytest.raises(ValueError, match="`decay` must be"):
        recipes.Recipe(decay=0.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", [pytest.param("none", marks=pytest.mark.long), "random"]
)
@pytest.mark.long
def test_lamp_finds_words_that_no_table_names(kind):
    """Hidden tables: what is left are cosines of the blocks' visible entries."""
    model = clients.wide("bert")
    truth, _ = clients.batch(model, 1)
    vector = clients.gradient_of("bert", 1, make=clients.wide)
    ends = np.cumsum(model.spec.sizes)
    place = model.structure.token_table
    mask = {
        "none": np.zeros(len(vector), bool),
        "random": clients.random_mask(len(vector), 0.1),
    }[kind]
    mask[ends[place] - model.spec.sizes[place] : ends[place]] = True
    found = found_in(model, vector, mask=mask, iterations=200)
    plain = found_in(model, vector, "dlg_text", mask=mask, iterations=200)
    score, other = (TOKENS.score(one.examples, truth) for one in (found, plain))
    assert score > other and score > 0.6
