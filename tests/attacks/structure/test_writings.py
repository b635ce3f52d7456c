"""One network, written as Keras lets it be written: all are read as the same."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from attacks import catalog, effort, knowledge
from attacks.pictures.priors import features
from attacks.structure import cut, network, source
from selenc_tf.models import functional
from tests.attacks import victims

layers = keras.layers
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def parts(normalised=False):
    keras.utils.set_random_seed(3)
    return [
        keras.Input((8, 8, 1)),
        layers.Conv2D(6, 3, activation="sigmoid", name="below"),
        *([layers.BatchNormalization(name="norm")] if normalised else []),
        layers.Flatten(name="flat"),
        layers.Dense(16, activation="sigmoid", name="middle"),
        layers.Dense(3, name="head"),
    ]


def by_list(**asked):
    return keras.Sequential(parts(**asked))


def by_add(**asked):
    model = keras.Sequential()
    for part in parts(**asked):
        model.add(part)
    return model


def without_input(**asked):
    model = keras.Sequential(parts(**asked)[1:])
    model.build((None, 8, 8, 1))
    return model


def by_calls(**asked):
    inputs, *others = parts(**asked)
    tensor = inputs
    for layer in others:
        tensor = layer(tensor)
    return keras.Model(inputs, tensor)


def taken_over(**asked):
    """Layers that another model called before."""
    inputs = keras.Input((8, 8, 1))
    tensor = inputs
    for layer in by_list(**asked).layers:
        tensor = layer(tensor)
    return keras.Model(inputs, tensor)


def cloned(**asked):
    return keras.models.clone_model(by_list(**asked))


WRITINGS = (by_list, by_add, without_input, by_calls, taken_over, cloned)


@functools.cache
def numbers(**asked):
    """What all have for weights, whoever drew them."""
    return [one.numpy() for one in by_calls(**asked).weights]


def read(write, **asked):
    model = write(**asked)
    model.set_weights(numbers(**asked))
    return functional.from_keras(model, loss=LOSS)


@functools.cache
def expected_of(**asked):
    """What the others are compared with: read once for all."""
    return read(by_calls, **asked)


@functools.cache
def expected_cuts():
    return cut.cuts(expected_of())


@pytest.mark.parametrize("write", WRITINGS)
def test_structure_is_read_the_same(write):
    model, expected = read(write), expected_of()
    for name in ("middle", "head"):
        assert source.activation_below(model, name) == source.activation_below(
            expected, name
        )
    found, wanted = cut.cuts(model), expected_cuts()
    assert [one.layer for one in found] == [one.layer for one in wanted]
    pictures = tf.random.stateless_uniform([2, 8, 8, 1], (0, 1), dtype=tf.float64)
    weights = functional.in_float64(expected).initial_weights
    for one, other in zip(found, wanted, strict=True):
        below = one.below(weights, pictures)
        np.testing.assert_array_equal(below, other.below(weights, pictures))
        assert one.after is not None
        np.testing.assert_array_equal(
            one.after(weights, one.into(weights, below)), other.above(weights, below)
        )


@pytest.mark.parametrize("write", WRITINGS)
def test_what_goes_into_normalisations_is_read_the_same(write):
    model, expected = read(write, normalised=True), expected_of(normalised=True)
    pictures = tf.random.stateless_uniform([2, 8, 8, 1], (0, 1))
    for probe in (features.normalisation_inputs, features.head_inputs):
        (found,), (wanted,) = (
            probe(one).apply(one.initial_weights, pictures) for one in (model, expected)
        )
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
    refusals = []
    for one in (model, expected):
        with pytest.raises(knowledge.DoesNotApply) as refused:
            network.read_network(one)
        refusals.append(str(refused.value).replace(one.name, "the model"))
    assert refusals[0] == refusals[1]


@pytest.mark.slow
@pytest.mark.parametrize("write", WRITINGS)
def test_an_attack_recovers_the_same(write):
    pictures = np.random.default_rng(5).uniform(size=(1, 8, 8, 1)).astype(np.float32)
    reached = []
    for one in (read(write), expected_of()):
        gradient = victims.gradient(one, pictures, (1,))
        view = victims.view_of(one, [gradient], np.zeros(one.spec.size, bool))
        built = catalog.build("feature_inversion", effort=effort.Effort(1, 300))
        reached.append(built(view, knowledge.Knowledge(one, 1), (0, 1)).examples)
    np.testing.assert_allclose(reached[0], reached[1], atol=1e-3)
    assert np.mean((reached[0] - pictures) ** 2) < 1e-6
