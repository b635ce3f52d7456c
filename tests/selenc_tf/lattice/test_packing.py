import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from selenc_tf.lattice.packing import Packing


@st.composite
def packings(draw):
    """A packing whose t is anywhere between one field and 2^62."""
    limit = draw(st.sampled_from([1, 3, 127, 2047, 32767, 2**23 - 1, 2**31 - 1]))
    summands = draw(st.integers(1, 1000))
    least = (limit * summands).bit_length() + 1
    modulus = draw(st.integers(2**least, 2**62))
    return Packing(limit, summands, modulus)


@settings(max_examples=30, deadline=None)
@given(packings(), st.data())
def test_sums_of_slots_are_sums_of_codes(packing, data):
    v = packing.values_per_slot
    count = data.draw(st.integers(1, packing.max_summands), "summands")
    seed = data.draw(st.integers(0, 2**32 - 1), "seed")
    m = packing.max_abs_code
    rng = np.random.default_rng(seed)
    # Half of the codes are extreme, so that many sums reach the ends of their fields.
    shape = (count, 3 * v)
    codes = rng.integers(-m, m, shape, endpoint=True)
    codes = np.where(rng.random(shape) < 0.5, m * np.sign(codes - 0.5), codes)
    codes = codes.astype(np.int64)
    slots = packing.pack(tf.constant(codes.reshape(-1))).numpy().reshape(count, 3)
    half = (packing.plaintext_modulus - 1) / 2
    assert np.max(np.abs(slots)) <= half
    # In Python's integers: sums of slots never leave the centred range either.
    total = slots.astype(object).sum(axis=0)
    assert max(abs(slot) for slot in total) <= half
    sums = packing.unpack(tf.constant(total.astype(np.int64)))
    np.testing.assert_array_equal(sums, codes.sum(axis=0))


@settings(max_examples=30, deadline=None)
@given(packings(), st.data())
def test_neighbours_do_not_bleed(packing, data):
    # Every field at either end, or zero, in all combinations that the search likes.
    v, k = packing.values_per_slot, packing.max_summands
    signs = data.draw(st.lists(st.sampled_from([-1, 0, 1]), min_size=v, max_size=v))
    codes = np.array(signs, np.int64) * packing.max_abs_code
    slot = packing.pack(tf.constant(codes))
    np.testing.assert_array_equal(packing.unpack(slot), codes)
    np.testing.assert_array_equal(packing.unpack(slot * k), codes * k)


def test_by_hand():
    # Sums up to 6 need 3 bits and a sign; 8 bits hold two fields.
    packing = Packing(max_abs_code=3, max_summands=2, plaintext_modulus=257)
    assert packing.field_bits == 4 and packing.values_per_slot == 2
    slots = packing.pack(tf.constant([3, -1, -3, -3], tf.int64))
    np.testing.assert_array_equal(slots, [3 - 16, -3 - 48])
    assert slots.dtype == tf.int64
    np.testing.assert_array_equal(packing.unpack(slots), [3, -1, -3, -3])
    np.testing.assert_array_equal(packing.unpack(slots * 2), [6, -2, -6, -6])


@pytest.mark.parametrize(
    ("code", "summands", "modulus", "bits", "values"),
    [
        # 32767 * 64 = 2^21 - 64 needs 21 bits.
        (32767, 64, 2**44 + 1, 22, 2),
        (32767, 64, 2**44 - 1, 22, 1),
        (127, 64, 2**42 + 1, 14, 3),
        (1, 1, 2**62, 2, 31),
        (2**31 - 1, 1, 2**32, 32, 1),
    ],
)
def test_fields(code, summands, modulus, bits, values):
    packing = Packing(code, summands, modulus)
    assert (packing.field_bits, packing.values_per_slot) == (bits, values)


def test_no_more_than_int64_holds():
    assert Packing(1, 1, 2**200).values_per_slot == 31
    with pytest.raises(ValueError, match="Quantise to 1 bits fewer"):
        Packing(2**61, 1, 2**200)


def test_too_small_a_slot():
    with pytest.raises(ValueError, match=r"at least 2\^22.*Quantise to 2 bits fewer"):
        Packing(32767, 64, 2**21 - 1)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [((0, 1, 99), "code"), ((1, 0, 99), "summands"), ((1, 1, 1), "plaintext_modulus")],
)
def test_nonsense(arguments, name):
    with pytest.raises(ValueError, match=name):
        Packing(*arguments)


def test_in_a_graph_of_unknown_length():
    packing = Packing(127, 10, 2**48 + 1)
    traces = []

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)], autograph=False)
    def there_and_back(codes):
        traces.append(1)
        slots = packing.pack(codes)
        return slots, packing.unpack(slots)

    for count in (0, 1, 7, 1000):
        codes = tf.range(count * packing.values_per_slot, dtype=tf.int64) % 255 - 127
        slots, back = there_and_back(codes)
        assert slots.shape == [count]
        np.testing.assert_array_equal(back, codes)
    assert len(traces) == 1


def test_a_length_that_is_no_multiple_is_an_error():
    packing = Packing(127, 10, 2**48 + 1)
    with pytest.raises(tf.errors.InvalidArgumentError):
        packing.pack(tf.zeros([5], tf.int64))
