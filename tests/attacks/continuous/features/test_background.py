"""The scale of inputs by those that a picture's background makes."""

import numpy as np
import pytest

from attacks.continuous.features import background

F = 40


def inputs_of(count, factor, seed=0):
    """Inputs of which `count` are those of an example of zeros, divided by a factor."""
    rng = np.random.default_rng(seed)
    flat = rng.normal(size=(2, F))
    rows = rng.normal(size=F)
    rows[:count] = flat[0, :count] * (1 + 1e-7 * rng.normal(size=count))
    return rows / factor, flat


@pytest.mark.parametrize("factor", [3.0, -2e-4])
def test_the_background_says_the_scale(factor):
    rows, flat = inputs_of(12, factor)
    found = background.scale(rows, np.ones(F, np.bool_), flat)
    assert found == pytest.approx(factor, rel=1e-6)


def test_of_white_too():
    rows, flat = inputs_of(12, 3.0)
    found = background.scale(rows, np.ones(F, np.bool_), flat[::-1])
    assert found == pytest.approx(3.0, rel=1e-6)


def test_few_that_agree_say_nothing():
    rows, flat = inputs_of(7, 3.0)
    assert background.scale(rows, np.ones(F, np.bool_), flat) is None


def test_what_is_not_known_does_not_count():
    rows, flat = inputs_of(12, 3.0)
    assert background.scale(rows, np.arange(F) >= 5, flat) is None


def test_inputs_of_zero_have_no_ratio():
    rows = np.zeros(F)
    assert background.scale(rows, np.ones(F, np.bool_), np.zeros((2, F))) is None


def test_pixels_of_one_grey_say_nothing():
    """A layer on the picture itself: any grey may be white at some scale."""
    rows = np.random.default_rng(0).uniform(0.1, 0.9, F)
    rows[:20] = 0.4
    flat = np.stack([np.zeros(F), np.ones(F)])
    assert background.scale(rows, np.ones(F, np.bool_), flat) is None
