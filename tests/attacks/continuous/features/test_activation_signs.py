"""Pictures and rows from the signs of units."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from attacks import catalog, knowledge
from attacks.matching import matching
from attacks.metrics import evaluation
from selenc_tf.models import functional, mlp, value_range
from selenc_tf.models import task as task_lib
from tests.attacks import victims
from tests.attacks.tables import LOSSES

SEED = (1, 2)


def attacked(model, image, vector, mask, name="activation_signs", **known):
    view = victims.view_of(model, [np.where(mask, np.nan, vector)], mask)
    found = catalog.build(name, programs=victims.PROGRAMS)(
        view, knowledge.Knowledge(model, **known), SEED
    )
    (leak,) = evaluation.evaluate(found, evaluation.Truth(image, np.array([1])))
    return found, leak.psnr


@pytest.fixture(scope="module")
def model():
    return victims.tiny_rectified(256)


def image():
    """Light and dark, so that numbers are no more than usually far from the mean."""
    return victims.tiny_pictures(1, seed=3)


def psnr_of(guess, truth):
    return float(-10 * np.log10(np.mean(np.square(guess - truth))))


def test_a_mask_of_all_that_is_not_zero(model):
    """No visible entry differs from zero."""
    vector = victims.gradient(model, image(), (1,))
    mask = vector != 0
    public = victims.tiny_pictures(30, seed=5)
    known = {"public_examples": knowledge.PublicExamples(public, np.arange(30) % 3)}
    found, psnr = attacked(model, image(), vector, mask, **known)
    assert found.matched_entries == 256
    assert found.stop == "prior" and not found.converged
    assert psnr > psnr_of(public.mean(axis=0), image()) + 6
    # A size that is not known costs most of that, not the direction.
    alone, _ = attacked(model, image(), vector, mask)
    assert np.corrcoef(alone.examples.ravel(), image().ravel())[0, 1] > 0.95


def test_public_pictures_say_how_large_it_is(model):
    """Signs do not, as the layer has no biases."""
    vector = victims.gradient(model, image(), (1,))
    pictures = 0.3 * victims.tiny_pictures(30, seed=5)
    public = knowledge.PublicExamples(pictures, np.arange(30) % 3)
    found, _ = attacked(model, image(), vector, vector != 0, public_examples=public)
    usual = np.quantile(pictures.reshape(30, -1), 0.98, axis=1).mean()
    np.testing.assert_allclose(np.quantile(found.examples, 0.98), usual, rtol=1e-4)


def test_visible_numbers_are_kept(model):
    """The first eight of the sixteen numbers, by one unit's bias and weights."""
    vector = victims.gradient(model, image(), (1,))
    mask = vector != 0
    unit = int(np.argmax(np.abs(vector[16 * 256 : 17 * 256])))
    shown = [*(row * 256 + unit for row in range(8)), 16 * 256 + unit]
    _, without = attacked(model, image(), vector, mask)
    mask[shown] = False
    found, psnr = attacked(model, image(), vector, mask)
    np.testing.assert_allclose(
        found.examples.ravel()[:8], image().ravel()[:8], atol=1e-4
    )
    assert psnr > without + 3
    # Without the bias their ratios are known.
    mask[16 * 256 + unit] = True
    found, _ = attacked(model, image(), vector, mask)
    ratios = found.examples.ravel()[:8] / image().ravel()[:8]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-3)


def test_few_signs_are_refused():
    model = victims.tiny_rectified(6)
    vector = victims.gradient(model, image(), (1,))
    with pytest.raises(knowledge.DoesNotApply, match=r"at least 8 units .* of [0-6]\."):
        attacked(model, image(), vector, vector != 0)


@pytest.mark.parametrize("kind", list(LOSSES))
def test_rows_in_their_own_units(kind):
    """Any task; features of other intervals; the layer has biases."""
    drawn = keras.initializers.RandomUniform(-0.5, 0.5, seed=1)
    inputs = keras.Input((6,))
    hidden = keras.layers.Dense(
        200, "relu", kernel_initializer=drawn, bias_initializer=drawn
    )(inputs)
    width = {"classes": 3, "binary": 1, "values": 2}[kind]
    outputs = keras.layers.Dense(width, kernel_initializer=drawn)(hidden)
    task = task_lib.from_keras(keras.Model(inputs, outputs), LOSSES[kind])
    units = value_range.value_range([-1, -2, 0, -1, -3, -1], [1, 2, 2, 1, 3, 1])
    model = functional.from_task(task, value_range=units)
    row = np.random.default_rng(2).uniform(0.1, 0.9, (1, 6)).astype(np.float32)
    labels = {"classes": (1,), "binary": ((1.0,),), "values": ((0.7, -1.2),)}[kind]
    vector = functional.gradient(
        model,
        model.initial_weights,
        tf.constant(row),
        matching.as_targets(model, labels, tf.float32),
    ).numpy()
    view = victims.view_of(model, [vector], vector != 0)
    found = catalog.build("activation_signs", programs=victims.PROGRAMS)(
        view, knowledge.Knowledge(model, labels=labels), SEED
    )
    assert psnr_of(found.examples, row) > 24


@pytest.mark.slow
def test_a_photograph_by_its_frequencies():
    """1,024 units, half of the gradient hidden by magnitude."""
    model = mlp.mlp((32, 32, 3), 100, 0)
    pictures = victims.cifar100(20)
    one = pictures.images[:1]
    vector = victims.gradient(model, one, pictures.labels[:1])
    public = knowledge.PublicExamples(
        pictures.images[1:], np.array(pictures.labels[1:])
    )
    found, _ = attacked(
        model,
        one,
        vector,
        victims.largest_mask(vector, 0.9),
        "activation_signs_dct",
        public_examples=public,
    )
    assert found.matched_entries == 1024
    assert np.corrcoef(found.examples.ravel(), one.ravel())[0, 1] > 0.75
