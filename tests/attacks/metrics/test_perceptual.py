import numpy as np
import pytest

from attacks.metrics import perceptual
from tests.attacks import victims

METRICS = (perceptual.random_feature_distance, perceptual.gradient_deviation)


def pictures():
    return victims.cifar100(4).images


@pytest.mark.parametrize("metric", METRICS)
class TestBoth:
    def test_equal_pictures_have_no_distance(self, metric):
        np.testing.assert_allclose(metric(pictures(), pictures()), 0, atol=1e-12)

    def test_is_symmetric_and_per_picture(self, metric):
        images = pictures()
        forth, back = metric(images, images[::-1]), metric(images[::-1], images)
        np.testing.assert_allclose(forth, back, rtol=1e-5)
        np.testing.assert_allclose(forth, back[::-1], rtol=1e-5)
        alone = metric(images[1:2], images[2:3])
        np.testing.assert_allclose(alone, forth[1:2], rtol=1e-5)

    def test_grows_with_noise(self, metric):
        images = pictures()
        noise = np.random.default_rng(0).normal(size=images.shape)
        levels = [metric(images + s * noise, images) for s in (0.01, 0.05, 0.2)]
        assert np.all(levels[0] < levels[1]) and np.all(levels[1] < levels[2])

    def test_grey_and_small_pictures(self, metric):
        grey = np.random.default_rng(0).uniform(size=(2, 5, 5, 1))
        found = metric(grey, grey[::-1])
        assert found.shape == (2,) and np.all(found > 0)

    def test_bad_shapes_are_refused(self, metric):
        with pytest.raises(ValueError, match="one shape"):
            metric(np.zeros((1, 4, 4, 1)), np.zeros((2, 4, 4, 1)))


def test_known_value():
    """Weights that depended on the machine or the version would show here."""
    ramp = np.linspace(0, 1, 64).reshape(1, 8, 8, 1)
    found = perceptual.random_feature_distance(ramp, ramp[:, ::-1])
    np.testing.assert_allclose(found, [1.691557], rtol=1e-4)


def test_first_layer_by_hand():
    """One place, one picture: unit vectors of the responses to a constant picture."""
    generator = np.random.default_rng(perceptual.NETWORK_SEED)
    kernel = generator.standard_normal((3, 3, 3, 16)) * np.sqrt(2 / 27)
    black, white = (np.full((1, 1, 1, 3), value) for value in (0.0, 1.0))
    # Of a single pixel only the centre of the kernel is not multiplied with padding.
    low, high = (np.maximum(kernel[1, 1].sum(axis=0) * sign, 0) for sign in (-1, 1))
    expected = np.sum((low / np.linalg.norm(low) - high / np.linalg.norm(high)) ** 2)
    found = perceptual.random_feature_distance(black, white)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_two_channels_are_refused():
    with pytest.raises(ValueError, match="1 or 3 channels"):
        perceptual.random_feature_distance(np.ones((1, 8, 8, 2)), np.ones((1, 8, 8, 2)))


def test_gradient_deviation_by_hand():
    """A step from 0 to 1 against a flat picture: magnitude 1 at two columns of four."""
    step = np.zeros((1, 4, 4, 1))
    step[:, :, 2:] = 1.0
    constant = 170 / 255**2
    similar = np.array([1, constant / (1 + constant), constant / (1 + constant), 1])
    found = perceptual.gradient_deviation(step, np.zeros_like(step))
    np.testing.assert_allclose(found, [similar.std()])


def test_blur_is_worse_than_a_shift_of_brightness_of_equal_error():
    """What MSE cannot tell apart."""
    images = pictures()
    blurred = (images + np.roll(images, 1, axis=1) + np.roll(images, 1, axis=2)) / 3
    error = np.sqrt(np.mean((blurred - images) ** 2, axis=(1, 2, 3), keepdims=True))
    lighter = 0.5 * images + 0.25
    shifted = lighter + 0.5 * error
    worse = perceptual.gradient_deviation(0.5 * blurred + 0.25, lighter)
    assert np.all(worse > perceptual.gradient_deviation(shifted, lighter) + 0.01)
