"""Which units of a model show in dense layers, and what enters their ReLUs."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from attacks import knowledge
from attacks.structure import cut, rectified
from selenc_tf import catalog
from selenc_tf.models import functional

layers = keras.layers


def chain(*parts, shape=(6, 6, 1)):
    inputs = hidden = keras.Input(shape)
    for part in parts:
        hidden = part(hidden)
    return functional.from_keras(keras.Model(inputs, hidden))


def found_of(model):
    found = rectified.find(model)
    return [
        (
            one.name,
            one.columns_of and one.columns_of.name,
            one.rows_of and one.rows_of.name,
        )
        for one in found.units
    ]


def check_outputs(model):
    """Behind the ReLU they are the inputs of dense layers; before it, their outputs."""
    found = rectified.find(model)
    weights = tuple(one + 0.01 for one in model.initial_weights)
    inputs = tf.constant(
        np.random.default_rng(0).uniform(size=(3, *model.input_shape)), tf.float32
    )
    halves = {one.layer.name: one for one in cut.cuts(model, double=False)}
    for units, values in zip(found.units, found.outputs(weights, inputs), strict=True):
        assert values.shape == (3, units.size)
        assert np.any(values < 0) and np.any(values > 0)
        if units.rows_of is not None:
            np.testing.assert_allclose(
                np.maximum(values, 0),
                halves[units.rows_of.name].below(weights, inputs),
                atol=1e-6,
            )
        if units.columns_of is not None:
            half = halves[units.columns_of.name]
            np.testing.assert_allclose(
                values, half.into(weights, half.below(weights, inputs)), atol=1e-6
            )


def test_pooled_convolutions_and_dense_layers():
    model = chain(
        layers.Conv2D(4, 3, padding="same", activation="relu", name="conv"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(7, activation="relu", name="a"),
        layers.Dense(5, name="b"),
        layers.ReLU(),
        layers.Dense(3, name="head"),
    )
    assert found_of(model) == [
        ("conv", None, "a"),
        ("a", "a", "b"),
        ("b", "b", "head"),
    ]
    assert [one.channels for one in rectified.find(model).units] == [4, 7, 5]
    check_outputs(model)


def test_a_relu_behind_a_normalisation():
    model = chain(
        layers.Conv2D(4, 3),
        layers.BatchNormalization(name="norm"),
        layers.ReLU(),
        layers.Flatten(),
        layers.Dense(3, name="head"),
    )
    inference = functional.from_keras(model.keras_model, training=False)
    assert found_of(inference) == [("norm", None, "head")]
    check_outputs(inference)
    with pytest.raises(knowledge.DoesNotApply, match="statistics of the batch"):
        rectified.find(model)


def test_a_sequential_model():
    model = functional.from_keras(
        keras.Sequential(
            [
                keras.Input((6, 6, 1)),
                layers.Conv2D(2, 3, activation="relu", name="conv"),
                layers.Flatten(),
                layers.Dense(3, name="head"),
            ]
        )
    )
    assert found_of(model) == [("conv", None, "head")]
    check_outputs(model)


def test_maxima_written_as_operations():
    """The poolings of the ConvNets."""
    model = catalog.model("convnet16", (32, 32, 3), 10, 0)
    ((_, below, above),) = found_of(model)
    assert below is None and above is not None


def test_outputs_that_something_else_takes_too():
    inputs = keras.Input((4,))
    first = layers.Dense(5, name="a")(inputs)
    hidden = layers.Add()([layers.ReLU()(first), first])
    model = functional.from_keras(keras.Model(inputs, layers.Dense(3)(hidden)))
    with pytest.raises(knowledge.DoesNotApply, match="must have a ReLU"):
        rectified.find(model)


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ((layers.Conv2D(2, 3, activation="relu"),), "no dense layer"),
        (
            (layers.Conv2D(2, 3, activation="silu", name="smooth"), layers.Flatten()),
            r"'smooth' \(Conv2D\)",
        ),
        (
            (layers.Conv2D(2, 3), layers.LeakyReLU(name="leaky"), layers.Flatten()),
            r"'leaky' \(LeakyReLU\)",
        ),
        (
            (
                layers.Conv2D(2, 3, activation="relu"),
                layers.AveragePooling2D(2, name="mean"),
                layers.Flatten(),
            ),
            r"'mean' \(AveragePooling2D\)",
        ),
    ],
)
def test_other_models_are_refused(parts, why):
    head = (
        (layers.GlobalMaxPooling2D(),)
        if why == "no dense layer"
        else (layers.Dense(3),)
    )
    with pytest.raises(knowledge.DoesNotApply, match=why):
        rectified.find(chain(*parts, *head))
