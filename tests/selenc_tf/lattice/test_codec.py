import dataclasses
import functools
from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from selenc_tf.lattice import codec as codec_module
from selenc_tf.lattice.codec import FixedPointCodec

SEED = (7, 11)
DENORMAL = float(np.float32(1e-42))


def largest_float32(bound):
    """The largest float32 that is not beyond the bound."""
    rounded = np.float32(bound)
    return float(rounded if rounded <= bound else np.nextafter(rounded, np.float32(0)))


def encode(codec, values, bound, seed=SEED):
    values = tf.constant(values, tf.float32)
    return codec.encode(values, bound, None if codec.rounding == "nearest" else seed)


ALL_BITS = [
    pytest.param(
        bits, marks=[] if bits in (2, 3, 8, 16, 17, 24, 25, 32) else [pytest.mark.slow]
    )
    for bits in range(2, 33)
]
"""The narrowest and widest, what is usual, and where float32 ends to hold a code."""


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_declared_error_holds_for_sums(data):
    bits = data.draw(st.integers(2, 32), "bits")
    rounding = data.draw(st.sampled_from(["nearest", "stochastic"]), "rounding")
    bound = 10 ** data.draw(st.floats(-6, 6), "log10 of the bound")
    k = data.draw(st.integers(1, 9), "summands")
    largest = largest_float32(bound)
    value = st.one_of(
        st.floats(-largest, largest, width=32),
        st.sampled_from([largest, -largest, 0.0, -0.0, DENORMAL, -DENORMAL]),
    )
    row = st.lists(value, min_size=5, max_size=5)
    values = data.draw(st.lists(row, min_size=k, max_size=k))
    codec = FixedPointCodec(bits, rounding)

    codes = [encode(codec, row, bound, (i, bits)) for i, row in enumerate(values)]
    decoded = codec.decode(tf.add_n(codes), bound).numpy()

    # Only the float64 formula of the declared error is inexact here.
    allowed = Fraction(codec.max_abs_error(bound, k)) * (1 + Fraction(1, 10**12))
    for index in range(5):
        exact = sum(Fraction(row[index]) for row in values)
        assert abs(Fraction(float(decoded[index])) - exact) <= allowed
    for code, row in zip(codes, values, strict=True):
        assert np.max(np.abs(code)) <= 2 ** (bits - 1) - 1
        assert codec.saturated(tf.constant(row, tf.float32), bound).numpy() == 0


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
@pytest.mark.parametrize("bits", ALL_BITS)
def test_declared_error_holds_for_many_values_and_is_tight(bits, rounding):
    codec = FixedPointCodec(bits, rounding)
    bound = 0.3  # Not a float32.
    values = np.random.default_rng(bits).uniform(-bound, bound, [3, 50_000])
    values = values.astype(np.float32)
    total = tf.add_n(
        [encode(codec, row, bound, (i, bits)) for i, row in enumerate(values)]
    )
    for summands, codes, exact in [
        (1, encode(codec, values[0], bound, (0, bits)), values[0].astype(np.float64)),
        (3, total, values.sum(axis=0, dtype=np.float64)),
    ]:
        error = np.max(np.abs(codec.decode(codes, bound).numpy() - exact))
        declared = codec.max_abs_error(bound, summands)
        assert error <= declared
        # Fifty thousand values come close to the worst of one rounding; three
        # roundings are seldom at their worst together.
        if bits <= 20:
            assert error >= (0.85 if summands == 1 else 0.5) * declared


@pytest.mark.parametrize(
    ("bits", "rounding", "in_steps"),
    [
        # What float32 adds: 6 x 2^-24 x 32767 steps, and 1.01 x 2^-24 x 8388607.
        (2, "nearest", 0.5),
        (16, "nearest", 0.5117),
        (24, "nearest", 1.005),
        (2, "stochastic", 1.0),
        (16, "stochastic", 1.0117),
        (24, "stochastic", 1.505),
    ],
)
def test_declared_error_in_steps(bits, rounding, in_steps):
    codec = FixedPointCodec(bits, rounding)
    for bound in (1e-6, 1.0, 1e6):
        declared = codec.max_abs_error(bound, 5) / (5 * codec.step(bound))
        assert declared == pytest.approx(in_steps, rel=1e-4)


