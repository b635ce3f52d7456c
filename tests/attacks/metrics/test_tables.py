import numpy as np
import pytest

from attacks.metrics import tables
from selenc_tf.models import value_range

UNITS = value_range.value_range([0, -1, 0, 0], [80, 1, 1, 1])
TRUTH = np.array([[0.25, 0.5, 0.0, 1.0], [0.4625, 1.0, 1.0, 0.0]])
FOUND = np.array([[0.5, 0.25, 0.4, 0.6], [0.4660, 2.0, 0.5, 0.5]])


def test_errors_by_hand():
    errors = tables.absolute_error(FOUND, TRUTH, UNITS)
    # Ages 40 and 37.28 for 20 and 37; the second column clamped to 1.
    np.testing.assert_allclose(errors[:, :2], [[20, 0.5], [0.28, 0]], atol=1e-9)
    relative = tables.relative_error(FOUND, TRUTH, UNITS)
    np.testing.assert_allclose(relative[:, 0], [1.0, 0.28 / 37], rtol=1e-6)
    # A true value of zero has no relative error but none, or infinity.
    np.testing.assert_array_equal(relative[:, 1], [np.inf, 0.0])
    np.testing.assert_array_equal(tables.relative_error(TRUTH, TRUTH, UNITS), 0)


def test_whole_numbers_are_rounded():
    found = tables.integers_match(FOUND, TRUTH, UNITS, [0, 2])
    np.testing.assert_array_equal(found, [[False, True], [True, False]])


def test_categories_are_the_largest_column():
    found = tables.categories_match(FOUND, TRUTH, [(2, 4)])
    # Half and half is no answer.
    np.testing.assert_array_equal(found, [[True], [False]])
    np.testing.assert_array_equal(
        tables.categories_match(TRUTH[::-1], TRUTH, [(2, 4)]), [[False], [False]]
    )
    assert tables.categories_match(FOUND, TRUTH, []).shape == (2, 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tables.absolute_error(FOUND[0], TRUTH[0], UNITS), "must both be"),
        (lambda: tables.absolute_error(FOUND, 80 * TRUTH, UNITS), "`truth` must be in"),
        (
            lambda: tables.integers_match(FOUND, TRUTH, UNITS, [4]),
            "`columns` must be in",
        ),
        (lambda: tables.integers_match(FOUND, TRUTH, value_range.UNIT, [0]), "whole"),
        (
            lambda: tables.categories_match(FOUND, TRUTH, [(0, 5)]),
            "`groups` must be in",
        ),
        (lambda: tables.categories_match(FOUND, TRUTH, [(2, 2)]), "one-hot"),
        (
            lambda: tables.categories_match(FOUND, np.zeros((2, 4)), [(2, 4)]),
            "one-hot",
        ),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
