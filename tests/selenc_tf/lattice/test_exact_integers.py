"""Sums of digits are sums of integers modulo 2^64."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from selenc_tf.lattice import exact_integers

LARGEST = [2 ** (bits - 1) - 1 for bits in (2, 4, 8, 9, 16, 32)]


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(LARGEST),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=8),
)
@example(1, [2**63 - 1, 1])
@example(255, [-(2**63), -5, 7])
def test_a_sum_is_that_of_64_bits(largest, numbers):
    codes = exact_integers.encode(tf.constant(numbers, tf.int64), largest)
    assert codes.shape == (len(numbers), exact_integers.num_codes(largest))
    assert np.min(codes) >= 0 and np.max(codes) <= largest
    found = exact_integers.decode(tf.reduce_sum(codes, 0, keepdims=True), largest)
    assert int(found[0]) % 2**64 == sum(numbers) % 2**64


@pytest.mark.parametrize("largest", LARGEST)
def test_as_often_as_is_allowed(largest):
    codes = 65_536 * exact_integers.encode(tf.constant([2**40 - 1], tf.int64), largest)
    assert int(exact_integers.decode(codes, largest)[0]) == 65_536 * (2**40 - 1)
