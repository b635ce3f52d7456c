import numpy as np
import pytest
from skimage import metrics as oracle

from attacks.metrics import image_quality
from tests.attacks import victims


@pytest.fixture(scope="module")
def pair():
    truth = victims.cifar100(3).images
    noise = np.random.default_rng(0).normal(0, 0.1, truth.shape)
    return (truth + noise).astype(np.float32), truth


def test_psnr_by_hand():
    truth = np.full((2, 4, 4, 1), 0.5)
    images = truth + np.array([0.1, 0.01]).reshape(2, 1, 1, 1)
    np.testing.assert_allclose(image_quality.psnr(images, truth), [20.0, 40.0])
    np.testing.assert_allclose(image_quality.mse(images, truth), [1e-2, 1e-4])


def test_exact_picture():
    truth = victims.cifar100(1).images
    assert image_quality.psnr(truth, truth)[0] == np.inf
    np.testing.assert_allclose(image_quality.ssim(truth, truth), [1.0], atol=1e-6)


def test_pixels_are_clamped_first():
    truth = np.ones((1, 4, 4, 1))
    assert image_quality.psnr(truth * 7, truth)[0] == np.inf


def test_psnr_against_scikit_image(pair):
    images, truth = pair
    expected = [
        oracle.peak_signal_noise_ratio(b.astype(float), a.astype(float), data_range=1)
        for a, b in zip(np.clip(images, 0, 1), truth, strict=True)
    ]
    np.testing.assert_allclose(image_quality.psnr(images, truth), expected, rtol=1e-12)


def test_ssim_against_scikit_image(pair):
    images, truth = pair
    expected = []
    for a, b in zip(np.clip(images, 0, 1), truth, strict=True):
        # truncate 3.5 makes scikit-image's window 11 pixels wide. It averages over the
        # whole picture less a border of 5, which are the windows that lie inside.
        expected.append(
            oracle.structural_similarity(
                a,
                b,
                data_range=1.0,
                channel_axis=2,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
        )
    np.testing.assert_allclose(image_quality.ssim(images, truth), expected, atol=1e-5)


def test_small_picture_is_refused_by_ssim():
    small = np.zeros((1, 10, 30, 1))
    with pytest.raises(ValueError, match=r"`images` must be at least 11x11 .* 10x30"):
        image_quality.ssim(small, small)


@pytest.mark.parametrize("metric", ["mse", "psnr", "ssim"])
def test_shapes_must_agree(metric):
    with pytest.raises(ValueError, match="`images` and `truth` must both be"):
        getattr(image_quality, metric)(np.zeros((1, 12, 12, 1)), np.zeros((1, 12, 12)))
