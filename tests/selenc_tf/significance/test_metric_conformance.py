"""What every significance metric of the catalogue must do, whatever it measures."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from selenc_tf import catalog
from selenc_tf.significance.context import ScoreBatch, ScoreContext
from tests.selenc_tf.significance import score_contexts

OPTIONAL = tuple(ScoreContext._field_defaults)
VECTORS = ("gradient", "weights", "update")
DIFFERENTIATING = [
    name for name, entry in catalog.METRICS.items() if "batch" in entry.needs
]
PAIRS = [(name, field) for name in catalog.METRICS for field in OPTIONAL]
SECOND_TRACES = ("leverage", "input_sensitivity")
"""Metrics whose frozen layers wait for the slow tests: each traces its products anew."""


def declared(name, field):
    return field in catalog.METRICS[name].needs


@functools.cache
def context_of(name):
    """What a client knows of three examples."""
    if name == "dense":
        model = score_contexts.dense()
    elif name == "frozen":
        model = score_contexts.frozen()
    else:
        model = catalog.model(name, (8, 8, 1), 4, 3)
    return score_contexts.context_of(model, score_contexts.pictures(model, 3))


@functools.cache
def graph(name, model):
    """The metric in a graph whose batch size is not known beforehand."""
    context, metric = context_of(model), catalog.metric(name)

    @tf.function(
        input_signature=[
            *(tf.TensorSpec(context.gradient.shape, tf.float32) for _ in VECTORS),
            tf.TensorSpec([None, *context.batch.inputs.shape[1:]], tf.float32),
            tf.TensorSpec([None, *context.batch.labels.shape[1:]], tf.float32),
        ],
        autograph=False,
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

    return lambda given: run(given.gradient, given.weights, given.update, *given.batch)


@functools.cache
def scores_of(name, model):
    """The scores from a graph of this one context."""
    return traced(name, context_of(model))


def traced(name, context):
    metric = catalog.metric(name)
    return tf.function(lambda: metric(context), autograph=False)().numpy()


def close(name, scores, expected):
    # Conjugate gradients magnify the rounding of another order of sums: by 5 % of the
    # largest score with one processor's vector units, less with others'.
    part = 0.1 if name == "leverage" else 1e-5
    scale = float(np.max(np.abs(expected)))
    np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=part * scale)


def check(name, model):
    """Shape, dtype, finiteness, for any batch size as for this one, and again."""
    context = context_of(model)
    scores = graph(name, model)(context)
    assert scores.dtype == tf.float32
    assert scores.shape == (context.model.spec.size,)
    assert np.all(np.isfinite(scores))
    assert np.any(scores.numpy() != 0.0)
    close(name, scores, scores_of(name, model))
    np.testing.assert_array_equal(scores, graph(name, model)(context))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.slow) if n == "leverage" else n
        for n in catalog.METRICS
    ],
)
def test_conformance(name):
    check(name, "dense")


# Eager, leverage takes two hundred products with the Jacobian one by one.
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name == "leverage" else [])
        for name in catalog.METRICS
    ],
)
def test_eager_as_in_a_graph(name):
    close(name, catalog.metric(name)(context_of("dense")), scores_of(name, "dense"))


def _tier(name, model):
    """In the slow tier every metric has a few models, and every model some metric."""
    at = DIFFERENTIATING.index(name) + list(score_contexts.MODELS).index(model)
    return pytest.mark.long if name == "leverage" or at % 2 else pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "model"),
    [
        pytest.param(
            name,
            model,
            # Convolutions and max pooling are always tested, by one metric.
            marks=[]
            if (name, model) == ("label_sensitivity", "fedavg_cnn")
            else [_tier(name, model)],
        )
        for name in DIFFERENTIATING
        for model in score_contexts.MODELS
    ],
)
def test_conformance_with_convolutions_pooling_and_all(name, model):
    check(name, model)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in SECOND_TRACES else [])
        for name in DIFFERENTIATING
    ],
)
def test_frozen_layers_have_no_scores(name):
    assert context_of("frozen").model.spec.size == 4 * 3 + 3
    check(name, "frozen")


@pytest.mark.parametrize("name", ["label_sensitivity", "per_sample_fisher"])
def test_embeddings_have_dense_scores(name):
    model = score_contexts.embedding()
    context = score_contexts.context_of(model, score_contexts.tokens(3))
    scores = traced(name, context)
    assert scores.shape == (model.spec.size,) and np.all(np.isfinite(scores))
    rows = scores[: 7 * 3].reshape([7, 3])
    used = np.unique(context.batch.inputs.numpy()).astype(int)
    assert set(np.flatnonzero(rows.any(axis=1))) == set(used)


@pytest.mark.parametrize(("name", "field"), [pair for pair in PAIRS if declared(*pair)])
def test_a_declared_field_is_missed(name, field):
    context = context_of("dense")._replace(**{field: None})
    with pytest.raises(ValueError, match=rf"`{name}` needs `ScoreContext.{field}`"):
        catalog.metric(name)(context)
    # At trace time: before anything runs.
    with pytest.raises(ValueError, match=rf"`{name}` needs `ScoreContext.{field}`"):
        traced(name, context)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in SECOND_TRACES else [])
        for name in catalog.METRICS
    ],
)
def test_undeclared_fields_change_nothing(name):
    undeclared = [field for field in OPTIONAL if not declared(name, field)]
    context = context_of("dense")._replace(**dict.fromkeys(undeclared))
    np.testing.assert_array_equal(traced(name, context), scores_of(name, "dense"))


UNDECLARED = [pair for pair in PAIRS if not declared(*pair)]


# All at once they are left out above.
@pytest.mark.parametrize(
    ("name", "field"),
    [
        pytest.param(*pair, marks=pytest.mark.long if at % 4 else pytest.mark.slow)
        for at, pair in enumerate(UNDECLARED)
    ],
)
def test_an_undeclared_field_changes_nothing(name, field):
    context = context_of("dense")._replace(**{field: None})
    np.testing.assert_array_equal(traced(name, context), scores_of(name, "dense"))


@pytest.mark.parametrize(
    ("name", "field"),
    [pair for pair in PAIRS if declared(*pair) and pair[1] in VECTORS],
)
def test_vectors_of_another_length_are_not_broadcast(name, field):
    context = context_of("dense")._replace(**{field: tf.ones([1])})
    with pytest.raises(ValueError, match=rf"`ScoreContext.{field}` must have the 43 "):
        catalog.metric(name)(context)


@pytest.mark.parametrize(
    ("name", "in_graph"),
    [
        pytest.param(
            name,
            in_graph,
            # Its graph is traced by slow tests only.
            marks=[pytest.mark.slow] if in_graph and name == "leverage" else [],
        )
        for name in DIFFERENTIATING
        for in_graph in (False, True)
    ],
)
def test_empty_batch(name, in_graph):
    context = context_of("dense")
    empty = context._replace(batch=ScoreBatch(*(part[:0] for part in context.batch)))
    run = graph(name, "dense") if in_graph else catalog.metric(name)
    with pytest.raises(
        (ValueError, tf.errors.InvalidArgumentError), match="at least one example"
    ):
        run(empty)
