"""Inputs of dense layers read off gradients, against the inputs themselves."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import optimize

from attacks import knowledge
from attacks import target as target_lib
from attacks.continuous.features import layer, slopes
from attacks.structure import cut
from selenc_tf.models import fedavg_cnn, functional, local_steps
from tests.attacks import victims
from tests.attacks.continuous.features import readings

CLASSES, WIDTH, UNITS = 5, 30, 150


@functools.cache
def model_of(activation):
    """A dense net on 30 numbers with a hidden layer of 150 units, and its cuts."""
    inputs = keras.Input((WIDTH,))
    hidden = inputs
    for index, units in enumerate((UNITS, CLASSES)):
        hidden = keras.layers.Dense(
            units,
            activation=None if index else activation,
            kernel_initializer=keras.initializers.RandomUniform(-0.5, 0.5, seed=index),
            bias_initializer=keras.initializers.RandomUniform(-0.1, 0.1, seed=index),
            name="head" if index else "lower",
        )(hidden)
    model = functional.from_keras(keras.Model(inputs, hidden, name=activation))
    return model, cut.cuts(model)


def examples(count, seed=0):
    """Numbers that have something in common, as pictures do, and their classes."""
    generator = np.random.default_rng(seed)
    common = generator.uniform(0.3, 0.7, WIDTH)
    own = generator.uniform(-0.3, 0.3, (count, WIDTH))
    labels = tuple(int(one) for one in generator.integers(CLASSES, size=count))
    return (common + own).astype(np.float32), labels


def read(activation, count, mask=None, told=None, gradient=None, labels=None, **more):
    """What is read of a batch, and the batch."""
    model, cuts = model_of(activation)
    images, classes = examples(count)
    if gradient is None:
        gradient = victims.gradient(model, images, classes)
    view = victims.view_of(model, [gradient], mask)
    known = knowledge.Knowledge(model, batch_size=told or count, labels=labels, **more)
    best = readings.lowest(model, cuts, view, known)
    return best.cut, best.features, images, classes


def check(at, found, images, classes, tolerance=1e-5):
    """The lower layer's inputs are the examples, each with its class and its error."""
    assert at.layer.name == "lower"
    distance = np.abs(found.values[:, None] - images[None]).max(axis=-1)
    rows, columns = optimize.linear_sum_assignment(distance)
    assert distance[rows, columns].max() < tolerance
    assert [classes[one] for one in columns] == found.labels.tolist()
    known = np.isfinite(found.errors)
    off = np.abs(found.values - images[columns])[known] / found.errors[known]
    assert np.quantile(off, 0.95) < 5
    assert found.residual < 1e-12


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("hidden", [0.0, 0.5])
def test_one_example(activation, hidden):
    size = model_of(activation)[0].spec.size
    got = read(activation, 1, victims.random_mask(size, hidden))
    check(*got)
    assert got[1].label_source == "inferred"


def test_without_a_bias_the_model_says_the_scale():
    model, cuts = model_of("tanh")
    mask = np.zeros(model.spec.size, np.bool_)
    mask[cuts[0].layer.bias] = True
    check(*read("tanh", 1, mask))


def test_a_class_that_is_nearly_sure():
    """Its entries have lost digits that the sum of the others has; parts are hidden."""
    inputs = keras.Input((WIDTH,))
    hidden = keras.layers.Dense(20, activation="sigmoid", name="lower")(inputs)
    logits = keras.layers.Dense(CLASSES, name="head")(hidden)
    own = keras.Model(inputs, logits, name="sure")
    own.get_layer("head").bias.assign([0.0, 12.0, 0.0, 0.0, 0.0])
    model = functional.from_keras(own)
    images, _ = examples(1)
    gradient = victims.gradient(model, images, (1,))
    lower, head = cut.cuts(model)
    mask = np.zeros(model.spec.size, np.bool_)
    mask[lower.layer.kernel] = mask[lower.layer.bias] = True
    column = np.arange(20) * CLASSES + 1
    mask[head.layer.kernel.start + column[::2]] = True
    known = knowledge.Knowledge(model)
    view = victims.view_of(model, [gradient], mask)
    best = readings.lowest(model, (lower, head), view, known)
    at, found = best.cut, best.features
    double = tuple(tf.cast(one, tf.float64) for one in model.initial_weights)
    expected = head.below(double, tf.constant(images, tf.float64)).numpy()
    assert at.layer.name == "head" and found.labels.tolist() == [1]
    np.testing.assert_allclose(found.values, expected, rtol=1e-5)


