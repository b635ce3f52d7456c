"""Which metrics are the same ranking, and when they stop being so.

Published comparisons on batches of one after one step compare several of these with
themselves (`docs/methods.md`).
"""

import numpy as np
import pytest
import tensorflow as tf

from selenc_tf import flatten
from selenc_tf.models import lenet
from selenc_tf.significance import (
    input_sensitivity,
    label_sensitivity,
    layerwise,
    magnitude,
    maskcrypt,
    per_sample_fisher,
    product,
    weight_magnitude,
)
from selenc_tf.significance.context import ScoreContext
from tests.selenc_tf.significance import score_contexts


@pytest.fixture(scope="module")
def model():
    return lenet.lenet((12, 12, 1), 10, seed=3)


@pytest.fixture(scope="module")
def single(model):
    return score_contexts.context_of(model, score_contexts.pictures(model, 1))


@pytest.fixture(scope="module")
def eight(model):
    return score_contexts.context_of(model, score_contexts.pictures(model, 8))


def close(actual, expected):
    scale = float(np.max(np.abs(expected)))
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-6 * scale)


def differ(first, second):
    """Whether two metrics hide different tenths, not by a tie or a rounding."""
    first_mask = score_contexts.top_tenth(first)
    overlap = np.count_nonzero(first_mask & score_contexts.top_tenth(second))
    return overlap < 0.95 * np.count_nonzero(first_mask)


def example_gradients(context):
    """g^(k), one row for each example, without any loop of ours."""
    rows = zip(*context.batch, strict=True)
    return np.stack(
        [
            score_contexts.gradient_at(
                context.model, context.weights, (one[tf.newaxis], label[tf.newaxis])
            )
            for one, label in rows
        ]
    )


def test_label_sensitivity_of_one_example_is_magnitude(single):
    close(label_sensitivity.label_sensitivity(single), magnitude.magnitude(single))


def test_label_sensitivity_of_a_batch_is_not(eight):
    scores = label_sensitivity.label_sensitivity(eight)
    close(scores, np.mean(np.abs(example_gradients(eight)), axis=0))
    assert np.all(scores >= magnitude.magnitude(eight) - 1e-6)
    assert differ(scores, magnitude.magnitude(eight))


def test_label_sensitivity_goes_along_the_most_probable_class(single):
    labels = 0.8 * single.batch.labels + 0.2 / 10
    soft = single._replace(batch=single.batch._replace(labels=labels))
    close(
        label_sensitivity.label_sensitivity(soft),
        label_sensitivity.label_sensitivity(single),
    )


def test_fisher_of_one_example_is_the_squared_gradient(single):
    close(per_sample_fisher.per_sample_fisher(single), single.gradient**2)


def test_fisher_of_a_batch_is_not(eight):
    scores = per_sample_fisher.per_sample_fisher(eight)
    close(scores, np.mean(example_gradients(eight) ** 2, axis=0))
    assert differ(scores, magnitude.magnitude(eight))


def test_fisher_and_label_sensitivity_part_with_the_batch(single, eight):
    def pair(context):
        return (
            per_sample_fisher.per_sample_fisher(context),
            label_sensitivity.label_sensitivity(context) ** 2,
        )

    close(*pair(single))
    fisher, squared_mean = pair(eight)
    # Jensen: the mean of squares is at least the square of the mean of magnitudes.
    assert np.all(fisher >= squared_mean * (1 - 1e-4) - 1e-12)
    assert np.mean(fisher > 1.05 * squared_mean) > 0.5


def test_maskcrypt_after_one_step_is_the_squared_gradient(eight):
    # Learning rate 0.5. The update is a difference of rounded weights.
    np.testing.assert_allclose(
        maskcrypt.maskcrypt(eight), 0.5 * eight.gradient**2, rtol=1e-2, atol=1e-6
    )
    exact = eight._replace(update=-0.5 * eight.gradient)
    np.testing.assert_array_equal(
        score_contexts.top_tenth(maskcrypt.maskcrypt(exact)),
        score_contexts.top_tenth(magnitude.magnitude(exact)),
    )


def test_maskcrypt_after_several_steps_is_not(model, eight):
    context = score_contexts.context_of(model, eight.batch, steps=6)
    scores = maskcrypt.maskcrypt(context)
    assert differ(scores, magnitude.magnitude(context))
    assert np.any(scores < 0), "signed: some entries overshot"


def test_maskcrypt_by_hand():
    context = ScoreContext(
        spec=flatten.FlatSpec(("a",), ((3,),)),
        gradient=tf.constant([2.0, -1.0, 3.0]),
        seed=tf.constant([0, 0]),
        update=tf.constant([-0.5, -0.25, 0.0]),
    )
    np.testing.assert_array_equal(maskcrypt.maskcrypt(context), [1.0, -0.25, 0.0])


def test_product_is_magnitude_for_weights_of_one_size(eight):
    signs = tf.sign(flatten.flatten(eight.model.initial_weights))
    equal = eight._replace(weights=0.25 * signs)
    assert np.all(np.abs(equal.weights) == 0.25)
    np.testing.assert_array_equal(
        product.product(equal), 0.25 * magnitude.magnitude(equal)
    )


def test_product_is_neither_magnitude_otherwise(eight):
    scores = product.product(eight)
    assert differ(scores, magnitude.magnitude(eight))
    assert differ(scores, weight_magnitude.weight_magnitude(eight))


def test_weight_magnitude_and_product_by_hand():
    context = ScoreContext(
        spec=flatten.FlatSpec(("a",), ((3,),)),
        gradient=tf.constant([2.0, -1.0, 3.0]),
        seed=tf.constant([0, 0]),
        weights=tf.constant([-0.5, -4.0, 0.0]),
    )
    np.testing.assert_array_equal(
        weight_magnitude.weight_magnitude(context), [0.5, 4.0, 0.0]
    )
    np.testing.assert_array_equal(product.product(context), [1.0, 4.0, 0.0])


def test_sensitivity_per_byte_of_single_entries_is_the_squared_gradient():
    spec = flatten.FlatSpec(("a", "b", "c"), ((1,), (), (1, 1)))
    context = ScoreContext(spec, tf.constant([0, 0]), tf.constant([2.0, -1.0, 3.0]))
    np.testing.assert_array_equal(
        layerwise.sensitivity_per_byte(context), [4.0, 1.0, 9.0]
    )


def test_sensitivity_per_byte_is_not_magnitude_otherwise(eight):
    scores = layerwise.sensitivity_per_byte(eight)
    assert differ(scores, magnitude.magnitude(eight))


def test_input_sensitivity_is_no_magnitude_even_for_one_example(single):
    scores = tf.function(
        lambda: input_sensitivity.input_sensitivity(single, 64), autograph=False
    )()
    assert differ(scores, magnitude.magnitude(single))
