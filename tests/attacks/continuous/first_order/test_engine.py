"""The compiled search against plain loops, and what it is traced for."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from attacks.continuous.first_order import engine as first_order
from attacks.matching import distances
from attacks.pictures.priors import penalty
from selenc_tf.models import convnet64, functional
from tests.attacks import victims
from tests.attacks.continuous.first_order.problems import PLAIN, problem_of


def starts(count, size=1):
    return np.stack(
        [victims.tiny_pictures(size, 100 + trial) for trial in range(count)]
    )


def advance(engine, problem, images, until, total=None, state=None):
    return engine.advance(
        problem,
        first_order.start(images) if state is None else state,
        tf.constant(until),
        tf.constant(total or until),
        tf.constant([1, 2]),
    )


def objective(model, problem, trial, images, distance="cosine"):
    """Distance plus variation and its slope, a tape within a tape."""
    with tf.GradientTape() as tape:
        tape.watch(images)
        found = functional.gradient(
            model, problem.weights, images, problem.labels[trial]
        )
        error = distances.build_distance(distance, model.spec)(
            found, problem.targets[trial], problem.matched[trial]
        )
        across = tf.reduce_mean(tf.abs(images[:, :, 1:] - images[:, :, :-1]))
        down = tf.reduce_mean(tf.abs(images[:, 1:] - images[:, :-1]))
        value = error + 1e-3 * (across + down)
    return float(value), tape.gradient(value, images).numpy()


def plain_adam(model, problem, trial, images, iterations, step="gradient"):
    images, first, second, values = images.copy(), 0.0, 0.0, []
    for count in range(1, iterations + 1):
        value, slope = objective(model, problem, trial, tf.constant(images))
        values.append(value)
        slope = np.sign(slope) if step == "sign" else slope
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        mean, square = first / (1 - 0.9**count), second / (1 - 0.999**count)
        images = np.clip(images - 0.05 * mean / (np.sqrt(square) + 1e-12), 0, 1)
    return images, values


@pytest.mark.parametrize(
    ("step", "count"),
    [pytest.param("gradient", 3, marks=pytest.mark.slow), ("sign", 1)],
)
def test_walks_like_plain_adam(tiny, step, count):
    problem = problem_of(tiny, count, size=2, hidden=0.3)
    engine = first_order.build_engine(tiny, dataclasses.replace(PLAIN, step=step))
    found = advance(engine, problem, starts(count, 2), 3)
    for trial in range(count):
        images, values = plain_adam(
            tiny, problem, trial, starts(count, 2)[trial], 3, step
        )
        np.testing.assert_allclose(found.images[trial], images, atol=2e-4)
        np.testing.assert_allclose(found.best_objective[trial], min(values), rtol=1e-3)
    assert int(found.iteration) == 3


def test_chunks_make_no_difference(tiny):
    problem = problem_of(tiny)
    engine = first_order.build_engine(
        tiny, dataclasses.replace(PLAIN, schedule="cosine", langevin=0.1, warm_up=3)
    )
    whole = advance(engine, problem, starts(1), 7)
    half = advance(engine, problem, starts(1), 3, total=7)
    both = advance(engine, problem, starts(1), 7, state=half)
    for left, right in zip(whole, both, strict=True):
        np.testing.assert_array_equal(left, right)


def test_one_trace_for_masks_pictures_labels_and_lengths(tiny):
    engine = first_order.build_engine(tiny, PLAIN)
    for hidden in (0.0, 0.3, 1.0):
        for length in (1, 2):
            advance(engine, problem_of(tiny, 2, hidden=hidden), starts(2), length)
    assert engine.trace_count() == 1


def test_restarts_of_a_group_pull_together(tiny):
    problem = problem_of(tiny, 2)._replace(group=tf.zeros([2], tf.int32))
    recipe = dataclasses.replace(PLAIN, prior=penalty.PicturePrior(group=100.0))
    found = advance(first_order.build_engine(tiny, recipe), problem, starts(2), 10)
    before = np.abs(starts(2)[0] - starts(2)[1]).mean()
    assert np.mean(np.abs(found.images[0] - found.images[1])) < before / 2


def test_trial_that_is_not_finite_leaves_the_others_alone(tiny):
    problem = problem_of(tiny, 2)
    engine = first_order.build_engine(tiny, PLAIN)
    spoilt = problem._replace(
        targets=tf.stack([problem.targets[0] * np.nan, problem.targets[1]])
    )
    clean, found = (advance(engine, p, starts(2), 5) for p in (problem, spoilt))
    np.testing.assert_array_equal(found.images[1], clean.images[1])
    assert np.isinf(found.best_objective[0])
    np.testing.assert_array_equal(found.best_images[0], starts(2)[0])
    assert np.all(np.isfinite(found.images))


def test_best_iterate_is_kept(tiny):
    recipe = dataclasses.replace(PLAIN, learning_rate=0.5, prior=None)
    problem = problem_of(tiny)
    engine = first_order.build_engine(tiny, recipe)
    found = advance(engine, problem, starts(1), 30)
    again = advance(engine, problem, found.best_images, 1)
    np.testing.assert_allclose(again.best_error, found.best_error, rtol=1e-3)


@pytest.mark.slow
def test_priors_on_layers(tiny):
    inputs = keras.Input((4, 4, 1))
    hidden = keras.layers.Conv2D(2, 3)(inputs)
    hidden = keras.layers.BatchNormalization()(hidden)
    logits = keras.layers.Dense(3)(keras.layers.Flatten()(hidden))
    model = functional.from_keras(keras.Model(inputs, logits))
    prior = penalty.PicturePrior(total_variation=1e-3, statistics=0.1, features=0.1)
    recipe = dataclasses.replace(PLAIN, prior=prior)
    problem = problem_of(model)._replace(
        features=tf.ones([1, 8]),
        known_features=tf.ones([1, 8]),
    )
    engine = first_order.build_engine(model, recipe)
    found = advance(engine, problem, starts(1), 3)
    without = advance(first_order.build_engine(model, PLAIN), problem, starts(1), 3)
    assert float(found.best_objective[0]) > float(without.best_objective[0]) + 0.01


@pytest.mark.slow
def test_xla_walks_the_same_way():
    model = convnet64.convnet((9, 9, 1), 3, 0, width=2)
    images = np.random.default_rng(0).uniform(size=(1, 1, 9, 9, 1)).astype("f4")
    vector = victims.gradient(model, images[0], (1,))
    problem = problem_of(victims.tiny_model())._replace(
        weights=model.initial_weights,
        targets=tf.constant(vector[np.newaxis]),
        matched=tf.ones([1, model.spec.size]),
        labels=tf.one_hot([[1]], 3),
    )
    first, second = (
        advance(
            first_order.build_engine(model, PLAIN, jit_compile=jit_compile),
            problem,
            images[:, :, ::-1],
            2,
        ).images
        for jit_compile in (False, True)
    )
    np.testing.assert_allclose(first, second, atol=1e-3)
