"""What every significance metric of this folder must do, whatever it measures."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from selenc_tf import catalog
from selenc_tf.significance import (
    input_sensitivity,
    label_sensitivity,
    layerwise,
    maskcrypt,
    per_sample_fisher,
    product,
    weight_magnitude,
)
from selenc_tf.significance.context import ScoreBatch
from tests.selenc_tf.significance import score_contexts

CHEAP = {
    "weight_magnitude": weight_magnitude.weight_magnitude,
    "product": product.product,
    "maskcrypt": maskcrypt.maskcrypt,
    "first_layers": layerwise.first_layers,
    "last_layers": layerwise.last_layers,
    "by_pattern": layerwise.by_pattern(["kernel"]),
    "sensitivity_per_byte": layerwise.sensitivity_per_byte,
}
DIFFERENTIATING = {
    "label_sensitivity": label_sensitivity.label_sensitivity,
    "per_sample_fisher": per_sample_fisher.per_sample_fisher,
    "input_sensitivity": functools.partial(
        input_sensitivity.input_sensitivity, num_probes=2
    ),
}
NEEDS = {
    "weight_magnitude": {"weights"},
    "product": {"weights"},
    "maskcrypt": {"update"},
    "first_layers": {"spec"},
    "last_layers": {"spec"},
    "by_pattern": {"spec"},
    "sensitivity_per_byte": {"spec"},
    "label_sensitivity": {"weights", "batch", "model"},
    "per_sample_fisher": {"weights", "batch", "model"},
    "input_sensitivity": {"weights", "batch", "model"},
}
METRICS = CHEAP | DIFFERENTIATING
OPTIONAL = ("spec", "weights", "update", "batch", "model")


@pytest.fixture(scope="module")
def contexts():
    """One context for each small model of the catalogue, on pictures of 8x8."""
    models = {
        name: catalog.model(name, (8, 8, 1), 4, 3) for name in score_contexts.MODELS
    }
    return {
        name: score_contexts.context_of(model, score_contexts.pictures(model, 3))
        for name, model in models.items()
    }


def traced(metric, context):
    """The scores, computed in a graph whose batch size is not known beforehand."""

    @tf.function(
        input_signature=[
            tf.TensorSpec(context.gradient.shape, tf.float32),
            tf.TensorSpec(context.weights.shape, tf.float32),
            tf.TensorSpec(context.update.shape, tf.float32),
            tf.TensorSpec([None, *context.batch.inputs.shape[1:]], tf.float32),
            tf.TensorSpec([None, *context.batch.labels.shape[1:]], tf.float32),
        ]
    )
    def run(gradient, weights, update, inputs, labels):
        scores = metric(
            context._replace(
                gradient=gradient,
                weights=weights,
                update=update,
                batch=ScoreBatch(inputs, labels),
            )
        )
        assert scores.shape == gradient.shape, "the static length must survive"
        return scores

    return run(context.gradient, context.weights, context.update, *context.batch)


def check(metric, context):
    """Shape, dtype, finiteness, traced against eager, and the same again."""
    scores = traced(metric, context)
    assert scores.dtype == tf.float32
    assert scores.shape == (context.model.spec.size,)
    assert np.all(np.isfinite(scores))
    assert np.any(scores.numpy() != 0.0)
    eager = metric(context)
    scale = float(np.max(np.abs(eager)))
    np.testing.assert_allclose(scores, eager, rtol=1e-3, atol=1e-5 * scale)
    np.testing.assert_array_equal(eager, metric(context))


@pytest.mark.parametrize("name", CHEAP)
def test_conformance(name, contexts):
    check(CHEAP[name], contexts["lenet"])


@pytest.mark.parametrize("model", score_contexts.MODELS)
@pytest.mark.parametrize("name", DIFFERENTIATING)
def test_conformance_with_convolutions_pooling_and_all(name, model, contexts):
    check(DIFFERENTIATING[name], contexts[model])


@pytest.mark.parametrize("name", DIFFERENTIATING)
def test_frozen_layers_have_no_scores(name):
    model = score_contexts.frozen()
    context = score_contexts.context_of(model, score_contexts.pictures(model, 3))
    assert model.spec.size == 4 * 3 + 3
    check(DIFFERENTIATING[name], context)


@pytest.mark.parametrize("name", ["label_sensitivity", "per_sample_fisher"])
def test_embeddings_have_dense_scores(name):
    model = score_contexts.embedding()
    context = score_contexts.context_of(model, score_contexts.tokens(3))
    check(DIFFERENTIATING[name], context)
    rows = DIFFERENTIATING[name](context)[: 7 * 3].numpy().reshape([7, 3])
    used = np.unique(context.batch.inputs.numpy()).astype(int)
    assert set(np.flatnonzero(rows.any(axis=1))) == set(used)


@pytest.mark.parametrize(
    ("name", "field"),
    [(name, field) for name, fields in NEEDS.items() for field in sorted(fields)],
)
def test_says_what_it_misses(name, field, contexts):
    context = contexts["lenet"]._replace(**{field: None})
    with pytest.raises(ValueError, match=rf"`{name}` needs `ScoreContext.{field}`"):
        METRICS[name](context)
    # At trace time: before anything runs.
    with pytest.raises(ValueError, match=rf"`{name}` needs `ScoreContext.{field}`"):
        tf.function(lambda: METRICS[name](context)).get_concrete_function()


@pytest.mark.parametrize("name", METRICS)
def test_needs_no_more_than_declared(name, contexts):
    absent = {field: None for field in OPTIONAL if field not in NEEDS[name]}
    context = contexts["lenet"]
    np.testing.assert_array_equal(
        METRICS[name](context._replace(**absent)), METRICS[name](context)
    )


@pytest.mark.parametrize("name", ["weight_magnitude", "product", "maskcrypt"])
def test_vectors_of_another_length_are_not_broadcast(name, contexts):
    (field,) = NEEDS[name]
    context = contexts["lenet"]._replace(**{field: tf.ones([1])})
    with pytest.raises(
        ValueError, match=rf"`ScoreContext.{field}` must have the shape"
    ):
        METRICS[name](context)


def test_layout_of_another_model(contexts):
    context = contexts["lenet"]._replace(spec=contexts["small_cnn"].spec)
    with pytest.raises(ValueError, match="must describe the"):
        METRICS["first_layers"](context)


@pytest.mark.parametrize("name", DIFFERENTIATING)
def test_empty_batch(name):
    model = score_contexts.dense()
    context = score_contexts.context_of(model, score_contexts.pictures(model, 1))
    empty = context._replace(
        batch=ScoreBatch(context.batch.inputs[:0], context.batch.labels[:0])
    )
    for run in (METRICS[name], lambda given: traced(METRICS[name], given)):
        with pytest.raises(
            (ValueError, tf.errors.InvalidArgumentError), match="at least one example"
        ):
            run(empty)
