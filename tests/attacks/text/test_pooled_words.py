"""Words by the vector that a classifier makes of a sentence."""

import numpy as np
import pytest
import tensorflow as tf

from attacks import catalog, effort, knowledge
from attacks.knowledge import PublicExamples
from attacks.text import sentences
from attacks.text.pooled import (
    attack,
    engine,
    features,
    feedforward_biases,
    proposals,
    word_search,
)
from attacks.text.spans import places
from attacks.text.spans.places import Place
from tests.attacks import victims
from tests.attacks.text import clients

SEED = (1, 2)
ABOVE = "pooled_dense|logits"
NAMES = ["bert", "gpt2_classifier"]


def one_sentence(name, seed=0):
    model = clients.wide(name)
    truth, classes = clients.batch(model, 1, seed)
    return model, truth, clients.gradient(model, truth, classes)


def read(model, vector, mask):
    target = clients.target_of(model, vector, clients.known(model), mask)
    return features.read(model, target, model.initial_weights)


def entering(model, truth, place):
    ids, real = np.maximum(truth, 0), truth >= 0
    found = model.inputs(
        model.initial_weights, tf.constant(ids), tf.constant(real), *place
    )
    position = places.pooled_position(model.structure, tf.constant(real))
    return found.numpy()[0, int(position[0])]


def found_in(model, vector, mask, steps, **more):
    build = attack.build_pooled_words(
        effort=effort.Effort(restarts=1, max_iterations=steps),
        programs=victims.PROGRAMS,
    )
    return build(
        clients.view_of(model, vector, mask), clients.known(model, **more), SEED
    )


def named(model, pattern):
    return next(name for name in model.spec.names if name.endswith(pattern))


def entries(model, pattern):
    place = model.spec.names.index(named(model, pattern))
    start = sum(model.spec.sizes[:place])
    return np.arange(start, start + model.spec.sizes[place])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_vectors_are_read_exactly_with_and_without_holes(name, share):
    model, truth, vector = one_sentence(name)
    mask = clients.all_but(model, ABOVE)
    kernel = entries(
        model, "pooled_dense/kernel" if name == "bert" else "logits/kernel"
    )
    holes = np.random.default_rng(1).random(len(kernel)) < share
    # One class of the head is enough for the other.
    mask[
        kernel[holes if name == "bert" else np.arange(len(kernel)) % 2 < 2 * share]
    ] = True
    (found,) = read(model, vector, mask)
    assert found.exact and found.known.all()
    true = entering(model, truth, found.place)
    np.testing.assert_allclose(found.values, true, atol=1e-5 * np.abs(true).max())


def test_the_head_says_what_the_pooling_layer_hides():
    model, truth, vector = one_sentence("bert")
    (found,) = read(model, vector, clients.all_but(model, "logits"))
    assert found.place == Place(len(model.structure.blocks), "last") and found.exact
    np.testing.assert_allclose(found.values, entering(model, truth, found.place), 1e-4)


def test_without_a_bias_a_direction_is_left():
    model, truth, vector = one_sentence("bert")
    (found,) = read(model, vector, clients.all_but(model, "pooled_dense/kernel"))
    assert not found.exact
    true = entering(model, truth, found.place)
    cosine = found.values @ true / np.linalg.norm(found.values) / np.linalg.norm(true)
    assert abs(cosine) == pytest.approx(1, abs=1e-6)
    reads = engine.as_tensors([found])
    distance = engine.build_engine(model, (found.place,)).distance
    wrong = truth.copy()
    wrong[0, 1] += 1
    near, far = (
        distance(model.initial_weights, reads, one)[0] for one in (truth, wrong)
    )
    assert near < 1e-6 < far


LAST = {"bert": "_2/feedforward_layer_norm", "gpt2_classifier": "^layer_norm"}


@pytest.mark.parametrize("name", NAMES)
def test_the_last_normalisation_says_it_too(name):
    model, truth, vector = one_sentence(name)
    (found,) = read(model, vector, clients.all_but(model, LAST[name]))
    assert found.exact and found.known.all()
    true = entering(model, truth, found.place)
    np.testing.assert_allclose(found.values, true, atol=1e-4 * np.abs(true).max())


