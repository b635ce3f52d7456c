"""Pictures from the signs of units above a convolution, by the mask alone."""

import keras
import numpy as np
import pytest

from attacks import catalog, knowledge
from attacks import effort as effort_lib
from attacks.continuous.features import calibration, deep_signs, logit_prior
from selenc_tf.models import functional
from tests.attacks import conformance, victims

SEED = (1, 2)
layers = keras.layers


@pytest.fixture(scope="module")
def thermometer():
    """Channel j of every pixel is on if the pixel is above j / 10, and so says a tenth."""
    inputs = keras.Input((4, 4, 1))
    levels = layers.Conv2D(9, 1, activation="relu", name="levels")
    hidden = layers.Flatten()(levels(inputs))
    hidden = layers.Dense(20, activation="relu", name="dense")(hidden)
    model = keras.Model(inputs, layers.Dense(3, name="head")(hidden))
    levels.set_weights([np.ones((1, 1, 1, 9)), -np.arange(1, 10) / 10])
    for name in ("dense", "head"):
        layer = model.get_layer(name)
        drawn = np.random.default_rng(3).uniform(-0.5, 0.5, layer.kernel.shape)
        layer.set_weights([drawn, np.full(layer.units, 0.05)])
    return functional.from_keras(model)


def public(count=40):
    pictures = victims.tiny_pictures(count, seed=5)
    return knowledge.PublicExamples(pictures, np.arange(count) % 3)


def known(model, **changes):
    return knowledge.Knowledge(model, public_examples=public(), **changes)


def attack(**options):
    return deep_signs.build_deep_signs(programs=victims.PROGRAMS, **options)


def test_every_pixel_to_the_tenth_that_its_units_say(thermometer):
    """Nothing but zeros is visible; NaN takes the place of what is hidden."""
    image = victims.tiny_pictures(1, seed=3)
    vector = victims.gradient(thermometer, image, (1,))
    found = conformance.check_hidden_entries_are_never_read(
        attack(), known(thermometer), thermometer, [vector], vector != 0, seed=SEED
    )
    # A unit above all that are on says nothing more, but all of them are read.
    assert found.matched_entries == 16 * 9 + 20
    assert found.stop == "prior" and not found.converged
    off = found.examples - image
    assert np.all(np.abs(off) < 0.13)
    assert np.mean(np.floor(found.examples * 10) == np.floor(image * 10)) > 0.8


def test_so_many_hidden_that_zeros_are_too(thermometer):
    """Of the first pixels the mask says nothing any more, of the last ones as much."""
    image = victims.tiny_pictures(1, seed=3)
    vector = victims.gradient(thermometer, image, (1,))
    ratio = np.mean(vector != 0) + 0.5 * np.mean(vector == 0)
    mask = victims.largest_mask(vector, ratio)
    view = victims.view_of(thermometer, [vector], mask)
    found = attack()(view, known(thermometer), SEED)
    assert 40 < found.matched_entries < 120
    assert np.all(np.abs(found.examples - image)[:, 2:] < 0.13)


def test_a_mask_that_does_not_follow_the_message_says_nothing(thermometer):
    """What is visible may: here it is one row of the head, and that all units are on."""
    vector = victims.gradient(thermometer, victims.tiny_pictures(1, seed=3), (1,))
    mask = np.ones(vector.size, np.bool_)
    mask[-3:] = False
    view = victims.view_of(thermometer, [vector], mask)
    with pytest.raises(knowledge.DoesNotApply, match=r"at least 8 units .*'levels'"):
        attack()(view, known(thermometer), SEED)


def test_the_class_is_that_of_the_nearest_examples(thermometer):
    """Where nothing visible says it."""
    image = victims.tiny_pictures(1, seed=3)
    vector = victims.gradient(thermometer, image, (1,))
    view = victims.view_of(thermometer, [vector], vector != 0)
    alike = np.clip(image + np.linspace(-0.01, 0.01, 9)[:, None, None, None], 0, 1)
    pictures = np.concatenate([public().examples, alike.astype(np.float32)])
    labels = np.append(np.zeros(40, np.int64), np.full(9, 2))
    told = knowledge.Knowledge(
        thermometer, public_examples=knowledge.PublicExamples(pictures, labels)
    )
    found = attack()(view, told, SEED)
    assert found.labels.tolist() == [2] and found.label_source == "guessed"
    one = attack()(
        view,
        knowledge.Knowledge(thermometer, labels=(1,), public_examples=public()),
        SEED,
    )
    assert one.labels.tolist() == [1] and one.label_source == "known"


