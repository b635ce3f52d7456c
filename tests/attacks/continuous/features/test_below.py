"""Programs of the network below a cut, against TensorFlow's own derivatives."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from attacks.continuous.features import below, chain_gradients, conjugate
from attacks.structure import activations, chain, cut, source
from selenc_tf.distance import prior
from selenc_tf.models import functional
from tests.attacks import victims
from tests.attacks.continuous.analytic import cases

SHAPE = (4, 4, 1)


def weights_of(model):
    return tuple(tf.cast(one, tf.float64) for one in model.initial_weights)


@pytest.fixture(scope="module")
def model():
    return victims.tiny_convolution("sigmoid", "valid")


def test_jacobian(model):
    (found,) = cut.cuts(model)
    undone = source.activation_below(model, found.layer.name)
    assert undone == activations.Activation("sigmoid")
    compiled = below.compile_below(found.below, undone)
    image = victims.tiny_pictures(1)[0].astype(np.float64)
    kept = np.array([0, 3, 7])
    rows = below.jacobian(compiled, weights_of(model), image, kept)
    value = compiled.value(weights_of(model), image[np.newaxis]).numpy()[0]
    for pixel in (0, 5, 15):
        moved = image.ravel().copy()
        moved[pixel] += 1e-6
        at = compiled.value(weights_of(model), moved.reshape(1, *SHAPE)).numpy()[0]
        np.testing.assert_allclose(
            rows[:, pixel], ((at - value) / 1e-6)[kept], atol=1e-5
        )


def test_an_activation_that_cannot_be_undone_is_left():
    model = victims.tiny_convolution("relu", "same")
    (found,) = cut.cuts(model)
    assert source.activation_below(model, found.layer.name) == activations.LINEAR


@pytest.mark.parametrize(
    "activation", ["sigmoid", pytest.param("leaky_relu", marks=pytest.mark.slow)]
)
def test_gradients_of_a_chain(activation):
    """Values are the client's gradient; derivatives are differences of values."""
    model = (
        victims.tiny_convolution("sigmoid", "valid")
        if activation == "sigmoid"
        else cases.tiny_chain()
    )
    layers = chain.read_chain(model)
    image = np.random.default_rng(0).uniform(0.1, 0.9, model.input_shape)
    weights = weights_of(model)
    (found,) = cut.cuts(model)
    features = found.below(weights, tf.constant(image[np.newaxis]))
    with tf.GradientTape() as tape:
        tape.watch(features)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(
            [1], found.above(weights, features)
        )
    k = tf.reshape(tape.gradient(loss, features), [1, *layers[-1].output_shape])
    run = chain_gradients.compile_gradients(layers)
    directions = np.random.default_rng(1).normal(size=(2, *model.input_shape))
    here = run(weights, tf.constant(image[np.newaxis]), tf.constant(directions), k)
    sent = functional.gradient(
        model,
        model.initial_weights,
        tf.constant(image[np.newaxis], tf.float32),
        tf.one_hot([1], model.num_classes),
    ).numpy()
    np.testing.assert_allclose(here.values, sent[: len(here.values)], atol=2e-6)
    for direction, derivative in zip(directions, here.derivatives, strict=True):
        ends = [
            run(
                weights,
                tf.constant((image + step * direction)[np.newaxis]),
                tf.constant(directions),
                k,
            ).values.numpy()
            for step in (1e-5, -1e-5)
        ]
        difference = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose(derivative, difference, atol=1e-6)


def test_products_find_examples_of_a_batch():
    """Three pictures at once through ReLUs, more features than pixels."""
    inputs = keras.Input(SHAPE)
    drawn = keras.initializers.RandomNormal(seed=0)
    hidden = keras.layers.Conv2D(
        16, 3, padding="same", activation="relu", kernel_initializer=drawn
    )(inputs)
    logits = keras.layers.Dense(3)(keras.layers.Flatten()(hidden))
    model = functional.from_keras(keras.Model(inputs, logits, name="wide"))
    (double,), (single,) = cut.cuts(model), cut.cuts(model, double=False)
    products = conjugate.compile_products(double.below, single.below)
    images = victims.tiny_pictures(3, seed=4).astype(np.float64)
    values = double.below(weights_of(model), tf.constant(images)).numpy()
    errors = np.full(values.shape, 1e-7)
    errors[:, 5] = np.inf
    known = prior.GaussianPrior("flat", (1, *SHAPE), np.full(16, 0.5), 0.1, ())
    found = conjugate.solve(products, weights_of(model), values, errors, known, 60)
    assert found.settled and np.all(found.deviation < 1e-6)
    np.testing.assert_allclose(found.x, images, atol=1e-5)
    # Of one feature nothing follows, and that is said.
    errors[:, 1:] = np.inf
    vague = conjugate.solve(products, weights_of(model), values, errors, known, 60)
    assert np.all(vague.deviation > 0.1)


def test_a_root_as_tensors_is_the_prior():
    known = prior.stationary(np.random.default_rng(0).uniform(size=(9, 3, 4, 2)))
    values = np.random.default_rng(1).normal(size=(2, 3, 4, 2)).astype(np.float32)
    root = conjugate.root_of(known)
    for transpose in (False, True):
        moved = conjugate.apply_root(root, tf.constant(values), transpose=transpose)
        expected = prior.apply_root(known, values.reshape(2, -1).T, transpose).T
        np.testing.assert_allclose(moved, expected.reshape(values.shape), atol=1e-5)
    inverse = prior.apply_inverse_root(known, prior.apply_root(known, np.eye(24)))
    np.testing.assert_allclose(inverse, np.eye(24), atol=1e-9)
