"""TIGER: where it finds sentences, and that DAGER goes on with it."""

import numpy as np
import pytest
import tensorflow as tf

from attacks import effort, knowledge
from attacks.programs import Programs
from attacks.text.continuous import (
    dager_fallback,
    embeddings,
    span_engine,
    span_search,
    tiger,
)
from attacks.text.discrete import candidates, dager, finishing
from attacks.text.modality import TOKENS
from attacks.text.spans import determined, places
from tests.attacks import victims
from tests.attacks.text import clients

SEED = (1, 2)
STEPS = effort.Effort(restarts=1, max_iterations=100)


def built(build=tiger.build_tiger, **options):
    return build(effort=STEPS, programs=victims.PROGRAMS, **options)


def hidden(model, tensors):
    """A mask of whole tensors."""
    ends = np.cumsum(model.spec.sizes)
    mask = np.zeros(model.spec.size, bool)
    for one in tensors:
        mask[ends[one] - model.spec.sizes[one] : ends[one]] = True
    return mask


def first_block(model):
    block = model.structure.blocks[0]
    return [one.kernel for one in (*block.of_inputs, block.output)]


def problem_of(model, examples, spans):
    """The problem of all words of these sentences, as they are."""
    weights, made = (
        model.initial_weights,
        embeddings.of_model(model, model.initial_weights),
    )
    bases, rows = span_engine.padded(list(spans.values()))
    real = examples >= 0
    return span_engine.SpanProblem(
        weights,
        bases,
        rows,
        tf.ones([len(rows)]),
        tf.constant(made.places),
        tf.zeros([*examples.shape, model.structure.width]),
        tf.constant(real, tf.float32),
        tf.constant(real),
        tf.constant(made.norm),
    ), made.words[np.maximum(examples, 0)]


@pytest.mark.parametrize("name", ["bert", pytest.param("gpt2", marks=pytest.mark.slow)])
def test_true_words_are_in_the_spans_and_others_are_not(name):
    model = clients.wide(name)
    truth, classes = clients.batch(model, 1)
    vector = clients.gradient(model, truth, classes)
    known = clients.known(model)
    target = clients.target_of(model, vector, known)
    spans = determined.read(
        model, target, 1, places.in_order(model.structure, 2), most=3
    )
    assert len(spans) == 3
    wrong = truth.copy()
    wrong[0, 2] += 1
    if model.kind == "next_token":
        # Nobody predicts from the last token, which is in no span.
        truth = truth.copy()
        truth[0, np.count_nonzero(truth >= 0) - 1] = -1
    engine = span_engine.build_span_engine(model, tuple(spans))
    for examples, inside in ((truth, True), (wrong, False)):
        distance = engine.distance(*problem_of(model, examples, spans))
        assert distance.shape == (1, 3)
        assert np.all((distance.numpy() < 1e-8) == inside)


def test_a_step_leads_downhill():
    model = clients.wide("bert")
    truth, classes = clients.batch(model, 1)
    target = clients.target_of(
        model, clients.gradient(model, truth, classes), clients.known(model)
    )
    spans = determined.read(
        model, target, 1, places.in_order(model.structure, 2), most=1
    )
    engine = span_engine.build_span_engine(model, tuple(spans))
    problem, words = problem_of(model, truth, spans)
    noise = np.random.default_rng(0).standard_normal(words.shape)
    state = span_engine.start(words + 0.05 * noise)
    nothing, rate = tf.constant(0.0), tf.constant(1e-3)
    first = None
    for _ in range(20):
        state, distance = engine.step(problem, state, tf.constant(words), nothing, rate)
        first = distance if first is None else first
    assert float(distance[0]) < 0.9 * float(first[0])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param("bert", "nothing", marks=pytest.mark.slow),
        pytest.param("bert", "and_tables", marks=pytest.mark.slow),
        pytest.param("bert", "first_block", marks=pytest.mark.long),
        pytest.param("gpt2", "first_block", marks=pytest.mark.slow),
        pytest.param("gpt2", "nothing", marks=pytest.mark.long),
        pytest.param("gpt2_classifier", "nothing", marks=pytest.mark.slow),
        pytest.param("gpt2_classifier", "first_block", marks=pytest.mark.long),
    ],
)
def test_one_sentence_is_found(name, kind):
    model = clients.wide(name)
    truth, _ = clients.batch(model, 1)
    vector = clients.gradient_of(name, 1, make=clients.wide)
    tensors = {
        "nothing": [],
        "first_block": first_block(model),
        "and_tables": [*first_block(model), *model.structure.embedding_tables],
    }[kind]
    view = clients.view_of(model, vector, hidden(model, tensors))
    found = built()(view, clients.known(model), SEED)
    np.testing.assert_array_equal(found.examples, truth)
    assert found.converged and found.stop == "tolerance"
    assert 0 < found.iterations <= 100 < found.evaluations
    if kind != "nothing":
        with pytest.raises(knowledge.DoesNotApply, match="first block"):
            built(dager.build_dager)(view, clients.known(model), SEED)


