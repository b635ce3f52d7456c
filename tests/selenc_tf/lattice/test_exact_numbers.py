"""Sums of digits are the digits of sums: exact for whole numbers and float32."""

import fractions

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from selenc_tf.lattice import exact_numbers

LARGEST = [2 ** (bits - 1) - 1 for bits in (2, 4, 8, 9, 16, 28, 32)]
whole = st.integers(-(2**53), 2**53).map(float)
single = st.floats(
    width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False
)


decode = tf.function(exact_numbers.decode, autograph=False, reduce_retracing=True)


def encode(numbers, largest):
    return exact_numbers.encode(tf.constant(numbers, tf.float64), largest)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(LARGEST), st.lists(whole | single, min_size=1, max_size=8))
@example(1, [2.0**53, 1.0, -(2.0**53)])
@example(7, [2.0**-40, -(2.0**-17), 2.0**63])
@example(255, [1e20, -1e20, 1.5])
@example(255, [2.0**53, 1.0, 2.0**-60])
@example(1, [-(2.0**53), -1.0])
@example(7, [2.0**53, 3.0, -(2.0**-149)])
@example(32767, [2.0**-149, -(2.0**127), -(2.0**74)])
@example(255, [2.0**60, 2.0**60, -(2.0**-100)])
def test_a_sum_is_the_exact_one_rounded(largest, numbers):
    codes = encode(numbers, largest)
    assert codes.shape == (len(numbers), exact_numbers.num_codes(largest))
    assert np.max(np.abs(codes)) <= largest
    found = decode(tf.reduce_sum(codes, 0, keepdims=True), largest)
    exact = sum(map(fractions.Fraction, numbers))
    # Python rounds a fraction once, to nearest, ties to even.
    assert float(found[0]) == float(exact)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(LARGEST), st.lists(st.integers(0, 10**9), min_size=1))
def test_sums_of_counts_are_exact(largest, counts):
    codes = encode([float(count) for count in counts], largest)
    found = decode(tf.reduce_sum(codes, 0, keepdims=True), largest)
    assert float(found[0]) == sum(counts)


@pytest.mark.parametrize("largest", LARGEST)
def test_what_cannot_be_added_is_not_a_number(largest):
    nan, infinite = float("nan"), float("inf")
    numbers = [nan, infinite, -infinite, 2.0**128, 1.0]
    codes = encode(numbers, largest)
    found = decode(codes + encode([1.0] * 5, largest), largest).numpy()
    assert np.all(np.isnan(found[:4])) and found[4] == 2.0


def test_the_many_and_the_small():
    largest = 32767
    # The largest digits that there are, as often as is allowed.
    number = 2.0**128 - 2.0**75
    codes = exact_numbers.MAX_SUMMANDS * encode([number], largest)
    assert np.max(codes) < 2**24
    found = float(decode(codes, largest)[0])
    assert found == number * exact_numbers.MAX_SUMMANDS
    numbers = [1e-5, 3e-13, 1e-30, 0.0]
    tiny = decode(encode(numbers, largest), largest).numpy()
    np.testing.assert_array_equal(tiny, numbers)
