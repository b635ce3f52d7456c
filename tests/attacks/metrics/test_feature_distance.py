import numpy as np
import pytest

from attacks.metrics import feature_distance
from tests.attacks import victims


@pytest.fixture(scope="module")
def weights(tiny):
    return tuple(tensor.numpy() for tensor in tiny.initial_weights)


def by_hand(weights, images):
    """The tiny net in NumPy: 16 -> 12 sigmoid -> 3."""
    kernel0, bias0, kernel1, bias1 = (tensor.astype(np.float64) for tensor in weights)
    hidden = 1 / (1 + np.exp(-(images.reshape(len(images), -1) @ kernel0 + bias0)))
    return hidden @ kernel1 + bias1


def test_logits_are_the_models(tiny, weights):
    images = victims.tiny_pictures(3)
    np.testing.assert_allclose(
        feature_distance.logits(tiny, weights, images),
        by_hand(weights, images),
        rtol=1e-4,
        atol=1e-6,
    )


def test_variants_by_hand(tiny, weights):
    images, truth = victims.tiny_pictures(2, 1), victims.tiny_pictures(2, 2)
    labels = np.array([2, 0])
    difference = by_hand(weights, images) - by_hand(weights, truth)
    np.testing.assert_allclose(
        feature_distance.feature_mse(tiny, weights, images, truth, labels),
        np.mean(difference**2, axis=1),
        rtol=1e-3,
    )
    np.testing.assert_allclose(
        feature_distance.feature_mse(
            tiny, weights, images, truth, labels, "label_columns"
        ),
        np.mean(difference[:, [2, 0]] ** 2, axis=1),
        rtol=1e-3,
    )


def test_equal_pictures_have_no_distance(tiny, weights):
    images = victims.tiny_pictures(2)
    found = feature_distance.feature_mse(tiny, weights, images, images, np.zeros(2))
    np.testing.assert_array_equal(found, [0, 0])


def test_pixels_are_clamped(tiny, weights):
    white = np.ones((1, 4, 4, 1))
    found = feature_distance.feature_mse(tiny, weights, 3 * white, white, np.zeros(1))
    np.testing.assert_array_equal(found, [0])


def test_bad_arguments_are_refused(tiny, weights):
    images = victims.tiny_pictures(2)
    with pytest.raises(ValueError, match="`variant` must be one of"):
        feature_distance.feature_mse(tiny, weights, images, images, np.zeros(2), "l1")
    with pytest.raises(ValueError, match="must be of one batch"):
        feature_distance.feature_mse(tiny, weights, images, images, np.zeros(3))