@pytest.mark.parametrize("told", [None, (3,)])
def test_a_partly_hidden_head(told):
    """Whole rows, the bias and the label's column, as by magnitude."""
    inputs = keras.Input((WIDTH,))
    hidden = keras.layers.Dense(20, activation="relu", name="lower")(inputs)
    logits = keras.layers.Dense(24, name="head")(hidden)
    model = functional.from_keras(keras.Model(inputs, logits, name="many"))
    images, _ = examples(1)
    gradient = victims.gradient(model, images, (3,))
    lower, head = cut.cuts(model)
    double = tuple(tf.cast(one, tf.float64) for one in model.initial_weights)
    expected = head.below(double, tf.constant(images, tf.float64)).numpy()
    mask = np.zeros(model.spec.size, np.bool_)
    mask[lower.layer.kernel] = mask[lower.layer.bias] = mask[head.layer.bias] = True
    rows = np.zeros((20, 24), np.bool_)
    rows[np.argsort(-expected[0])[:4]] = True
    rows[:, 3] = True
    mask[head.layer.kernel] = rows.ravel()
    known = knowledge.Knowledge(model, labels=told)
    view = victims.view_of(model, [gradient], mask)
    best = readings.lowest(model, (lower, head), view, known)
    at, found = best.cut, best.features
    assert at.layer.name == "head" and found.labels.tolist() == [3]
    assert found.label_source == ("inferred" if told is None else "known")
    np.testing.assert_allclose(found.values, expected, atol=1e-4)
    assert np.all(np.abs(found.values - expected) < 6 * found.errors + 1e-6)


@pytest.mark.parametrize("hidden", [pytest.param(0.0, marks=pytest.mark.slow), 0.3])
@pytest.mark.parametrize("activation", ["relu", "silu"])
def test_batches(activation, hidden):
    size = model_of(activation)[0].spec.size
    _, classes = examples(4)
    assert len(set(classes)) < 4, "a class should stand twice"
    mask = victims.random_mask(size, hidden)
    got = read(activation, 4, mask, labels=classes)
    check(*got)
    assert got[1].label_source == "known"
    np.testing.assert_array_equal(got[1].labels, classes)


@pytest.mark.slow
@pytest.mark.parametrize("hidden", [0.0, pytest.param(0.1, marks=pytest.mark.long)])
def test_a_large_batch_of_digits(hidden):
    """Thirty-two of them, the FedAvg CNN as it starts."""
    model = fedavg_cnn.fedavg_cnn((28, 28, 1), 10, 0)
    cuts = cut.cuts(model)
    digits = victims.mnist(tuple(range(7, 1575, 49)))
    gradient = victims.gradient(model, digits.images, digits.labels)
    mask = victims.random_mask(gradient.size, hidden)
    view = victims.view_of(model, [gradient], mask)
    known = knowledge.Knowledge(model, batch_size=32)
    best = readings.lowest(model, cuts, view, known)
    weights = tuple(tf.cast(one, tf.float64) for one in model.initial_weights)
    true = cuts[0].below(weights, tf.constant(digits.images, tf.float64)).numpy()
    distance = np.linalg.norm(best.features.values[:, None] - true[None], axis=-1)
    rows, columns = optimize.linear_sum_assignment(distance)
    assert (
        np.max(distance[rows, columns] / np.linalg.norm(true[columns], axis=1)) < 1e-5
    )
    assert [digits.labels[one] for one in columns] == best.features.labels.tolist()


@pytest.mark.parametrize(
    "activation", ["relu", pytest.param("silu", marks=pytest.mark.slow)]
)
def test_the_classes_of_a_batch_come_with_it(activation):
    got = read(activation, 3)
    check(*got)
    assert got[1].label_source == "inferred"


def test_large_entries_hidden():
    model, _ = model_of("silu")
    images, classes = examples(3)
    gradient = victims.gradient(model, images, classes)
    mask = np.abs(gradient) > np.quantile(np.abs(gradient), 0.8)
    check(*read("silu", 3, mask, labels=classes))


def test_hidden_entries_are_not_looked_at():
    model, _ = model_of("silu")
    images, classes = examples(3)
    gradient = victims.gradient(model, images, classes)
    mask = victims.random_mask(gradient.size, 0.2)
    results = [
        read("silu", 3, mask, gradient=np.where(mask, value, gradient))[1]
        for value in (gradient, np.float32(np.nan))
    ]
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("told", [2, 3])
def test_another_batch_size_is_refused(told):
    with pytest.raises(knowledge.DoesNotApply, match="'lower' must show"):
        read("silu", 4, told=told)


