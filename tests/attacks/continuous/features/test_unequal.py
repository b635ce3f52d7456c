"""Batches with derivatives orders of magnitude apart, as networks have that are sure."""

import functools

import keras
import numpy as np
import pytest

from attacks import knowledge
from attacks import target as target_lib
from attacks.continuous.features import (
    feature_inversion,
    layer,
    lost_digits,
    pieces,
    unequal,
)
from attacks.structure import cut
from selenc_tf.models import functional
from tests.attacks import victims
from tests.attacks.continuous.features import readings

WIDTH, UNITS, CLASSES = 30, 200, 4


@functools.cache
def sure_model():
    """A dense net with logits in the tens, as after much training."""
    inputs = keras.Input((WIDTH,))
    hidden = inputs
    for index, (units, size) in enumerate(((UNITS, 0.5), (CLASSES, 6.0))):
        hidden = keras.layers.Dense(
            units,
            activation=None if index else "relu",
            kernel_initializer=keras.initializers.RandomUniform(
                -size, size, seed=index
            ),
            bias_initializer=keras.initializers.RandomUniform(-0.1, 0.1, seed=index),
            name="head" if index else "lower",
        )(hidden)
    return functional.from_keras(keras.Model(inputs, hidden, name="sure"))


@functools.cache
def batch():
    """Six examples, the labels of two of them wrong."""
    model = sure_model()
    drawn = np.random.default_rng(4).uniform(-1, 1, (6, WIDTH))
    images = np.maximum(drawn, 0).astype(np.float32)
    logits = model.keras_model(images).numpy()
    labels = np.argmax(logits, axis=1)
    labels[:2] = np.argsort(logits, axis=1)[:2, -2]
    return images, tuple(int(one) for one in labels)


def layer_of(mask=None, gradient=None):
    model = sure_model()
    if gradient is None:
        gradient = victims.gradient(model, *batch())
    view = victims.view_of(model, [gradient], mask)
    known = knowledge.Knowledge(model, batch_size=6)
    target = target_lib.build_target(view, known, 0, "mask_aware")
    found = layer.of(model, cut.cuts(model)[0], target, view.weights, victims.PROGRAMS)
    return found, view, known


def read(given=None):
    return unequal.read(given or layer_of()[0], 6, (0, 0), lambda: False)


def matched(found):
    """Which example each one read is."""
    images, labels = batch()
    off = np.linalg.norm(found.features[:, None] - images[None], axis=-1)
    which = np.argmin(off, axis=1)
    assert [labels[one] for one in which] == found.labels.tolist()
    assert len(set(which)) == len(which)
    return which


def test_derivatives_are_orders_of_magnitude_apart():
    given = layer_of()[0]
    images, labels = batch()
    slopes = given.slopes.slopes(given.outputs(images), np.eye(CLASSES)[list(labels)])
    sizes = np.sort(np.linalg.norm(slopes, axis=1))
    assert sizes[-1] > 1e7 * sizes[1] and unequal.applies(given)
    alike = given._replace(values=np.sign(given.values))
    assert not unequal.applies(alike)


def test_examples_beside_ones_a_million_times_as_strong():
    found = read()
    which = matched(found)
    assert len(which) >= 5
    off = np.abs(found.features - batch()[0][which])
    assert np.max(off) < 1e-3
    assert np.quantile(off / found.errors, 0.95) < 3


def test_hidden_columns_are_not_looked_at():
    model = sure_model()
    gradient = victims.gradient(model, *batch())
    mask = np.zeros(gradient.size, np.bool_)
    at = cut.cuts(model)[0].layer
    mask[at.kernel] = np.tile(np.arange(UNITS) % 4 == 0, WIDTH)
    results = [
        read(layer_of(mask, np.where(mask, value, gradient))[0])
        for value in (gradient, np.float32(np.nan))
    ]
    matched(results[0])
    np.testing.assert_array_equal(results[0].features, results[1].features)


def test_nothing_is_read_of_noise():
    gradient = victims.gradient(sure_model(), *batch())
    noise = np.random.default_rng(0).permutation(gradient)
    assert read(layer_of(gradient=noise)[0]) is None


def test_no_time():
    assert unequal.read(layer_of()[0], 6, (0, 0), lambda: True) is None


def candidate(given, images, slopes):
    whole = np.ones(WIDTH, np.bool_)
    errors = np.full(slopes.shape, 1e-7 * np.max(np.abs(slopes)))
    units = np.ones(UNITS, np.bool_)
    return pieces.Pieces(
        images, whole, images, slopes, units, errors, None, 0.0, 0, some=True
    )


@pytest.mark.parametrize("index", [2, 3, 4, 5])
def test_the_model_makes_an_example_whose_label_has_lost_its_digits(index):
    given = layer_of()[0]
    images, labels = (np.asarray(one)[[index]] for one in batch())
    sent = victims.gradient(sure_model(), images, tuple(labels))
    at = cut.cuts(sure_model())[0].layer
    slopes = sent[at.bias].astype(np.float64)[None]
    exact = given.slopes.slopes(given.outputs(images), np.eye(CLASSES)[labels])
    found = lost_digits.explained(given, candidate(given, images, slopes))
    assert found.closely.all() and found.labels.tolist() == labels.tolist()
    lost = np.linalg.norm(slopes - exact) / np.linalg.norm(exact)
    assert lost < 1e-4 or found.misfit[0] < 1e-2 * lost
    mixed = candidate(given, images + 0.3 * batch()[0][:1], slopes)
    assert not lost_digits.explained(given, mixed).loosely.any()


def test_what_is_not_read_is_guessed_and_said(monkeypatch):
    """Of five examples that are told the sixth is a mean picture."""
    first = read()
    some = first._replace(
        features=first.features[:3], errors=first.errors[:3], labels=first.labels[:3]
    )
    monkeypatch.setattr(unequal, "read", lambda *_: some)
    _, view, known = layer_of()
    attack = feature_inversion.build_feature_inversion()
    found = attack(view, known, (0, 0))
    assert found.stop == "partly_determined" and not found.converged
    assert found.label_source == "guessed" and found.labels.shape == (6,)
    np.testing.assert_allclose(found.examples[:3], some.features, atol=1e-3)
    np.testing.assert_allclose(found.examples[3:], 0.5)


def test_known_labels_give_the_order():
    model = sure_model()
    images, labels = batch()
    view = layer_of()[1]

    def told(classes):
        known = knowledge.Knowledge(model, batch_size=6, labels=classes)
        return readings.lowest(model, cut.cuts(model)[:1], view, known).features

    features = told(labels)
    assert features.label_source == "known" and tuple(features.labels) == labels
    known = np.isfinite(features.errors).all(axis=1)
    assert known.sum() >= 5
    near = np.linalg.norm(features.values[known, None] - images[None], axis=-1)
    assert [labels[one] for one in np.argmin(near, axis=1)] == [
        label for label, is_known in zip(labels, known, strict=True) if is_known
    ]
    with pytest.raises(knowledge.DoesNotApply, match="labels"):
        told((labels[0],) * 6)