SECOND_HALF = {
    "feed-forward kernel": ("_2/feedforward_intermediate_dense", "feedforward"),
    "second feed-forward kernel": ("_2/feedforward_output_dense", "middle"),
    "attention output": ("_2/.*attention_output", "mixed"),
    "biases": ("_2/feedforward_(intermediate|output)_dense/bias", "feedforward"),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", SECOND_HALF)
def test_the_last_block_says_it_too(name, kind):
    """Of which one position is used, by kernels or by biases alone."""
    model, truth, vector = one_sentence(name)
    visible, part = SECOND_HALF[kind]
    (found,) = read(model, vector, clients.all_but(model, visible))
    assert found.exact and found.known.all()
    assert found.place == Place(len(model.structure.blocks) - 1, part)
    true = entering(model, truth, found.place)
    np.testing.assert_allclose(found.values, true, atol=1e-3 * np.abs(true).max())
    distance = engine.build_engine(model, (found.place,)).distance
    reads = engine.as_tensors([found])
    wrong = truth.copy()
    wrong[0, 1] += 1
    near, far = (
        distance(model.initial_weights, reads, one)[0] for one in (truth, wrong)
    )
    assert near < 1e-6 < far


@pytest.mark.parametrize("name", NAMES)
def test_the_normalisation_before_the_last_feed_forward_layers(name):
    model, truth, vector = one_sentence(name)
    norm = "self_attention" if name == "bert" else "feedforward"
    mask = clients.all_but(model, f"_2/{norm}_layer_norm")
    (found,) = read(model, vector, mask)
    true = entering(model, truth, Place(found.place.depth, "feedforward"))
    np.testing.assert_allclose(found.values, true, atol=1e-4 * np.abs(true).max())


def test_biases_of_other_blocks_and_too_few_say_nothing():
    """Before the last block they are sums over the sentence."""
    model, _, vector = one_sentence("bert")
    both = "feedforward_(intermediate|output)_dense/bias"
    assert not read(model, vector, clients.all_but(model, f"_[01]/{both}"))
    mask = clients.all_but(model, f"_2/{both}")
    first = entries(model, "_2/feedforward_intermediate_dense/bias")
    mask[first[: -(model.structure.width - 1)]] = True
    assert not read(model, vector, mask)


def test_what_no_vector_explains_is_not_read():
    """Two sentences, noise, or the slopes of an activation that says only signs."""
    model, _, vector = one_sentence("bert")
    mask = clients.all_but(model, SECOND_HALF["biases"][0])
    noise = np.random.default_rng(0).standard_normal(vector.shape).astype(np.float32)
    assert not read(model, vector + 0.05 * np.abs(vector).mean() * noise, mask)
    both, classes = clients.batch(model, 2, 0)
    assert not read(model, clients.gradient(model, both, classes), mask)
    generator = np.random.default_rng(1)
    kernel, back = generator.standard_normal((8, 32)), generator.standard_normal(32)
    entering = generator.standard_normal(8)
    slopes = back * (entering @ kernel > 0)
    for activation in (tf.nn.relu, tf.identity):
        known = feedforward_biases.Biases(
            kernel, np.zeros(32), slopes, back, activation
        )
        assert feedforward_biases.solve(known) is None


@pytest.mark.parametrize("activation", [tf.nn.gelu, tf.nn.silu])
def test_activations_that_bend_are_solved(activation):
    generator = np.random.default_rng(2)
    kernel, back = generator.standard_normal((8, 40)) / 3, generator.standard_normal(40)
    entering, bias = generator.standard_normal(8), 0.1 * generator.standard_normal(40)
    first, _ = feedforward_biases._derivatives(activation, entering @ kernel + bias)
    known = feedforward_biases.Biases(kernel, bias, back * first, back, activation)
    found = feedforward_biases.solve(known)
    assert found is not None
    np.testing.assert_allclose(found, entering, atol=1e-6)


def test_two_sources_of_one_vector_are_both_compared():
    """Of a pooling layer without its bias the direction, beside some coordinates."""
    model, truth, vector = one_sentence("bert")
    mask = clients.all_but(model, f"pooled_dense/kernel|{LAST['bert']}")
    mask[entries(model, "_2/feedforward_layer_norm/beta")[::2]] = True
    found = read(model, vector, mask)
    assert [one.exact for one in found] == [False, True]
    made = engine.build_engine(model, tuple(one.place for one in found))
    distance = made.distance(model.initial_weights, engine.as_tensors(found), truth)
    assert distance[0] < 1e-8


def test_nothing_of_these_layers_is_no_case_for_it():
    model, _, vector = one_sentence("bert")
    mask = ~clients.all_but(model, f"{ABOVE}|{LAST['bert']}|_2/")
    assert not read(model, vector, mask)
    with pytest.raises(knowledge.DoesNotApply, match="visible enough for the input"):
        found_in(model, vector, mask, 1)


@pytest.mark.parametrize(
    "name", ["bert", pytest.param("gpt2_classifier", marks=pytest.mark.slow)]
)
def test_the_derivative_is_that_of_the_distance(name):
    model, truth, vector = one_sentence(name)
    found = read(model, vector, clients.all_but(model, ABOVE))
    reads = engine.as_tensors(found)
    made = engine.build_engine(model, tuple(one.place for one in found))
    weights = model.initial_weights
    assert made.distance(weights, reads, truth)[0] < 1e-11
    wrong = truth.copy()
    wrong[0, 2] += 1
    slopes = made.slopes(weights, reads, wrong)[0]
    embedded = model.embed(weights, tf.constant(np.maximum(wrong, 0))).numpy()
    step = np.random.default_rng(0).standard_normal(embedded.shape)
    step *= (wrong >= 0)[..., None]

    def at(distance):
        moved = tf.constant((embedded + distance * step).astype(np.float32))
        place = found[0].place
        there = model.inputs_from(weights, moved, tf.constant(wrong >= 0), *place)[0, 0]
        true = found[0].values
        return float(np.sum(np.square(there - true)) / np.sum(np.square(true)))

    expected = (at(1e-4) - at(-1e-4)) / 2e-4
    assert float(np.sum(slopes * step[0])) == pytest.approx(expected, rel=1e-2)


def test_proposals_keep_to_words_and_room():
    generator = np.random.default_rng(0)
    likely = np.arange(100, 124).reshape(4, 6)
    words, others = (1, 2, 3, 4), [(1, 2, 3, 4), (5, 6, 7, 8, 9)]
    made = {proposals.propose(words, likely, others, 5, generator) for _ in range(2000)}
    assert all(1 <= len(one) <= 5 for one in made)
    assert {len(one) for one in made} == {3, 4, 5}
    known = {*words, *range(5, 10), *range(100, 124)}
    assert all(known.issuperset(one) for one in made)
    assert any(sorted(one) == [1, 2, 3, 4] and one != words for one in made)


def test_the_words_that_a_derivative_names():
    table = np.eye(6)
    slopes = np.array([[0, 0, 0, -9, 1, 1.0], [0, 0, 9, 0, 0, -1]])
    allowed = np.array([1, 2, 3, 5])
    found = proposals.likely_words(
        slopes, np.array([0, 2]), table, allowed, np.zeros(4)
    )
    assert [sorted(row) for row in found.tolist()] == [[1, 2, 3, 5]] * 2
    many = np.arange(50)
    slope = np.zeros((1, 50))
    slope[0, :40] = -1
    found = proposals.likely_words(
        slope, np.array([49]), np.eye(50), many, np.zeros(50)
    )
    assert sorted(found[0].tolist()) == list(range(40))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["bert", pytest.param("gpt2_classifier", marks=pytest.mark.slow)]
)
def test_a_search_comes_near_and_is_the_same_again(name):
    model, truth, vector = one_sentence(name)
    mask = clients.all_but(model, ABOVE)
    first, second = (found_in(model, vector, mask, 40) for _ in range(2))
    np.testing.assert_array_equal(first.examples, second.examples)
    assert first.iterations == 40 and first.stop == "iterations"
    assert first.evaluations > 40 * 80 and not first.converged
    place = Place(len(model.structure.blocks), "pooler" if name == "bert" else "last")
    true = entering(model, truth, place)
    near = entering(model, first.examples, place)
    random, _ = clients.batch(model, 1, seed=9)
    far = entering(model, random, place)
    assert np.linalg.norm(near - true) < 0.3 * np.linalg.norm(far - true)


