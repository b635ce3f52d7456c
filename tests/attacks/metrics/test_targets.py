import numpy as np
import pytest

from attacks.metrics import targets


def test_how_far_off_is_a_share_of_the_spread():
    known = np.array([[1.0, 100.0], [3.0, 100.0]])
    np.testing.assert_allclose(targets.tolerance(known), [0.05, 0.0])
    # The same in thousands.
    np.testing.assert_allclose(targets.tolerance(known * 1e3), [50.0, 0.0])


def test_a_target_is_right_if_all_its_numbers_are():
    true = np.array([[1.0, 100.0], [3.0, 100.0]], np.float32)
    found = np.array([[1.04, 100.00001], [3.06, 100.0]], np.float32)
    within = targets.tolerance(true)
    np.testing.assert_array_equal(targets.right(found, true, within), [True, False])


def test_what_one_guess_for_all_has():
    generator = np.random.default_rng(0)
    spread = generator.uniform(0, 0.04, (400, 1))
    # To within 0.05 every guess would be right; here 2 x 0.05 / 12^.5 of them are.
    share = targets.share_by_guess(spread, targets.tolerance(spread))
    assert 0.029 <= share < 0.08
    # Most claims are nothing: neither the mean nor a spread helps there.
    claims = np.concatenate([np.zeros((60, 1)), generator.uniform(1, 9, (40, 1))])
    assert targets.share_by_guess(claims, targets.tolerance(claims)) == 0.6
    rare = np.concatenate([np.full((45, 1), 7.0), generator.normal(0, 2, (55, 1))])
    found = targets.share_by_guess(rare, targets.tolerance(rare))
    assert found == pytest.approx(0.45, abs=0.03)
    assert targets.share_by_guess(np.ones((3, 2)), np.zeros(2)) == 1.0
