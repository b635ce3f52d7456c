"""One example from parts of layers: outputs by derivatives, rows that are hidden whole."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from attacks import catalog, knowledge
from attacks import target as target_lib
from attacks.continuous.features import layer, roots
from attacks.metrics import evaluation
from attacks.structure import cut
from selenc_tf.models import functional
from tests.attacks import victims

SIZE, UNITS, CLASSES = 16, 24, 3


@functools.cache
def dense(activation, width=UNITS):
    """16 numbers, 24 units of an activation, 3 classes; biases that are not zero."""
    inputs = keras.Input((SIZE,))
    hidden = inputs
    for index, units in enumerate((width, CLASSES)):
        hidden = keras.layers.Dense(
            units,
            activation=None if index else activation,
            kernel_initializer=keras.initializers.RandomUniform(-0.5, 0.5, seed=index),
            bias_initializer=keras.initializers.RandomUniform(-0.1, 0.1, seed=index),
            name="head" if index else "lower",
        )(hidden)
    return functional.from_keras(keras.Model(inputs, hidden, name=activation))


@functools.cache
def convolution():
    """A convolution on 8x8 pictures with smooth units, a dense layer, and a head."""
    inputs = hidden = keras.Input((8, 8, 1))
    drawn = functools.partial(keras.initializers.RandomUniform, -0.5, 0.5)
    hidden = keras.layers.Conv2D(
        6,
        3,
        2,
        "same",
        activation="silu",
        kernel_initializer=drawn(seed=0),
        bias_initializer=drawn(seed=1),
    )(hidden)
    hidden = keras.layers.Flatten()(hidden)
    hidden = keras.layers.Dense(
        40, activation="silu", kernel_initializer=drawn(seed=2), name="lower"
    )(hidden)
    logits = keras.layers.Dense(CLASSES, kernel_initializer=drawn(seed=3), name="head")(
        hidden
    )
    return functional.from_keras(keras.Model(inputs, logits, name="conv"))


def rows_hidden(model, name, rows, *, bias):
    """Hides rows of a layer's kernel, its bias if asked, and all of the head."""
    mask = np.zeros(model.spec.size, np.bool_)
    cuts = {one.layer.name: one.layer for one in cut.cuts(model)}
    own = cuts[name]
    places = np.arange(own.kernel.start, own.kernel.stop)
    mask[places.reshape(own.features, own.units)[rows]] = True
    mask[own.bias] = bias
    mask[cuts["head"].kernel] = mask[cuts["head"].bias] = True
    return mask


def attacked(model, image, mask, **more):
    vector = victims.gradient(model, image, (1,))
    view = victims.view_of(model, [np.where(mask, np.nan, vector)], mask)
    attack = catalog.build("feature_inversion", programs=victims.PROGRAMS)
    found = attack(view, knowledge.Knowledge(model, **more), (1, 2))
    (leak,) = evaluation.evaluate(found, evaluation.Truth(image, np.array([1])))
    return found, leak


def layer_of(model, image):
    """The lower layer, its outputs and the derivative by them."""
    (lower, _) = cut.cuts(model)
    vector = victims.gradient(model, image, (1,))
    view = victims.view_of(model, [vector])
    target = target_lib.build_target(view, knowledge.Knowledge(model), 0, "mask_aware")
    found = layer.of(model, lower, target, view.weights, victims.PROGRAMS)
    double = tuple(tf.cast(one, tf.float64) for one in model.initial_weights)
    inputs = lower.below(double, tf.constant(image, tf.float64)).numpy()
    outputs = found.outputs(inputs)
    return found, outputs[0], found.slopes.slopes(outputs, np.eye(CLASSES)[[1]])[0]


@functools.cache
def example():
    return np.random.default_rng(4).uniform(0.2, 0.8, (1, SIZE)).astype(np.float32)


@pytest.mark.parametrize("activation", ["silu", "tanh", "sigmoid"])
def test_a_derivative_says_the_outputs(activation):
    found, outputs, slopes = layer_of(dense(activation), example())
    rng = np.random.default_rng(0)
    start = outputs + 0.01 * rng.normal(size=UNITS)
    told = roots.find(found, slopes, (1,), start)
    apart = [np.max(np.abs(one.outputs - outputs) / one.errors) for one in told]
    assert min(apart) < 5
    nearest = told[int(np.argmin(apart))]
    assert nearest.label == 1 and np.all(nearest.errors < 1e-2)


def test_another_derivative_has_none():
    found, outputs, slopes = layer_of(dense("silu"), example())
    assert not roots.find(found, 100 * slopes, (0, 1, 2), outputs)


def test_slopes_of_rectified_units_do_not_say_their_outputs():
    found, outputs, slopes = layer_of(dense("relu"), example())
    assert not roots.find(found, slopes, (1,), outputs)


@pytest.mark.parametrize("activation", ["silu", "tanh"])
def test_rows_hidden_whole_follow_from_the_outputs(activation):
    model = dense(activation)
    mask = rows_hidden(model, "lower", np.arange(5), bias=False)
    found, leak = attacked(model, example(), mask)
    assert leak.psnr > 70 and leak.label_correct
    assert found.stop == "closed_form" and found.label_source == "inferred"


def test_behind_rectified_units_the_prior_fills_in():
    model = dense("relu")
    mask = rows_hidden(model, "lower", np.arange(5), bias=False)
    found, leak = attacked(model, example(), mask)
    assert found.stop == "prior" and leak.psnr < 40


def test_without_the_bias_a_dark_background_says_the_scale():
    """Of the convolution's outputs the largest are hidden, and all biases."""
    model = convolution()
    image = np.zeros((1, 8, 8, 1), np.float32)
    image[0, 4:, 4:, 0] = np.random.default_rng(1).uniform(0.2, 0.9, (4, 4))
    (lower, _) = cut.cuts(model)
    double = tuple(tf.cast(one, tf.float64) for one in model.initial_weights)
    inputs = lower.below(double, tf.constant(image, tf.float64)).numpy()[0]
    largest = np.argsort(-np.abs(inputs))[:16]
    mask = rows_hidden(model, "lower", largest, bias=True)
    _, leak = attacked(model, image, mask)
    assert leak.psnr > 60 and leak.label_correct
    with pytest.raises(knowledge.DoesNotApply, match="'lower' must show"):
        bright = np.random.default_rng(1).uniform(0.2, 0.9, image.shape)
        attacked(model, bright.astype(np.float32), mask)


def test_a_whole_head_and_a_part_of_the_layer_below_count_together():
    """The head alone has fewer numbers than the example."""
    model = dense("silu", 8)
    mask = rows_hidden(model, "lower", np.arange(5), bias=False)
    _, head = (one.layer for one in cut.cuts(model))
    mask[head.kernel] = mask[head.bias] = False
    found, leak = attacked(model, example(), mask)
    assert leak.psnr > 60 and leak.label_correct
    assert found.stop == "closed_form"
