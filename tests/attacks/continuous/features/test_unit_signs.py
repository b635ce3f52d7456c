"""Which units are on: by entries, by what a mask hides, and by neither."""

import keras
import numpy as np
import pytest

from attacks import knowledge
from attacks import target as target_lib
from attacks.continuous.features import unit_signs
from selenc_tf.models import functional
from tests.attacks import victims

layers = keras.layers


@pytest.fixture(scope="module")
def model():
    return victims.tiny_rectified()


@pytest.fixture(scope="module")
def gradient(model):
    return victims.gradient(model, victims.tiny_pictures(1), (1,))


def outputs(model):
    kernel, bias = (one.numpy() for one in model.initial_weights[:2])
    return victims.tiny_pictures(1).reshape(16) @ kernel + bias


def read(model, vector, mask):
    view = victims.view_of(model, [np.where(mask, np.nan, vector)], mask)
    target = target_lib.build_target(view, knowledge.Knowledge(model), 0, "mask_aware")
    return unit_signs.read(target, unit_signs.find(model))


@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.9])
def test_by_lot(model, gradient, ratio):
    """Entries that happen to be hidden are not taken for more than that."""
    found = read(model, gradient, victims.random_mask(gradient.size, ratio))
    known = found.signs != 0
    assert not found.by_mask and np.count_nonzero(known) > (24 if ratio > 0.5 else 47)
    np.testing.assert_array_equal(found.signs[known], np.sign(outputs(model))[known])


@pytest.mark.parametrize("ratio", [0.2, 0.5, 0.7])
def test_the_largest_entries_hidden(model, gradient, ratio):
    found = read(model, gradient, victims.largest_mask(gradient, ratio))
    assert found.by_mask
    np.testing.assert_array_equal(found.signs, np.sign(outputs(model)))


def test_so_many_hidden_that_zeros_are_too(model, gradient):
    """Behind the first zero that is not, all hidden entries are none."""
    found = read(model, gradient, victims.largest_mask(gradient, 0.9))
    known = found.signs != 0
    assert 0 < np.count_nonzero(known)
    np.testing.assert_array_equal(found.signs[known], np.sign(outputs(model))[known])


def test_the_largest_entries_of_every_tensor_hidden(model, gradient):
    """Zeros are hidden in some tensors and not in others."""
    sizes = model.spec.sizes
    mask = np.concatenate(
        [
            victims.largest_mask(part, 0.4 if index == 0 else 0.7)
            for index, part in enumerate(np.split(gradient, np.cumsum(sizes)[:-1]))
        ]
    )
    found = read(model, gradient, mask)
    known = found.signs != 0
    assert found.by_mask and np.count_nonzero(known) > 40
    np.testing.assert_array_equal(found.signs[known], np.sign(outputs(model))[known])


def test_a_whole_layer_hidden_says_nothing_of_units(model, gradient):
    """The mask hides rows of silent units too, so that it does not follow them."""
    mask = np.zeros(gradient.size, np.bool_)
    mask[-147:-3] = True
    found = read(model, gradient, mask)
    assert not found.by_mask
    np.testing.assert_array_equal(found.signs, np.sign(outputs(model)))


def test_a_gradient_of_zeros_says_nothing(model, gradient):
    found = read(model, np.zeros_like(gradient), np.zeros(gradient.size, np.bool_))
    assert not found.signs.any()


def test_zeros_of_black_pixels_are_none_of_units(model):
    images = victims.tiny_pictures(1)
    images[:, :2] = 0
    vector = victims.gradient(model, images, (1,))
    mask = np.ones(vector.size, np.bool_)
    # The kernel's rows of black pixels alone, and one more entry.
    mask[: 8 * 48 + 1] = False
    found = read(model, vector, mask)
    assert np.count_nonzero(found.signs) <= 1


def chain(*parts):
    inputs = keras.Input((4, 4, 1))
    hidden = layers.Flatten()(inputs)
    for part in parts:
        hidden = part(hidden)
    return functional.from_keras(keras.Model(inputs, hidden))


def test_a_relu_may_be_a_layer_of_its_own():
    for relu in (layers.ReLU(), layers.Activation("relu")):
        model = chain(layers.Dense(9, name="a"), relu, layers.Dense(3, name="b"))
        found = unit_signs.find(model)
        assert (found.layer.name, found.following.name) == ("a", "b")


@pytest.mark.parametrize(
    "parts",
    [
        (layers.Dense(3),),
        (layers.Dense(9, activation="relu"),),
        (layers.Dense(9, activation="sigmoid"), layers.Dense(3)),
        (layers.Dense(9), layers.LeakyReLU(), layers.Dense(3)),
        (layers.Dense(9, activation="relu"), layers.Dropout(0.1), layers.Dense(3)),
        (layers.Rescaling(2.0), layers.Dense(9, activation="relu"), layers.Dense(3)),
    ],
)
def test_other_models_are_refused(parts):
    with pytest.raises(knowledge.DoesNotApply, match="must begin with a dense layer"):
        unit_signs.find(chain(*parts))
