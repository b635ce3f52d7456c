"""What the dense layers tell of the activations below them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from attacks import knowledge
from attacks import target as target_lib
from attacks.pictures.peeling import (
    top,
)
from attacks.structure import dense_layers
from selenc_tf.models import convnet64
from tests.attacks import victims
from tests.attacks.chains import picture


@pytest.fixture(scope="module")
def case(deep):
    """The gradient, the flat activations below the dense layers, dL by them."""
    model, depths = deep
    image = picture(model.input_shape)
    flat = keras.Model(model.keras_model.inputs[0], depths[-1])(image)
    above = keras.Model(depths[-1], model.keras_model.output)
    with tf.GradientTape() as tape:
        tape.watch(flat)
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)(
            tf.one_hot([1], 5), above(flat)
        )
    derivative = tape.gradient(loss, flat)
    vector = victims.gradient(model, image, (1,))
    return model, vector, np.ravel(flat), np.ravel(derivative)


class TestTop:
    FEATURES = 2 * 2 * 16
    HEAD = 5 * 10 + 5

    def read(self, case, mask=None):
        model, vector, *_ = case
        view = victims.view_of(model, [vector], mask)
        target = target_lib.build_target(
            view, knowledge.Knowledge(model), 0, "mask_aware"
        )
        found = dense_layers.dense_layers(model)
        return top.read(target, view.weights, found, 1)

    def test_two_dense_layers(self, case):
        _, _, values, derivative = case
        found = self.read(case)
        assert found.known.all() and values.size == self.FEATURES
        np.testing.assert_allclose(found.values, values, atol=1e-5)
        np.testing.assert_allclose(found.derivative, derivative, atol=1e-5)
        # The kernels; and the head's bias.
        assert found.entries == self.FEATURES * 10 + self.HEAD

    def test_hidden_entries(self, case):
        model, vector, values, derivative = case
        mask = victims.random_mask(vector.size, 0.4)
        found = self.read(case, mask)
        assert found.known.mean() > 0.9
        np.testing.assert_allclose(
            found.values[found.known], values[found.known], atol=1e-4
        )
        np.testing.assert_array_equal(found.values[~found.known], 0)
        np.testing.assert_allclose(found.derivative, derivative, atol=1e-4)
        poisoned = np.where(mask, np.float32(np.nan), vector)
        again = self.read((model, poisoned), mask)
        np.testing.assert_equal(again._asdict(), found._asdict())

    def test_a_hidden_row_is_not_known(self, case):
        _, vector, values, _ = case
        mask = np.zeros(vector.size, np.bool_)
        first = vector.size - self.HEAD - 10 - self.FEATURES * 10
        mask[first : first + 2 * 10] = True
        found = self.read(case, mask)
        assert np.flatnonzero(~found.known).tolist() == [0, 1]
        np.testing.assert_allclose(found.values[2:], values[2:], atol=1e-5)

    def test_a_hidden_head(self, case):
        vector = case[1]
        mask = np.zeros(vector.size, np.bool_)
        mask[-self.HEAD :] = True
        assert self.read(case, mask) is None
        # Two inputs of the head: the derivative below would be incomplete.
        mask[-self.HEAD :] = False
        mask[-self.HEAD : -self.HEAD + 10] = True
        assert self.read(case, mask) is None


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_the_largest_entries_hidden(seed):
    """A tenth of all entries of a ConvNet: whole rows of the largest features."""
    data = victims.cifar100(1)
    model = convnet64.convnet16((32, 32, 3), 100, seed)
    vector = victims.gradient(model, data.images, data.labels)
    mask = np.abs(vector) >= np.sort(np.abs(vector))[-round(0.1 * vector.size)]
    view = victims.view_of(model, [vector], mask)
    target = target_lib.build_target(view, knowledge.Knowledge(model), 0, "mask_aware")
    (head,) = dense_layers.dense_layers(model)
    found = top.read(target, view.weights, (head,), data.labels[0])
    below = keras.Model(model.keras_model.inputs[0], model.keras_model.layers[-1].input)
    truth = np.ravel(below(data.images, training=False))
    hidden = mask[head.kernel].reshape(head.features, head.units)
    assert np.count_nonzero(hidden.all(axis=1)) > 40
    assert found.known.all()
    np.testing.assert_allclose(found.values, truth, atol=1e-4 * truth.max())
    delta = np.asarray(vector[head.bias], np.float64)
    kernel = view.weights[-2].astype(np.float64)
    np.testing.assert_allclose(found.derivative, kernel @ delta, atol=1e-6)
