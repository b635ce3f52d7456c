"""The prior by frequency: against a sample of it, and in its limits."""

import numpy as np
import pytest
from scipy import fft

from selenc_tf.distance import dct_prior, prior

SHAPE = (6, 5, 3)


def covariance_of(known):
    root = prior.apply_root(known, np.eye(known.unknowns))
    return root @ root.T


def sampled(known, count):
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(known.unknowns, count))
    values = known.mean[:, np.newaxis] + prior.apply_root(known, latent)
    return values.T.reshape(count, *known.shape[1:])


def test_many_samples_give_their_own_covariance_back():
    truth = dct_prior.photographs(SHAPE)
    found = dct_prior.dct(sampled(truth, 20_000))
    expected = covariance_of(truth)
    error = np.linalg.norm(covariance_of(found) - expected) / np.linalg.norm(expected)
    assert error < 0.05
    np.testing.assert_allclose(found.mean, truth.mean, atol=0.01)


def test_few_samples_do():
    """Where a sample covariance would have rank 8 of 90."""
    truth = dct_prior.photographs(SHAPE)
    found = dct_prior.dct(sampled(truth, 8))
    inverse = np.linalg.inv(np.linalg.cholesky(covariance_of(truth)))
    ratio = np.linalg.eigvalsh(inverse @ covariance_of(found) @ inverse.T)
    assert 0.02 < ratio.min() and ratio.max() < 10


def test_photographs_are_as_stated():
    known = dct_prior.photographs((8, 8, 3), batch_size=2)
    covariance = covariance_of(known)
    assert known.unknowns == 2 * 8 * 8 * 3 and np.all(known.mean == 0.5)
    assert np.mean(np.diag(covariance)) == pytest.approx(0.25**2)
    assert known.variance == pytest.approx(0.25**2)
    # Pictures of a batch are independent, neighbours and colours are alike.
    assert np.all(covariance[:192, 192:] == 0)
    picture = covariance[:192, :192].reshape(64, 3, 64, 3)
    assert picture[27, 0, 28, 0] > 0.5 * picture[27, 0, 27, 0]
    assert picture[27, 0, 27, 1] > 0.6 * picture[27, 0, 27, 0]


def test_transposed_root():
    known = dct_prior.photographs(SHAPE)
    root = prior.apply_root(known, np.eye(known.unknowns))
    transposed = prior.apply_root(known, np.eye(known.unknowns), transpose=True)
    np.testing.assert_allclose(transposed, root.T, atol=1e-15)


def test_a_mean_picture_that_all_agree_on_is_kept():
    rng = np.random.default_rng(1)
    picture = np.zeros((6, 6, 1))
    picture[2:4, 2:4] = 0.8
    images = picture + 0.01 * rng.normal(size=(50, 6, 6, 1))
    found = dct_prior.dct(images)
    np.testing.assert_allclose(found.mean, picture.ravel(), atol=0.02)
    assert found.variance == pytest.approx(1e-4, rel=0.5)


def test_one_picture_leaves_its_channels_means():
    image = np.random.default_rng(2).uniform(size=(1, 4, 4, 1))
    found = dct_prior.dct(image)
    np.testing.assert_allclose(found.mean, image.mean())
    assert np.all(found.amplitudes > 0)


def test_power_that_rises_with_frequency_is_taken_for_white():
    signs = fft.idctn(np.eye(16)[15].reshape(4, 4), norm="ortho")
    images = 0.5 + 0.1 * np.stack([signs, -signs])[..., np.newaxis]
    assert np.ptp(np.delete(dct_prior.dct(images).amplitudes.ravel(), 15)) < 1e-9


def test_no_pictures_and_no_variance_are_refused():
    with pytest.raises(ValueError, match="must be pictures"):
        dct_prior.dct(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="variance"):
        dct_prior.dct(np.full((2, 4, 4, 1), 0.3))