@pytest.mark.slow
def test_zeros_for_hidden_entries_mislead():
    model = clients.wide("bert")
    truth, _ = clients.batch(model, 1)
    vector = clients.gradient_of("bert", 1, make=clients.wide)
    view = clients.view_of(model, vector, clients.random_mask(len(vector), 0.1))
    naive, aware = (
        built(mode=mode)(view, clients.known(model), SEED)
        for mode in ("naive", "mask_aware")
    )
    assert aware.converged and not naive.converged
    assert (
        TOKENS.score(naive.examples, truth) < TOKENS.score(aware.examples, truth) == 1
    )


def test_hidden_kernels_are_refused():
    model, vector = (
        clients.tiny("bert_tiny_random"),
        clients.gradient_of("bert_tiny_random", 1),
    )
    view = clients.view_of(model, vector, clients.all_but(model, "gamma|beta|bias|emb"))
    with pytest.raises(knowledge.DoesNotApply, match="visible enough"):
        built()(view, clients.known(model), SEED)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("bert", "feedforward_output_dense/kernel"),
        pytest.param("bert", "_0/feedforward_inter.*/kernel", marks=pytest.mark.slow),
        pytest.param("gpt2", "attention_output/kernel", marks=pytest.mark.slow),
    ],
)
def test_one_kind_of_kernels_alone_gives_the_sentence(name, pattern):
    model = clients.attentive(name)
    vector = clients.gradient_of(name, 1, make=clients.attentive)
    view = clients.view_of(model, vector, clients.all_but(model, pattern))
    found = built()(view, clients.known(model), SEED)
    np.testing.assert_array_equal(found.examples, clients.batch(model, 1)[0])
    assert found.converged and found.stop == "tolerance"


def test_what_is_above_all_blocks_is_searched():
    """One vector of a sentence enters there; whether that is enough is another matter."""
    model, vector = (
        clients.tiny("bert_tiny_random"),
        clients.gradient_of("bert_tiny_random", 1),
    )
    view = clients.view_of(model, vector, clients.all_but(model, "pooled_dense/kernel"))
    found = built()(view, clients.known(model), SEED)
    assert np.isfinite(found.objective) and found.evaluations > 0


@pytest.mark.slow
def test_what_dager_does_not_find_is_searched(monkeypatch):
    """With the fallback of its own, where no token fits or what fits explains nothing."""
    model, vector = (
        clients.tiny("bert_tiny_random"),
        clients.gradient_of("bert_tiny_random", 1),
    )
    view, known = clients.view_of(model, vector), clients.known(model)
    truth, _ = clients.batch(model, 1)
    wrong = np.array([9, 8])

    for tokens in (wrong[:0], wrong):
        few = candidates.Candidates((tokens,) * model.length, clear=True)
        monkeypatch.setattr(candidates, "choose", lambda *_, few=few: few)
        alone = built(dager.build_dager)
        if len(tokens):
            assert not alone(view, known, SEED).converged
        else:
            with pytest.raises(finishing.NothingFound):
                alone(view, known, SEED)
            with pytest.raises(finishing.NothingFound):
                built(dager_fallback.build_dager, mode="naive")(view, known, SEED)
        found = built(dager_fallback.build_dager)(view, known, SEED)
        np.testing.assert_array_equal(found.examples, truth)
        assert found.converged and found.stop == "tolerance"


def test_a_search_that_was_made_is_not_made_again(monkeypatch):
    """As DAGER's fallback and by its own name, in one study."""
    model, vector = (
        clients.tiny("bert_tiny_random"),
        clients.gradient_of("bert_tiny_random", 1),
    )
    programs, few = Programs(), effort.Effort(restarts=1, max_iterations=2)
    view, searches = clients.view_of(model, vector), []
    run = span_search.run

    def counted(*arguments):
        searches.append(1)
        return run(*arguments)

    monkeypatch.setattr(span_search, "run", counted)
    first = tiger.build_tiger(effort=few, programs=programs)
    again = tiger.build_tiger(effort=few, programs=programs)
    found = first(view, clients.known(model), SEED)
    # Knowledge is made anew for each attack.
    assert again(view, clients.known(model), SEED) is found and len(searches) == 1
    again(view, clients.known(model), (3, 4))
    again(clients.view_of(model, vector), clients.known(model), (3, 4))
    tiger.build_tiger(mode="naive", effort=few, programs=programs)(
        view, clients.known(model), (3, 4)
    )
    assert len(searches) == 4
    nothing = clients.view_of(model, vector, np.ones(len(vector), bool))
    for build in (first, again):
        with pytest.raises(knowledge.DoesNotApply):
            build(nothing, clients.known(model), SEED)
