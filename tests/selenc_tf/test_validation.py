import math

import numpy as np
import pytest

from selenc_tf import validation


@pytest.mark.parametrize(
    ("check", "good", "bad", "words"),
    [
        (lambda v: validation.check_in("x", v, ("a", "b")), "a", "c", "one of: a, b"),
        (lambda v: validation.check_fraction("x", v), 0.0, 1.5, "[0, 1]"),
        (lambda v: validation.check_fraction("x", v), 1.0, math.nan, "[0, 1]"),
        (lambda v: validation.check_at_least("x", v, 2), 2, 1.9, "at least 2"),
        (lambda v: validation.check_at_least("x", v, 2), 3, math.inf, "at least 2"),
        (lambda v: validation.check_positive("x", v), 1e-9, 0.0, "positive"),
        (lambda v: validation.check_positive("x", v), 5, math.nan, "positive"),
    ],
)
def test_checks(check, good, bad, words):
    assert check(good) == good
    with pytest.raises(ValueError) as error:
        check(bad)
    assert "`x`" in str(error.value) and words in str(error.value)
    assert repr(bad) in str(error.value)


def test_a_number_of_numpy_is_shown_as_a_number():
    with pytest.raises(ValueError, match=r"got 0\.0\.$"):
        validation.check_positive("x", np.float64(0.0))