def test_the_error_is_not_overstated():
    # With 2 bits the codes are -1, 0, 1: half the bound is lost at worst, and is.
    codec = FixedPointCodec(2)
    code = codec.encode(tf.constant([0.499]), 1.0)
    lost = abs(codec.decode(code, 1.0).numpy()[0] - 0.499)
    assert 0.499 <= lost <= codec.max_abs_error(1.0, 1) <= 0.5001


def test_by_hand():
    codec = FixedPointCodec(8)
    assert codec.max_abs_code == 127 and codec.step(1.0) == 1 / 127
    code = codec.encode(tf.constant([0.25, -0.25, 1.0, -1.0, 0.0]), 1.0)
    assert code.dtype == tf.int64
    np.testing.assert_array_equal(code, [32, -32, 127, -127, 0])
    decoded = codec.decode(code[:1] + code[:1], 1.0)
    assert decoded.dtype == tf.float32
    np.testing.assert_allclose(decoded, [0.50394], atol=5e-6)


def test_one_bound_for_each_value():
    codec = FixedPointCodec(8)
    values = tf.constant([0.25, 0.25, -4.0, 5.0])
    bounds = tf.constant([1.0, 2.0, 4.0, 4.0])
    code = codec.encode(values, bounds)
    np.testing.assert_array_equal(code, [32, 16, -127, 127])
    assert codec.saturated(values, bounds).numpy() == 1
    np.testing.assert_allclose(
        codec.decode(code, bounds), [32 / 127, 32 / 127, -4.0, 4.0], rtol=1e-6
    )


@pytest.mark.parametrize("size", [1 << 16, (1 << 16) + 1, 150_000])
def test_saturated_values_of_a_long_vector(size):
    """Of which they are counted piece by piece; each has its own bound, or all have one."""
    values = np.random.default_rng(0).uniform(-2, 2, size).astype(np.float32)
    values[-1] = 3.0
    bounds = np.linspace(0.5, 2.5, size, dtype=np.float32)
    codec = FixedPointCodec(16)
    for bound in (np.float32(1.0), bounds):
        expected = np.count_nonzero(np.abs(values) > bound)
        assert codec.saturated(tf.constant(values), tf.constant(bound)) == expected


def test_float64_bounds_are_rounded_alike_everywhere():
    codec = FixedPointCodec(24)
    values = tf.constant([0.3, -0.1, 0.2])
    wide, narrow = tf.constant(0.3, tf.float64), tf.constant(0.3, tf.float32)
    code = codec.encode(values, wide)
    np.testing.assert_array_equal(code, codec.encode(values, narrow))
    np.testing.assert_array_equal(code, codec.encode(values, 0.3))
    np.testing.assert_array_equal(codec.decode(code, wide), codec.decode(code, narrow))


@pytest.mark.parametrize("bits", ALL_BITS)
def test_the_extremes(bits):
    codec = FixedPointCodec(bits)
    most = 2 ** (bits - 1) - 1
    assert codec.max_abs_code == most
    for bound in (2.0, 0.1, 1e-6, 1e6, codec_module.MIN_BOUND, codec_module.MAX_BOUND):
        edge = np.float32(bound)
        beyond = np.nextafter(edge, np.float32(np.inf))
        within = np.nextafter(edge, np.float32(0))
        values = tf.constant([edge, -edge, beyond, -beyond, within, 3e38, -3e38])
        code = codec.encode(values, bound).numpy()
        np.testing.assert_array_equal(code[:4], [most, -most, most, -most])
        np.testing.assert_array_equal(code[5:], [most, -most])
        # With 24 bits a step is as small as the gap between float32s below the bound.
        assert code[4] == most or bits >= 24
        assert codec.saturated(values, bound).numpy() == 4
        np.testing.assert_allclose(
            codec.decode(code[:2], bound), [edge, -edge], rtol=3e-7
        )


def test_zeros_and_denormals():
    for bits in (8, 32):
        codec = FixedPointCodec(bits)
        code = codec.encode(tf.constant([0.0, -0.0, DENORMAL, -DENORMAL]), 1e-6)
        np.testing.assert_array_equal(code, [0, 0, 0, 0])
        assert not np.any(np.signbit(codec.decode(code, 1e-6)))


