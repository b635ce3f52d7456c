from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from selenc_tf.lattice.codec import FixedPointCodec


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_declared_error_holds_for_sums(data):
    bits = data.draw(st.integers(2, 32), "bits")
    bound = data.draw(st.sampled_from([1e-4, 0.37, 1.0, 3.0, 1e3]), "bound")
    k = data.draw(st.integers(1, 6), "summands")
    largest = float(np.nextafter(np.float32(bound), np.float32(0)))
    values = data.draw(
        st.lists(
            st.lists(st.floats(-largest, largest, width=32), min_size=5, max_size=5),
            min_size=k,
            max_size=k,
        )
    )
    codec = FixedPointCodec(bound, bits)
    codes = [codec.encode(tf.constant(row, tf.float32)) for row in values]
    decoded = codec.decode(tf.add_n(codes)).numpy()
    allowed = Fraction(codec.max_abs_error(k)) * (1 + Fraction(1, 10**9))
    for index in range(5):
        exact = sum(Fraction(row[index]) for row in values)
        assert abs(Fraction(float(decoded[index])) - exact) <= allowed
    for code in codes:
        assert np.max(np.abs(code)) <= 2 ** (bits - 1) - 1


def test_the_error_is_not_overstated():
    # With 2 bits the codes are -1, 0, 1: half the bound is lost at worst, and is.
    codec = FixedPointCodec(1.0, 2)
    lost = abs(codec.decode(codec.encode(tf.constant([0.499]))).numpy()[0] - 0.499)
    assert 0.499 <= lost <= codec.max_abs_error(1) <= 0.5001


def test_by_hand():
    codec = FixedPointCodec(1.0, 8)
    assert codec.max_abs_code == 127 and codec.step == 1 / 127
    code = codec.encode(tf.constant([0.25, -0.25, 1.0, -1.0, 0.0]))
    assert code.dtype == tf.int64
    np.testing.assert_array_equal(code, [32, -32, 127, -127, 0])
    np.testing.assert_allclose(codec.decode(code[:1] + code[:1]), [0.50394], atol=5e-6)


def test_the_extremes_of_32_bits():
    codec = FixedPointCodec(2.0, 32)
    code = codec.encode(tf.constant([2.0, -2.0]))
    np.testing.assert_array_equal(code, [2147483647, -2147483647])
    np.testing.assert_array_equal(codec.decode(code), [2.0, -2.0])


def test_saturation():
    codec = FixedPointCodec(1.0, 8)
    values = tf.constant([3.0, -1e30, 1.0, -1.0, 0.5])
    np.testing.assert_array_equal(codec.encode(values)[:2], [127, -127])
    assert codec.saturated(values).numpy() == 2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite(bad):
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be finite") as error:
        FixedPointCodec(1.0, 8).encode(tf.constant([31337.25, bad]))
    assert "31337" not in str(error.value)


@pytest.mark.parametrize("bound", [0.0, -1.0, float("nan"), float("inf")])
def test_bound_must_be_positive(bound):
    with pytest.raises(ValueError, match="`bound`"):
        FixedPointCodec(bound, 8)


@pytest.mark.parametrize("bits", [1, 33, 0, -8])
def test_bits_out_of_range(bits):
    with pytest.raises(ValueError, match="`bits`"):
        FixedPointCodec(1.0, bits)