def test_few_public_examples_are_refused(thermometer):
    vector = victims.gradient(thermometer, victims.tiny_pictures(1), (1,))
    view = victims.view_of(thermometer, [vector], vector != 0)
    few = knowledge.Knowledge(thermometer, public_examples=public(7))
    with pytest.raises(knowledge.DoesNotApply, match=r"at least 8 examples .* got 7"):
        attack()(view, few, SEED)


def test_examples_of_many_numbers_are_refused():
    """Before a matrix of their number squared is made."""
    inputs = keras.Input((5000,))
    hidden = layers.Dense(9, activation="relu")(inputs)
    model = functional.from_keras(keras.Model(inputs, layers.Dense(3)(hidden)))
    pictures = np.zeros((9, 5000), np.float32)
    told = knowledge.PublicExamples(pictures, np.zeros(9, np.int64))
    view = victims.view_of(model, [np.zeros(model.spec.size, np.float32)])
    with pytest.raises(knowledge.DoesNotApply, match=r"at most 4,096 .* got 5,000"):
        attack()(view, knowledge.Knowledge(model, public_examples=told), SEED)


def test_large_seeds(thermometer):
    vector = victims.gradient(thermometer, victims.tiny_pictures(1), (1,))
    view = victims.view_of(thermometer, [vector], vector != 0)
    one = attack(effort=effort_lib.Effort(1, 5))
    found = one(view, known(thermometer), (2**40, 2**62))
    assert np.all(np.isfinite(found.examples))


def test_effort_bounds_the_steps(thermometer):
    vector = victims.gradient(thermometer, victims.tiny_pictures(1), (1,))
    view = victims.view_of(thermometer, [vector], vector != 0)
    found = attack(effort=effort_lib.Effort(1, 5))(view, known(thermometer), SEED)
    assert found.iterations == 5


def test_calibration_undoes_what_is_monotone():
    true = np.random.default_rng(0).uniform(size=5000)
    fit = calibration.fit(0.5 * np.square(true), true)
    inside = np.linspace(0.1, 0.9, 9)
    np.testing.assert_allclose(fit(0.5 * np.square(inside)), inside, atol=0.02)
    assert np.all(np.diff(fit(np.linspace(-1, 2, 50))) >= 0)
    # A background of equal numbers, and too few numbers for all knots.
    assert calibration.fit(np.zeros(9), np.full(9, 0.3))(0.0) == pytest.approx(0.3)


def test_a_prior_of_few_examples():
    """Its draws have the mean and the neighbours' correlation of the examples."""
    generator = np.random.default_rng(0)
    smooth = np.cumsum(generator.normal(size=(30, 12, 12, 1)), axis=1) / 4
    examples = 1 / (1 + np.exp(-smooth))
    prior = logit_prior.fit(examples)
    values = logit_prior.logits(examples)
    np.testing.assert_allclose(prior.mean, values.mean(axis=0))
    u = (values - prior.mean) @ prior.inverse
    np.testing.assert_allclose(prior.mean + u @ prior.root, values, atol=1e-6)
    covariance = prior.root.T @ prior.root
    spread = np.sqrt(np.diag(covariance))
    correlation = (covariance / spread / spread[:, np.newaxis]).reshape((12, 12) * 2)
    assert correlation[5, 5, 6, 5] > 0.5 > 0.2 > abs(correlation[5, 5, 5, 6])


def test_it_is_in_the_catalogue(thermometer):
    vector = victims.gradient(thermometer, victims.tiny_pictures(1), (1,))
    view = victims.view_of(thermometer, [vector], vector != 0)
    found = catalog.build("deep_signs", effort=effort_lib.Effort(1, 5))(
        view, known(thermometer), SEED
    )
    assert found.stop == "prior"
