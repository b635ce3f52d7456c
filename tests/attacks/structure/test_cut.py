"""A model cut at a dense layer: the two halves together are the model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from attacks import knowledge
from attacks.structure import cut
from selenc_tf import catalog
from selenc_tf.models import functional, value_range

layers = keras.layers


def check_halves(model, names):
    double = functional.in_float64(model)
    weights = double.initial_weights
    inputs = np.random.default_rng(0).uniform(size=(3, *model.input_shape))
    found = cut.cuts(model)
    assert [one.layer.name for one in found] == names
    for one in found:
        features = one.below(weights, tf.constant(inputs))
        assert features.shape == (3, one.layer.features)
        assert features.dtype == tf.float64
        np.testing.assert_allclose(
            one.above(weights, features),
            double.apply(weights, tf.constant(inputs)),
            rtol=1e-12,
        )
        if one.layer.name == "inside":
            assert one.after is None
            continue
        np.testing.assert_allclose(
            one.after(weights, one.into(weights, features)),
            one.above(weights, features),
            rtol=1e-12,
        )


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("lenet", ["head"]),
        ("small_cnn", ["dense", "head"]),
        ("fedavg_cnn", ["dense", "head"]),
        ("convnet16", ["head"]),
        ("mlp", ["dense0", "head"]),
    ],
)
@pytest.mark.slow
def test_the_halves_of_a_catalogue_model(name, names):
    check_halves(catalog.model(name, (28, 28, 1), 10, 0), names)


def test_frozen_layers_units_and_softmax_are_of_the_right_half():
    inputs = keras.Input((6,))
    hidden = layers.Dense(5, activation="tanh", name="frozen", trainable=False)(inputs)
    hidden = layers.BatchNormalization(trainable=False)(hidden)
    hidden = layers.Dense(4, activation="relu", name="middle")(hidden)
    outputs = layers.Dense(3, activation="softmax", name="last")(hidden)
    model = functional.from_keras(
        keras.Model(inputs, outputs), loss="categorical_crossentropy"
    )
    model = functional.from_task(
        model.task, value_range=value_range.value_range(-2.0, 3.0)
    )
    check_halves(model, ["middle", "last"])


def test_a_path_around_a_layer_leaves_the_others():
    inputs = keras.Input((6,))
    around = layers.Dense(6, name="inside")(inputs)
    outputs = layers.Dense(3, name="last")(layers.Add()([inputs, around]))
    # The first layer's input is the whole input, so everything passes there.
    check_halves(
        functional.from_keras(keras.Model(inputs, outputs)), ["inside", "last"]
    )
    hidden = layers.Dense(6, name="first")(inputs)
    around = layers.Dense(6, name="inside")(layers.Activation("relu")(hidden))
    outputs = layers.Dense(3, name="last")(layers.Add()([hidden, around]))
    check_halves(functional.from_keras(keras.Model(inputs, outputs)), ["first", "last"])


def test_models_without_such_a_layer_are_refused():
    inputs = keras.Input((4, 4, 1))
    hidden = layers.Conv2D(3, 3)(inputs)
    outputs = layers.GlobalAveragePooling2D()(hidden)
    without = functional.from_keras(keras.Model(inputs, outputs))
    with pytest.raises(knowledge.DoesNotApply, match="it has no such layer"):
        cut.cuts(without)
    hidden = layers.Flatten()(layers.BatchNormalization(name="normal")(inputs))
    outputs = layers.Dense(3)(hidden)
    mixing = functional.from_keras(keras.Model(inputs, outputs))
    with pytest.raises(knowledge.DoesNotApply, match="its layer 'normal' normalises"):
        cut.cuts(mixing)
