import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from selenc_tf import flatten
from selenc_tf.models import task as task_lib
from selenc_tf.models.text import bert, gpt2, initial, token_model, tokens
from selenc_tf.models.text.sizes import TINY
from tests.selenc_tf.models.text import language
from tests.selenc_tf.models.text.language import (
    EACH,
    EACH_PRECISE,
    ENCODER_BY_DEFAULT,
    SPECIAL,
)


def parts(model, vector):
    return [one.numpy() for one in flatten.unflatten(vector, model.spec)]


def keras_loss(model):
    """The loss of the batch as KerasHub's own training computes it."""
    source, (ids, mask) = model.source, language.batch()
    inputs = {"token_ids": ids, "padding_mask": mask.astype(np.int32)}
    if "segment_ids" in source.input:
        inputs["segment_ids"] = np.zeros_like(ids)
    known, weights = language.labels(model), None
    if model.kind == "next_token":
        weights = tf.constant(known >= 0, tf.float32)
        known = np.maximum(known, 0)
    source.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return source.compute_loss(
        x=inputs, y=tf.constant(known), y_pred=source(inputs), sample_weight=weights
    ).numpy()


@pytest.mark.parametrize("name", EACH)
def test_the_mean_of_the_losses_is_what_keras_trains(name):
    model = language.model(name)
    batch, labels = language.batch(), language.labels(model)
    losses = model.losses(model.initial_weights, batch, labels)
    assert losses.shape == (2,)
    inputs = batch._asdict()
    step = task_lib.step(model.task, model.initial_weights, (), inputs, labels)
    np.testing.assert_allclose(np.mean(losses), step.loss, rtol=1e-6)
    np.testing.assert_allclose(np.mean(losses), keras_loss(model), rtol=1e-6)


def test_next_tokens_are_weighed_by_all_positions():
    model = language.model("gpt2_tiny_random")
    batch = language.batch()
    logs = tf.nn.log_softmax(model.apply(model.initial_weights, batch)).numpy()
    losses = model.losses(model.initial_weights, batch, language.labels(model))
    by_hand = -(logs[0, 0, 7] + logs[0, 1, 9] + logs[0, 2, 3]) / 8
    np.testing.assert_allclose(losses[0], by_hand, rtol=1e-5)


@pytest.mark.parametrize("name", ENCODER_BY_DEFAULT)
def test_both_entries_have_one_loss_and_one_gradient_but_for_the_tables(name):
    model = language.double(name)
    weights, batch = model.initial_weights, language.batch()
    labels = language.labels(model)
    embedded = model.embed(weights, batch.token_ids)
    assert embedded.dtype == tf.float64
    np.testing.assert_allclose(
        model.losses(weights, batch, labels),
        model.losses_from(weights, embedded, batch.padding_mask, labels),
        rtol=1e-13,
    )
    whole = parts(model, token_model.gradient(model, weights, batch, labels))
    after = parts(
        model,
        token_model.gradient_from(model, weights, embedded, batch.padding_mask, labels),
    )
    tables = set(model.structure.embedding_tables)
    assert tables
    for place, (one, other) in enumerate(zip(whole, after, strict=True)):
        if place not in tables:
            scale = np.abs(one).max()
            np.testing.assert_allclose(
                one, other, rtol=0, atol=1e-12 * max(scale, 1e-3)
            )
        else:
            assert np.abs(one - other).max() > 1e-4
    tied = after[model.structure.token_table]
    assert (np.abs(tied).max() > 0) == model.structure.tied


@pytest.mark.parametrize("name", ENCODER_BY_DEFAULT)
def test_float64_is_the_same_function(name):
    model, double = language.model(name), language.double(name)
    batch, labels = language.batch(), language.labels(model)
    near = token_model.gradient(model, model.initial_weights, batch, labels)
    exact = token_model.gradient(double, double.initial_weights, batch, labels)
    assert exact.dtype == double.dtype == tf.float64
    np.testing.assert_allclose(near, exact, rtol=0, atol=1e-6)
    assert double.spec == model.spec