def test_a_public_sentence_that_is_the_clients_is_recognised():
    model, truth, vector = one_sentence("bert")
    others, classes = clients.batch(model, 7, seed=3)
    public = PublicExamples(np.concatenate([others, truth]), np.append(classes, 0))
    mask = clients.all_but(model, ABOVE)
    found = found_in(model, vector, mask, 40, public_examples=public)
    np.testing.assert_array_equal(found.examples, truth)
    assert found.stop == "tolerance" and found.converged and found.iterations == 0


def test_an_empty_sentence_is_found():
    model = clients.wide("bert")
    truth = sentences.of_rows([[2, 3]], model.length)
    vector = clients.gradient(model, truth, np.array([1]))
    found = found_in(model, vector, clients.all_but(model, ABOVE), 1)
    np.testing.assert_array_equal(found.examples, truth)
    assert found.labels.tolist() == [1]


@pytest.mark.slow
def test_visible_rows_of_the_table_bound_the_words():
    model, truth, vector = one_sentence("bert")
    mask = clients.all_but(model, ABOVE + "|token_embedding")
    found = found_in(model, vector, mask, 60)
    assert set(found.examples[0].tolist()) <= {*truth[0].tolist(), -1}


def test_batches_and_next_tokens_are_refused_by_the_catalogue():
    model, _, vector = one_sentence("bert")
    made = catalog.build("pooled_words")
    with pytest.raises(knowledge.DoesNotApply, match="must be 1 for this attack"):
        made(clients.view_of(model, vector), clients.known(model, 2), SEED)
    causal = clients.wide("gpt2")
    with pytest.raises(knowledge.DoesNotApply, match="must learn classes"):
        made(
            clients.view_of(causal, np.zeros(causal.spec.size, np.float32)),
            clients.known(causal),
            SEED,
        )


def test_the_clock_ends_it():
    model, _, vector = one_sentence("bert")
    made = attack.build_pooled_words(
        effort=effort.Effort(restarts=3, max_iterations=10**6, max_seconds=0.01),
        programs=victims.PROGRAMS,
    )
    mask = clients.all_but(model, ABOVE)
    found = made(clients.view_of(model, vector, mask), clients.known(model), SEED)
    assert found.stop == "seconds" and found.iterations == 1


def test_kept_sentences_are_unlike_one_another():
    near = [
        word_search.Near((word, 9, 8), 0.1 * word, float(word)) for word in range(1, 9)
    ]
    other = word_search.Near((20, 21), 5.0, 50.0)
    kept = word_search._unlike([other, *near])
    assert kept == (*near[:3], other)