@pytest.mark.slow
def test_other_labels_are_refused():
    wrong = tuple((one + 1) % CLASSES for one in examples(3)[1])
    with pytest.raises(knowledge.DoesNotApply, match="others"):
        read("relu", 3, labels=wrong)


def stepped():
    """A message of three local steps, and how it was made."""
    model, _ = model_of("tanh")
    images, classes = examples(3)
    training = local_steps.LocalTraining(learning_rate=0.5, epochs=3)
    return victims.update(model, images, classes, training), training


def test_several_steps_are_refused():
    update, training = stepped()
    with pytest.raises(knowledge.DoesNotApply, match="local_training"):
        read("tanh", 3, gradient=update, local_training=training)


@pytest.mark.slow
def test_several_steps_that_are_not_declared_are_refused():
    with pytest.raises(knowledge.DoesNotApply, match="'lower' must show"):
        read("tanh", 3, gradient=stepped()[0])


def test_nothing_visible_is_refused():
    size = model_of("tanh")[0].spec.size
    with pytest.raises(knowledge.DoesNotApply, match="every entry is hidden"):
        read("tanh", 1, np.ones(size, np.bool_))


def test_a_head_shows_fewer_examples_than_classes():
    inputs = keras.Input((WIDTH,))
    hidden = keras.layers.Activation("tanh")(inputs)
    model = functional.from_keras(
        keras.Model(inputs, keras.layers.Dense(CLASSES, name="only")(hidden))
    )
    images, classes = examples(CLASSES)
    view = victims.view_of(model, [victims.gradient(model, images, classes)])
    known = knowledge.Knowledge(model, batch_size=CLASSES)
    with pytest.raises(knowledge.DoesNotApply, match="'only' must show"):
        readings.lowest(model, cut.cuts(model), view, known)


def test_zeros_that_float32_made_are_no_zeros():
    """A class that is nearly sure: products below 1e-38 are sent as zeros."""
    inputs = keras.Input((WIDTH,))
    hidden = keras.layers.Dense(20, activation="sigmoid", name="lower")(inputs)
    logits = keras.layers.Dense(CLASSES, name="head")(hidden)
    own = keras.Model(inputs, logits, name="surest")
    own.get_layer("head").bias.assign([0.0, 77.0, -60.0, -60.0, -60.0])
    model = functional.from_keras(own)
    images, _ = examples(1)
    images[0, ::3] *= 1e-5
    gradient = victims.gradient(model, images, (1,))
    (lower, _) = cut.cuts(model)
    sent = gradient[lower.layer.kernel].reshape(WIDTH, 20)
    assert np.any(sent[::3] == 0) and np.all(np.any(sent[1::3] != 0, axis=0))
    known = knowledge.Knowledge(model)
    view = victims.view_of(model, [gradient])
    target = target_lib.build_target(view, known, 0, "mask_aware")
    found = layer.of(model, lower, target, view.weights, victims.PROGRAMS)
    assert not found.known[:-1][sent == 0].any() and found.known[:-1][sent != 0].all()


def test_the_derivatives_are_those_of_the_loss():
    model, cuts = model_of("silu")
    images, classes = examples(2)
    weights = tuple(tf.cast(one, tf.float64) for one in model.initial_weights)
    features = cuts[0].below(weights, tf.constant(images, tf.float64))
    z = cuts[0].into(weights, features).numpy()
    at = slopes.at(
        victims.PROGRAMS.of(slopes.build, cuts[0].after, "classes"),
        cuts[0],
        weights,
        CLASSES,
    )
    labels = np.eye(CLASSES)[list(classes)]
    found = at.slopes(z, labels)
    gradient = victims.gradient(model, images, classes)
    np.testing.assert_allclose(
        gradient[cuts[0].layer.bias], found.mean(axis=0), rtol=1e-4, atol=1e-7
    )
    direction = np.random.default_rng(0).standard_normal((1, *z.shape))
    bent = at.bends(z, labels, direction)[0]
    step = 1e-6
    numeric = (
        at.slopes(z + step * direction[0], labels)
        - at.slopes(z - step * direction[0], labels)
    ) / (2 * step)
    np.testing.assert_allclose(bent, numeric, rtol=1e-5, atol=1e-8)
