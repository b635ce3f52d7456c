import math

import numpy as np
import pytest

from attacks.metrics import success


def at_least(hits, trials, share):
    """The probability of so many hits or more."""
    return sum(
        math.comb(trials, k) * share**k * (1 - share) ** (trials - k)
        for k in range(hits, trials + 1)
    )


def test_the_ends_are_where_what_was_seen_becomes_unlikely():
    """Clopper and Pearson: 2.5 % for as many or more, and for as many or fewer."""
    found = success.rate(np.array([True] * 3 + [False] * 7))
    assert at_least(3, 10, found.low) == pytest.approx(0.025)
    assert 1 - at_least(4, 10, found.high) == pytest.approx(0.025)


def test_no_success_is_not_certainty():
    found = success.rate(np.zeros(10, np.bool_))
    assert found.rate == 0 and found.low == 0
    assert (1 - found.high) ** 10 == pytest.approx(0.025)


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