@pytest.mark.parametrize("name", EACH_PRECISE)
def test_the_gradient_is_the_slope_of_the_loss(name):
    # A direction in the weights, by differences in float64.
    model = language.double(name)
    batch, labels = language.batch(), language.labels(model)
    generator = np.random.default_rng(1)
    step = [generator.normal(size=shape) for shape in model.spec.shapes]

    def loss(size):
        moved = [
            one + size * way
            for one, way in zip(model.initial_weights, step, strict=True)
        ]
        return np.mean(model.losses(tuple(moved), batch, labels))

    slope = np.dot(
        token_model.gradient(model, model.initial_weights, batch, labels),
        flatten.flatten([tf.constant(way) for way in step]),
    )
    by_differences = (loss(1e-5) - loss(-1e-5)) / 2e-5
    np.testing.assert_allclose(slope, by_differences, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "step", "tolerance"),
    [
        ("gpt2_tiny_random", 1e-5, 1e-5),
        pytest.param("bert_tiny_random", 1e-5, 1e-5, marks=pytest.mark.slow),
        pytest.param("gpt2_tiny_classifier_random", 1e-5, 1e-5, marks=pytest.mark.long),
        pytest.param("llama_tiny_random", 2e-4, 1e-2, marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_the_gradient_is_differentiated_right_by_embeddings_and_labels(
    name, step, tolerance
):
    precise = not name.startswith("llama")
    model = language.double(name) if precise else language.model(name)
    weights, batch = model.initial_weights, language.batch()
    known = language.labels(model)
    labels = tf.one_hot(known, model.num_classes, dtype=model.dtype)
    embedded = model.embed(weights, batch.token_ids)
    generator = np.random.default_rng(2)
    given = (embedded, labels)
    ways = [tf.constant(generator.normal(size=one.shape), model.dtype) for one in given]

    @tf.function(autograph=False)
    def squared(embedded, labels):
        found = token_model.gradient_from(
            model, weights, embedded, batch.padding_mask, labels
        )
        return tf.reduce_sum(tf.square(found))

    with tf.GradientTape() as tape:
        tape.watch(given)
        value = squared(*given)
    slopes = tape.gradient(value, given)
    for place, way in enumerate(ways):
        moved = [
            [one + sign * way if at == place else one for at, one in enumerate(given)]
            for sign in (step, -step)
        ]
        differences = (squared(*moved[0]) - squared(*moved[1])) / (2 * step)
        slope = tf.reduce_sum(slopes[place] * way)
        assert abs(slope) > 0
        np.testing.assert_allclose(slope, differences, rtol=tolerance)


@pytest.mark.parametrize("name", EACH)
def test_labels_may_be_probabilities(name):
    model = language.model(name)
    batch, known = language.batch(), language.labels(model)
    soft = tf.one_hot(known, model.num_classes)
    np.testing.assert_allclose(
        model.losses(model.initial_weights, batch, soft),
        model.losses(model.initial_weights, batch, known),
        rtol=1e-6,
    )


@pytest.mark.parametrize("name", EACH)
def test_padding_changes_nothing(name):
    model = language.model(name)
    weights, (ids, mask) = model.initial_weights, language.batch()
    labels = language.labels(model)
    losses = model.losses(weights, (ids, mask), labels)
    other = np.where(mask, ids, 17)
    np.testing.assert_allclose(
        model.losses(weights, (other, mask), labels), losses, rtol=1e-6
    )
    short = labels[:1] if model.kind == "classes" else labels[:1, :4]
    np.testing.assert_allclose(
        model.losses_from(
            weights, model.embed(weights, ids[:1, :4]), mask[:1, :4], short
        ),
        losses[:1],
        rtol=1e-5,
    )


@pytest.mark.parametrize("name", EACH)
def test_logits_are_the_same_from_both_entries(name):
    model = language.model(name)
    weights, batch = model.initial_weights, language.batch()
    embedded = model.embed(weights, batch.token_ids)
    logits = model.apply(weights, batch)
    expected = [2, 3] if model.kind == "classes" else [2, 8, 60]
    assert logits.shape == expected
    np.testing.assert_allclose(
        model.apply_from(weights, embedded, batch.padding_mask), logits, atol=1e-6
    )


@pytest.mark.parametrize(
    "name",
    ["bert_tiny_random", pytest.param("gpt2_tiny_random", marks=pytest.mark.slow)],
)
@pytest.mark.slow
def test_dropout_is_random_and_the_same_from_both_entries(name):
    if name.startswith("bert"):
        model = bert.of_sizes(TINY, 8, 3, 0, SPECIAL, dropout=0.5)
    else:
        model = gpt2.of_sizes(TINY, 8, 0, SPECIAL, dropout=0.5)
    assert model.task.is_random
    assert not language.model(name).task.is_random
    weights, batch = model.initial_weights, language.batch()
    labels = language.labels(model)
    embedded = model.embed(weights, batch.token_ids)
    losses = model.losses(weights, batch, labels)
    np.testing.assert_allclose(
        model.losses_from(weights, embedded, batch.padding_mask, labels), losses, 1e-5
    )
    still = language.model(name)
    assert np.abs(losses - still.losses(weights, batch, labels)).max() > 1e-3


def test_weights_depend_on_the_seed_alone():
    keras.utils.set_random_seed(5)
    model = language.model("gpt2_tiny_random")
    assert model.weights_from == "random, seed 0"
    backbone = gpt2.backbone_of(TINY)
    for seed, same in ((0, True), (1, False)):
        initial.draw(backbone.trainable_variables, seed)
        pairs = zip(model.initial_weights, backbone.trainable_variables, strict=True)
        assert all(np.all(one == two.numpy()) for one, two in pairs) == same


def test_a_model_that_is_not_understood_is_refused():
    backbone = keras_hub.models.GPT2Backbone(60, 1, 2, 16, 32, max_sequence_length=8)
    with pytest.raises(ValueError, match="BertTextClassifier, GPT2CausalLM"):
        token_model.from_keras(backbone, 8, "none", SPECIAL)


@pytest.mark.parametrize("length", [1, 33])
def test_a_length_that_the_model_has_not_is_refused(length):
    with pytest.raises(ValueError, match=r"`length` must be in \[2, 32\]"):
        gpt2.gpt2_tiny_random(length, 2, 0)


def test_a_special_token_of_another_vocabulary_is_refused():
    with pytest.raises(ValueError, match="vocabulary is that of another model"):
        gpt2.of_sizes(TINY, 8, 0, tokens.SpecialTokens(start=101, end=102))


@pytest.mark.slow
def test_regularisers_are_refused():
    model = gpt2.with_head(gpt2.backbone_of(TINY), 2, "heavy")
    model.output_dense.kernel_regularizer = keras.regularizers.L2(0.1)
    model.output_dense.kernel.regularizer = keras.regularizers.L2(0.1)
    with pytest.raises(ValueError, match="must add nothing to its loss"):
        token_model.from_keras(model, 8, "none", SPECIAL)


def test_llama_is_not_computed_in_float64_and_says_so():
    from selenc_tf.models.text import precision

    with pytest.raises(ValueError, match="rounds to float32"):
        precision.in_float64(language.model("llama_tiny_random"))


def test_labels_out_of_range_are_refused():
    model = language.model("gpt2_tiny_random")
    labels = np.full([2, 8], 60)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"integers in \[0, 60\)"):
        model.losses(model.initial_weights, language.batch(), labels)


def test_longer_sentences_are_refused():
    model = language.model("bert_tiny_random")
    with pytest.raises(ValueError, match="at most 8 positions"):
        model.embed(model.initial_weights, np.zeros([1, 9], np.int32))
