import dataclasses

import keras
import numpy as np
import pytest

from attacks.metrics import feature_distance, identifiability, perceptual
from experiments.data.dataset import Dataset
from experiments.modalities.pictures import metrics
from selenc_tf.models import functional
from tests.attacks import victims


@pytest.fixture(scope="module")
def model():
    return victims.tiny_model()


@pytest.fixture(scope="module")
def weights(model):
    return tuple(tensor.numpy() for tensor in model.initial_weights)


def dataset(count, shape=(4, 4, 1)):
    """Sorted by class, as some real ones are; no two pictures are alike."""
    images = np.random.default_rng(1).random((count, *shape), np.float32)
    labels = np.arange(count, dtype=np.int32) * 3 // count
    return Dataset("mine", images, labels, 3, "", "", "", "")


def near(truth, noise, seed=3):
    generator = np.random.default_rng(seed)
    shifted = truth + noise * generator.standard_normal(truth.shape)
    return np.clip(shifted, 0, 1).astype(np.float32)


def test_each_measure_is_the_function_of_its_name(model, weights):
    data = dataset(30)
    truth, labels = data.examples[:2], data.labels[:2]
    images = near(truth, 0.2)
    later = tuple(2 * tensor for tensor in weights)
    found = metrics.measure(model, later, images, truth, labels, data.examples)
    np.testing.assert_array_equal(
        [one.perceptual for one in found],
        perceptual.random_feature_distance(images, truth),
    )
    features = feature_distance.feature_mse(model, later, images, truth, labels)
    np.testing.assert_array_equal([one.feature_mse for one in found], features)
    # The weights are those of the attacked round, not the model's first ones.
    first = metrics.measure(model, weights, images, truth, labels, data.examples)
    assert not np.allclose([one.feature_mse for one in first], features)


def test_an_exact_picture_has_no_distance_and_is_identified(model, weights):
    data = dataset(30)
    truth = data.examples[4:5]
    (found,) = metrics.measure(
        model, weights, truth, truth, data.labels[4:5], data.examples
    )
    # Convolutions round differently at different places of a batch.
    assert found.perceptual == pytest.approx(0.0, abs=1e-9)
    assert (found.feature_mse, found.identified) == (0.0, True)


def test_a_diverged_picture_is_a_failure_and_leaves_the_others_alone(model, weights):
    data = dataset(30)
    truth, labels = data.examples[:2], data.labels[:2]
    images = truth.copy()
    images[0, 0, 0, 0] = np.nan
    found = metrics.measure(model, weights, images, truth, labels, data.examples)
    assert found[0] == metrics.PictureMetrics(None, None, False)
    assert found[1].perceptual == pytest.approx(0.0, abs=1e-9)
    assert (found[1].feature_mse, found[1].identified) == (0.0, True)


def test_two_channels_have_no_perceptual_distance():
    inputs = keras.Input((4, 4, 2))
    outputs = keras.layers.Dense(3)(keras.layers.Flatten()(inputs))
    model = functional.from_keras(keras.Model(inputs, outputs, name="two_channels"))
    data = dataset(5, (4, 4, 2))
    (found,) = metrics.measure(
        model,
        tuple(tensor.numpy() for tensor in model.initial_weights),
        near(data.examples[:1], 0.01),
        data.examples[:1],
        data.labels[:1],
        data.examples,
    )
    assert found.perceptual is None
    assert found.feature_mse > 0 and found.identified


@pytest.mark.parametrize("place", [0, 99, 100, 249])
def test_one_nearer_picture_anywhere_spoils_the_identification(model, weights, place):
    data = dataset(250)
    truth, labels = victims.tiny_pictures(1), np.array([0])
    guess = near(truth, 0.05)
    others = data.examples.copy()

    def identified(references):
        (found,) = metrics.measure(model, weights, guess, truth, labels, references)
        return found.identified

    assert identified(others)
    others[place] = guess[0]
    assert not identified(others)


def test_blocks_do_not_change_the_result(model, weights):
    data = dataset(230)
    truth, labels = data.examples[:40], data.labels[:40]
    images = near(truth, 0.6)
    found = metrics.measure(model, weights, images, truth, labels, data.examples)
    at_once = identifiability.identified(images, truth, data.examples)
    np.testing.assert_array_equal([one.identified for one in found], at_once)
    # Easy and hard ones, or the test would say nothing.
    assert 0 < at_once.sum() < 40


def test_without_references_the_batch_itself_is_compared_with(model, weights):
    truth, labels = victims.tiny_pictures(2), np.array([0, 1])
    none = np.zeros((0, 4, 4, 1), np.float32)
    found = metrics.measure(model, weights, truth[::-1], truth, labels, none)
    assert [one.identified for one in found] == [False, False]


def test_references_are_all_pictures_or_come_from_all_classes(monkeypatch):
    data = dataset(90)
    assert metrics.references(data) is data.examples
    monkeypatch.setattr(metrics, "MAX_REFERENCES", 30)
    some = metrics.references(data)
    rows = [
        np.flatnonzero((data.examples == image).all((1, 2, 3))).item() for image in some
    ]
    assert len(set(rows)) == 30
    assert list(np.bincount(data.labels[rows])) == [10, 10, 10]
    one_more = dataclasses.replace(
        data, examples=data.examples[:31], labels=data.labels[:31]
    )
    assert len(metrics.references(one_more)) == 30