def test_ties_go_to_the_even_code():
    codec = FixedPointCodec(3)  # Codes -3 to 3.
    code = codec.encode(tf.constant([0.5, 1.5, 2.5, -0.5, -1.5, -2.5]), 3.0)
    np.testing.assert_array_equal(code, [0, 2, 2, 0, -2, -2])


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(-4, 4, width=32), min_size=1, max_size=20),
    st.floats(2**-7, 4, width=32),
    st.integers(2, 32),
)
def test_saturation_is_counted_exactly(values, bound, bits):
    codec = FixedPointCodec(bits)
    vector = tf.constant(values, tf.float32)
    counted = codec.saturated(vector, bound)
    assert counted.dtype == tf.int64
    assert counted.numpy() == sum(abs(value) > bound for value in values)
    code = codec.encode(vector, bound).numpy()
    for value, found in zip(values, code, strict=True):
        if abs(value) > bound:
            assert found == np.sign(value) * codec.max_abs_code


@pytest.mark.parametrize("bits", [4, 8, 16, 17, 24, 32])
@pytest.mark.parametrize("value", [0.0101, -0.3337, 0.9990234])
def test_stochastic_rounding_is_unbiased(bits, value):
    codec = FixedPointCodec(bits, "stochastic")
    draws = 400_000
    exact = float(np.float32(value)) * codec.max_abs_code
    code = encode(codec, np.full([draws], value), 1.0, (bits, 3)).numpy()
    assert set(np.unique(code)) <= {np.floor(exact), np.floor(exact) + 1}
    # A code is one of two neighbours, so its deviation is at most half a step; the
    # second term is float32's share, which has no preferred side.
    allowed = 4 * 0.5 / np.sqrt(draws)
    if bits <= 16:
        allowed += 2 * 2.0**-24 * abs(exact)
    assert abs(np.mean(code) - exact) <= allowed


def test_nearest_rounding_is_biased_where_stochastic_is_not():
    values = np.full([100_000], 0.1)  # 0.7 of a step.
    for rounding, mean in [("nearest", 1.0), ("stochastic", 0.7)]:
        code = encode(FixedPointCodec(4, rounding), values, 1.0)
        assert np.mean(code) == pytest.approx(mean, abs=0.01)


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64])
def test_same_seed_same_codes(dtype):
    codec = FixedPointCodec(12, "stochastic")
    values = np.random.default_rng(0).uniform(-1, 1, 1000).astype(np.float32)
    first = encode(codec, values, 1.0, tf.constant([1, 2], dtype))
    again = encode(codec, values, 1.0, tf.constant([1, 2], dtype))
    other = encode(codec, values, 1.0, tf.constant([1, 3], dtype))
    np.testing.assert_array_equal(first, again)
    assert np.any(first.numpy() != other.numpy())


def test_whole_codes_are_not_rounded_by_chance():
    codec = FixedPointCodec(8, "stochastic")
    values = np.arange(-127, 128).astype(np.float32)
    for seed in range(5):
        code = encode(codec, values, 127.0, (seed, 0))
        np.testing.assert_array_equal(code, np.arange(-127, 128))


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_weighted_mean_has_the_declared_error(data):
    k = data.draw(st.integers(1, 5), "clients")
    bits = data.draw(st.integers(4, 24), "bits")
    weights = data.draw(st.lists(st.integers(1, 50), min_size=k, max_size=k), "weights")
    value = st.floats(-1, 1, width=32)
    values = data.draw(st.lists(value, min_size=k, max_size=k), "values")
    codec = FixedPointCodec(bits)
    bound = 50.0  # The largest weight times the largest value.

    weighted = [
        tf.constant([weight], tf.float32) * tf.constant([value], tf.float32)
        for weight, value in zip(weights, values, strict=True)
    ]
    codes = tf.add_n([codec.encode(product, bound) for product in weighted])
    mean = codec.decode(codes, bound).numpy()[0].astype(np.float64) / sum(weights)

    exact = np.dot(np.float64(weights), np.float64(values)) / sum(weights)
    # The product of weight and value is rounded to float32 before the codec sees it.
    allowed = codec.max_abs_error(bound, k) + k * bound * 2.0**-24
    assert abs(mean - exact) <= allowed / sum(weights) * (1 + 1e-9)


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_chunks_of_unknown_length_in_a_loop(rounding):
    codec = FixedPointCodec(16, rounding)

    def encode_chunk(chunk, bounds, seed):
        return codec.encode(chunk, bounds, seed if rounding == "stochastic" else None)

    @tf.function(
        input_signature=[tf.TensorSpec([None]), tf.TensorSpec([None])], autograph=False
    )
    def encode_in_chunks(values, bounds):
        def body(start, codes):
            chunk = values[start : start + 4]
            code = encode_chunk(chunk, bounds[start : start + 4], [start, 1])
            return start + 4, tf.concat([codes, code], axis=0)

        _, codes = tf.while_loop(
            lambda start, codes: start < tf.size(values),
            body,
            (0, tf.zeros([0], tf.int64)),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None])),
        )
        return codes

    values = tf.constant(np.linspace(-1, 1, 11), tf.float32)
    bounds = tf.constant(np.linspace(1, 2, 11), tf.float32)
    expected = [
        encode_chunk(values[start : start + 4], bounds[start : start + 4], [start, 1])
        for start in (0, 4, 8)
    ]
    np.testing.assert_array_equal(
        encode_in_chunks(values, bounds), np.concatenate(expected)
    )
    assert encode_in_chunks(values[:0], bounds[:0]).shape == (0,)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="`bound` must be positive"
    ):
        encode_in_chunks(values, bounds - 1.5)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be finite"):
        encode_in_chunks(values / 0, bounds)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("graph", [False, True])
