"""Derivatives of the gradient, against differences, whole Jacobians and plain algebra."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from selenc_tf import catalog, flatten
from selenc_tf.models import functional
from selenc_tf.significance import input_sensitivity, mixed_derivative
from tests.selenc_tf.significance import score_contexts


def loss_by_inputs(model, labels):
    return lambda weights, moved: functional.mean_loss(model, weights, moved, labels)


@pytest.mark.parametrize(
    "name",
    [
        name
        if name in ("mlp", "r_gap_cnn")
        else pytest.param(name, marks=pytest.mark.slow)
        for name in score_contexts.MODELS
    ],
)
def test_along_the_inputs_against_differences(name):
    model = functional.in_float64(catalog.model(name, (8, 8, 1), 4, 3))
    inputs, labels = score_contexts.pictures(model, 2)
    direction = tf.random.stateless_normal(inputs.shape, [5, 6], dtype=tf.float64)
    actual = mixed_derivative.gradient_along(
        loss_by_inputs(model, labels), model.initial_weights, inputs, direction
    )

    def gradient(step):
        return functional.gradient(
            model, model.initial_weights, inputs + step * direction, labels
        ).numpy()

    # Small enough that no unit switches and no maximum moves between the two.
    expected = (gradient(1e-7) - gradient(-1e-7)) / 2e-7
    assert np.linalg.norm(expected) > 0
    np.testing.assert_allclose(
        actual, expected, rtol=1e-5, atol=1e-6 * np.max(np.abs(expected))
    )


def test_along_the_labels_by_algebra():
    """Cross-entropy is linear in the labels: the slope along v is d/dw of -v log p."""
    model = functional.in_float64(score_contexts.dense())
    inputs, labels = score_contexts.pictures(model, 3)
    direction = tf.constant([[0.0, 1, 0], [2, 0, -1], [0, 0, 0]], tf.float64)

    def loss(weights, moved):
        return functional.mean_loss(model, weights, inputs, moved)

    actual = mixed_derivative.gradient_along(
        loss, model.initial_weights, labels, direction
    )
    with tf.GradientTape() as tape:
        tape.watch(model.initial_weights)
        logits = model.apply(model.initial_weights, inputs)
        log_p = logits - tf.reduce_logsumexp(logits, axis=1, keepdims=True)
        slope = -tf.reduce_sum(direction * log_p) / 3
    expected = flatten.flatten(tape.gradient(slope, model.initial_weights))
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-13)


def test_tensorflow_still_forgets_labels_in_second_derivatives():
    """Why the labels come first. When this fails, either order will do."""
    logits = tf.constant([[0.5, -1.0, 2.0]])
    labels = tf.one_hot([1], 3)

    def gradient(by):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = tf.nn.softmax_cross_entropy_with_logits(by, logits)
        return tape.gradient(loss, logits)

    with tf.autodiff.ForwardAccumulator(labels, labels) as accumulator:
        at_labels = gradient(labels)
    forward = accumulator.jvp(at_labels, tf.UnconnectedGradients.ZERO)
    np.testing.assert_array_equal(forward, np.zeros([1, 3]))
    with tf.GradientTape() as tape:
        tape.watch(labels)
        first = gradient(labels)[0, 1]
    backward = tape.gradient(first, labels, unconnected_gradients="zero")
    np.testing.assert_array_equal(backward, np.zeros([1, 3]))
    # The gradient is p - y, so its derivative along y is not zero.
    np.testing.assert_allclose(gradient(2 * labels) - at_labels, -labels, atol=1e-6)


def test_no_derivative_by_token_numbers():
    model = score_contexts.embedding()
    context = score_contexts.context_of(model, score_contexts.tokens(2))
    with pytest.raises(ValueError, match="in front of an embedding"):
        input_sensitivity.input_sensitivity(context, 2)


@pytest.fixture(scope="module")
def context():
    model = score_contexts.dense()
    return score_contexts.context_of(model, score_contexts.pictures(model, 2))


def exact(context):
    """||dg_i/dx||^2 from the whole Jacobian, in float64."""
    model = functional.in_float64(context.model)
    inputs, labels = (tf.cast(part, tf.float64) for part in context.batch)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        gradient = functional.gradient(model, model.initial_weights, inputs, labels)
    jacobian = tape.jacobian(gradient, inputs).numpy().reshape([43, -1])
    assert jacobian.shape == (43, 2 * 6)
    return np.sum(jacobian**2, axis=1)


@pytest.mark.slow
def test_square_is_within_its_error(context):
    probes = 3000
    found = tf.function(
        lambda: input_sensitivity.input_sensitivity(context, probes) ** 2,
        autograph=False,
    )()
    expected = exact(context)
    assert np.all(expected > 0)
    # 43 correlated entries: 4.5 standard errors are exceeded once in 3,000 seeds.
    off = (found - expected) / (expected * np.sqrt(2 / probes))
    assert np.all(np.abs(off) < 4.5)
    # And the error is not smaller than stated either.
    assert np.sqrt(np.mean(off**2)) > 0.2


def test_seed_decides(context):
    metric = functools.partial(input_sensitivity.input_sensitivity, num_probes=3)
    again = metric(context._replace(seed=tf.constant([1, 2])))
    np.testing.assert_array_equal(metric(context), again)
    other = metric(context._replace(seed=tf.constant([1, 3])))
    assert not np.allclose(metric(context), other)


def test_too_few_probes(context):
    with pytest.raises(ValueError, match="`num_probes` must be at least 1"):
        input_sensitivity.input_sensitivity(context, 0)
