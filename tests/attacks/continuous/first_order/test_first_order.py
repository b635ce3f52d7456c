"""The compiled search against plain loops, and what it is traced for."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from attacks.continuous.first_order import engine as first_order
from attacks.continuous.first_order import recipes, schedules, slopes
from attacks.matching import cosine, distances
from attacks.pictures.priors import penalty
from selenc_tf import flatten
from selenc_tf.models import convnet64, functional
from tests.attacks import victims

PLAIN = recipes.Recipe(
    distance="cosine",
    prior=penalty.PicturePrior(total_variation=1e-3),
    step="gradient",
    learning_rate=0.05,
    schedule="constant",
    initial="uniform",
)


def problem_of(model, count=1, size=1, hidden=0.0):
    classes = model.num_classes
    labels = [
        tuple((trial + i) % classes for i in range(size)) for trial in range(count)
    ]
    vectors = [
        victims.gradient(model, victims.tiny_pictures(size, trial), labels[trial])
        for trial in range(count)
    ]
    matched = np.stack(
        [~victims.random_mask(model.spec.size, hidden, trial) for trial in range(count)]
    ).astype(np.float32)
    return first_order.Problem(
        weights=model.initial_weights,
        targets=tf.constant(np.stack(vectors) * matched),
        matched=tf.constant(matched),
        labels=tf.one_hot(np.array(labels), classes),
        shares=tf.fill([size], 1.0 / size),
        which=tf.range(count),
        group=tf.range(count),
        features=tf.zeros([count, 1]),
        known_features=tf.zeros([count, 1]),
    )


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


@pytest.mark.parametrize(("step", "count"), [("gradient", 3), ("sign", 1)])
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


@pytest.mark.parametrize("ours", [0.0, 3.0])
@pytest.mark.parametrize("theirs", [0.0, 2.0])
def test_cosine_by_tensor_is_that_of_flat_vectors(ours, theirs):
    generator = np.random.default_rng(4)
    shapes = [(2, 3), (4,)]
    candidate, target = (
        [
            tf.constant(size * generator.standard_normal(shape), tf.float32)
            for shape in shapes
        ]
        for size in (ours, theirs)
    )
    matched = [tf.constant([[1.0, 0, 1], [1, 1, 0]]), tf.constant([0.0, 1, 1, 1])]
    vector = flatten.flatten(candidate)
    with tf.GradientTape() as tape:
        tape.watch(vector)
        expected = distances.cosine_distance(
            vector, flatten.flatten(target), flatten.flatten(matched)
        )
    found = cosine.distance(candidate, target, matched)
    np.testing.assert_allclose(found.value, expected, atol=1e-6)
    np.testing.assert_allclose(
        flatten.flatten(found.slopes), tape.gradient(expected, vector), atol=1e-6
    )


@pytest.mark.parametrize("name", distances.NAMES)
def test_slope_is_a_derivative_along_a_direction(tiny, name):
    """Forward over reverse, where the attack goes backward twice."""
    problem = problem_of(tiny, hidden=0.3)
    recipe = dataclasses.replace(PLAIN, distance=name)
    images = tf.constant(victims.tiny_pictures(1, 9))
    error, slope = slopes.build_slope(tiny, recipe)(
        problem.weights,
        problem.targets[0],
        problem.matched[0],
        problem.visible[0],
        images,
        problem.labels[0],
        problem.shares,
    )
    gradient = functional.gradient(tiny, problem.weights, images, problem.labels[0])
    with tf.GradientTape() as tape:
        tape.watch(gradient)
        # Relative distances do not change with the unit of both gradients.
        expected_error = distances.build_distance(name, tiny.spec)(
            gradient, problem.targets[0], problem.matched[0]
        )
    direction = flatten.unflatten(tape.gradient(expected_error, gradient), tiny.spec)
    weights = list(problem.weights)
    with tf.GradientTape() as tape:
        tape.watch(images)
        with tf.autodiff.ForwardAccumulator(weights, list(direction)) as tangents:
            logits = tiny.apply(weights, images)
            loss = -tf.reduce_sum(problem.labels[0] * tf.nn.log_softmax(logits))
        along = tangents.jvp(loss)
    expected = tape.gradient(along, images)
    np.testing.assert_allclose(error, expected_error, rtol=1e-4)
    np.testing.assert_allclose(
        slope, expected, rtol=2e-3, atol=1e-4 * float(tf.reduce_max(tf.abs(expected)))
    )


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
    recipe = dataclasses.replace(PLAIN, total_variation=0.0, group=100.0)
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
    recipe = dataclasses.replace(PLAIN, learning_rate=0.5, total_variation=0.0)
    problem = problem_of(tiny)
    engine = first_order.build_engine(tiny, recipe)
    found = advance(engine, problem, starts(1), 30)
    again = advance(engine, problem, found.best_images, 1)
    np.testing.assert_allclose(again.best_error, found.best_error, rtol=1e-3)


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


class TestSchedules:
    def share(self, *arguments):
        name, iteration, total, warm_up = arguments
        return float(
            schedules.share(name, tf.constant(iteration), tf.constant(total), warm_up)
        )

    def test_steps(self):
        found = [self.share("steps", at, 800, 0) for at in (0, 299, 300, 500, 700)]
        np.testing.assert_allclose(found, [1, 1, 0.1, 0.01, 0.001], rtol=1e-6)

    def test_cosine(self):
        found = [self.share("cosine", at, 100, 0) for at in (0, 50, 100)]
        np.testing.assert_allclose(found, [1, 0.5, 0], atol=1e-7)

    def test_warm_up_takes_at_most_a_tenth(self):
        found = [self.share("constant", at, 1000, 4) for at in (0, 1, 3, 9)]
        np.testing.assert_allclose(found, [0.25, 0.5, 1, 1])
        assert self.share("constant", 1, 20, 50) == 1


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"distance": "l3"}, "`distance` must be one of"),
        ({"step": "big"}, "`step` must be one of"),
        ({"schedule": "linear"}, "`schedule` must be one of"),
        ({"initial": "cat"}, "`initial` must be one of"),
        ({"learning_rate": 0.0}, "`learning_rate` must be positive"),
        ({"total_variation": -1.0}, "`total_variation` must be at least 0"),
    ],
)
def test_bad_recipes_are_refused(setting, message):
    with pytest.raises(ValueError, match=message):
        recipes.Recipe(**setting)