def test_not_finite(bad, graph):
    run = of_8_bits("encode", graph)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be finite") as error:
        run(tf.constant([31337.25, bad]), tf.constant(1.0))
    assert "31337" not in str(error.value)


@functools.cache
def of_8_bits(name, graph):
    """A function of the codec, traced once for each shape of the bound."""
    call = getattr(FixedPointCodec(8), name)
    return tf.function(call, autograph=False) if graph else call


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf, 1e-40, 1e31])
@pytest.mark.parametrize("graph", [False, True])
def test_bound_must_be_positive(bad, graph):
    codec = FixedPointCodec(8)
    for name, vector in [
        ("encode", tf.constant([31337.25, 1.0])),
        ("saturated", tf.constant([31337.25, 1.0])),
        ("decode", tf.constant([31337, 1], tf.int64)),
    ]:
        for bound in (tf.constant(bad, tf.float32), tf.constant([1.0, bad])):
            run = of_8_bits(name, graph)
            with pytest.raises(
                tf.errors.InvalidArgumentError, match="`bound` must be positive"
            ) as error:
                run(vector, bound)
            assert "31337" not in str(error.value)
    with pytest.raises(ValueError, match="`bound` must be positive"):
        codec.step(bad)
    with pytest.raises(ValueError, match="`bound` must be positive"):
        codec.max_abs_error(bad, 1)


def test_bound_must_not_be_a_matrix():
    with pytest.raises(
        ValueError, match=r"`bound` must be a scalar or a vector.*\(1, 2"
    ):
        FixedPointCodec(8).encode(tf.constant([1.0, 2.0]), tf.constant([[1.0, 2.0]]))


def test_stochastic_rounding_needs_a_seed():
    codec = FixedPointCodec(8, "stochastic")
    with pytest.raises(ValueError, match="`seed` must be two integers"):
        codec.encode(tf.constant([1.0]), 1.0)


@pytest.mark.parametrize("bits", [1, 33, 0, -8])
def test_bits_out_of_range(bits):
    with pytest.raises(ValueError, match="`bits`"):
        FixedPointCodec(bits)


def test_unknown_rounding():
    with pytest.raises(ValueError, match=r"`rounding`.*nearest, stochastic; got 'up'"):
        FixedPointCodec(8, "up")


def test_summands_out_of_range():
    with pytest.raises(ValueError, match="`summands`"):
        FixedPointCodec(8).max_abs_error(1.0, 0)


def test_digest_names_the_codec():
    digests = {
        FixedPointCodec(bits, rounding).digest()
        for bits in range(2, 33)
        for rounding in codec_module.ROUNDINGS
    }
    assert len(digests) == 62
    assert all(len(bytes.fromhex(digest)) == 8 for digest in digests)
    codec = FixedPointCodec(16)
    assert codec.digest() == dataclasses.replace(codec).digest()
    # Written into messages: a change of this literal is a change of the format.
    assert codec.digest() == "c5deaf4e2572d71b"
