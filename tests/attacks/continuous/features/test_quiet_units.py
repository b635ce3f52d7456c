"""Draws of units against what the examples have on."""

import numpy as np
import pytest

from attacks.continuous.features import quiet_units

SIZE, UNITS = 8, 200


def batch(seed=0):
    """Outputs of a batch [b, u], and its examples' combinations [b, r]."""
    generator = np.random.default_rng(seed)
    through = generator.standard_normal((UNITS, SIZE))
    mixture = generator.standard_normal((SIZE, SIZE))
    # The first direction is what all examples share.
    mixture[:, 0] = 1.0
    ones = np.linalg.solve(mixture, np.ones(SIZE))
    return quiet_units.Outputs(through, ones), mixture


def draw(outputs, found=None, count=SIZE - 1, size=400, seed=1):
    found = np.zeros((0, outputs.through.shape[1])) if found is None else found
    generator = np.random.default_rng(seed)
    return quiet_units.draw(outputs, found, count, size, generator)


@pytest.mark.parametrize("count", [1, SIZE - 1, UNITS])
def test_no_unit_is_drawn_twice(count):
    drawn = draw(batch()[0], count=count)
    assert drawn.shape == (400, count)
    assert drawn.min() >= 0 and drawn.max() < UNITS
    assert all(len(set(one)) == count for one in drawn.tolist())


def test_outputs_that_say_nothing_are_drawn_evenly():
    outputs = batch()[0]._replace(through=np.zeros((UNITS, SIZE)))
    drawn = draw(outputs, size=4000)
    counts = np.bincount(drawn.ravel(), minlength=UNITS)
    expected = drawn.size / UNITS
    assert np.sum(np.square(counts - expected) / expected) < 1.5 * UNITS


def test_a_first_direction_without_ones_is_no_error():
    outputs, _ = batch()
    drawn = draw(outputs._replace(ones=np.eye(SIZE)[1]))
    assert drawn.shape == (400, SIZE - 1)


def silent(drawn, outputs, mixture):
    """In how many draws all units are off for some example that is not off at all."""
    off = (mixture @ outputs.through.T <= 0)[:, drawn]
    return np.mean(off.all(axis=-1).any(axis=0))


def test_units_that_are_off_together_are_drawn_together():
    outputs, mixture = batch()
    evenly = outputs._replace(through=np.zeros((UNITS, SIZE)))
    guided = silent(draw(outputs, size=4000), outputs, mixture)
    chance = silent(draw(evenly, size=4000), outputs, mixture)
    assert guided > 2 * chance


def test_the_last_example_is_known_when_the_others_are():
    """The rows v of the unmixing matrix have v q = 0 for all examples but their own."""
    outputs, mixture = batch()
    rows = np.linalg.inv(mixture).T
    for last in range(SIZE):
        drawn = draw(outputs, found=np.delete(rows, last, axis=0))
        off = mixture[last] @ outputs.through.T <= 0
        told = np.mean(off[drawn].all(axis=1))
        evenly = np.mean(off) ** (SIZE - 1)
        assert told > 0.5 > 5 * evenly
