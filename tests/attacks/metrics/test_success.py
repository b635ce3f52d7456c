import numpy as np
import pytest

from attacks.metrics import success


def test_wilson_by_its_formula():
    """Centre (p + z^2 / 2n) / (1 + z^2 / n), Wilson 1927."""
    found = success.rate(np.array([True] * 3 + [False] * 7))
    z, n, p = 1.959963984540054, 10, 0.3
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    np.testing.assert_allclose([found.low, found.high], [centre - half, centre + half])


def test_no_success_is_not_certainty():
    found = success.rate(np.zeros(10, np.bool_))
    assert found.rate == 0 and found.low == pytest.approx(0, abs=1e-12)
    assert found.high == pytest.approx(0.2775, abs=1e-3)


def test_label_overlap_by_hand():
    assert success.label_overlap(np.array([1, 1, 2]), np.array([2, 1, 3])) == 2 / 3
    assert success.label_overlap(np.array([3, 1]), np.array([1, 3])) == 1.0


def test_best_match_may_use_a_picture_twice():
    grey = np.full((1, 4, 4, 1), 0.5)
    truth = np.concatenate([grey, grey + 0.1])
    images = np.concatenate([grey, np.zeros_like(grey)])
    found = success.best_psnr_with_replacement(images, truth)
    np.testing.assert_allclose(found, [np.inf, 20.0])


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="`successes` must be bool"):
        success.rate(np.zeros(0))
    with pytest.raises(ValueError, match="`confidence` must be in"):
        success.rate(np.ones(2), 1.5)
    with pytest.raises(ValueError, match="`found` and `truth`"):
        success.label_overlap(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="at least one reconstruction"):
        success.best_psnr_with_replacement(
            np.zeros((0, 2, 2, 1)), np.ones((1, 2, 2, 1))
        )
