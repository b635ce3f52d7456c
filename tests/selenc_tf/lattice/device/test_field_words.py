"""Packing groups of integers into words, against Python's big integers."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from selenc_tf.lattice.device import field_words

DTYPES = {32: tf.uint32, 64: tf.uint64}
WIDTHS = [(32, width) for width in (1, 2, 7, 22, 25, 27, 31, 32)]
WIDTHS += [(64, width) for width in (1, 33, 38, 53, 62, 64)]


def random_groups(bits, width, count, seed=0):
    """Python integers [bits][count], with extremes among them."""
    generator = np.random.default_rng(seed)
    drawn = generator.integers(0, 1 << 64, (bits, count), np.uint64).astype(object)
    groups = drawn % (1 << width)
    groups[:, 0], groups[:, 1] = (1 << width) - 1, 1 << (width - 1)
    return groups


def packed_by_python(groups, bits, width):
    numbers = [
        sum(int(one) << (width * place) for place, one in enumerate(column))
        for column in groups.T
    ]
    mask = (1 << bits) - 1
    return [[number >> (bits * j) & mask for number in numbers] for j in range(width)]


def tensor(groups, bits):
    return tf.constant(np.array(groups, f"uint{bits}"))


@pytest.mark.parametrize(("bits", "width"), WIDTHS)
def test_as_one_big_integer(bits, width):
    groups = random_groups(bits, width, 5)
    packed = field_words.pack(tensor(groups, bits), width)
    assert packed.dtype == DTYPES[bits]
    assert packed.numpy().tolist() == packed_by_python(groups, bits, width)
    unpacked = field_words.unpack(packed, width)
    np.testing.assert_array_equal(unpacked, groups.astype(f"uint{bits}"))


@pytest.mark.parametrize(("bits", "width"), WIDTHS)
def test_sums_of_packed_integers(bits, width):
    one = random_groups(bits, width, 9)
    for other in (random_groups(bits, width, 9, seed=1), one, one * 0):
        packed = [field_words.pack(tensor(g, bits), width) for g in (one, other)]
        found = field_words.unpack(field_words.add(*packed, width), width)
        expected = (one + other) % (1 << width)
        np.testing.assert_array_equal(found, expected.astype(f"uint{bits}"))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 32), st.integers(0, 2**32 - 1))
def test_sums_of_any_width(width, seed):
    one, other = (random_groups(32, width, 3, seed=seed + i) for i in (0, 1))
    packed = [field_words.pack(tensor(g, 32), width) for g in (one, other)]
    found = field_words.unpack(field_words.add(*packed, width), width)
    expected = (one + other) % (1 << width)
    np.testing.assert_array_equal(found, expected.astype(np.uint32))


@pytest.mark.slow
def test_compiled():
    groups = random_groups(32, 22, 8)
    fields = tensor(groups, 32)

    @tf.function(jit_compile=True, autograph=False)
    def twice(fields):
        packed = field_words.pack(fields, 22)
        return packed, field_words.unpack(field_words.add(packed, packed, 22), 22)

    packed, doubled = twice(fields)
    assert packed.numpy().tolist() == packed_by_python(groups, 32, 22)
    np.testing.assert_array_equal(doubled, (2 * groups % (1 << 22)).astype(np.uint32))


@pytest.mark.parametrize(("bits", "width"), [(32, 22), (64, 38)])
def test_along_another_axis(bits, width):
    """Groups of groups, as blocks have them: what is in front is not mixed."""
    groups = [tensor(random_groups(bits, width, 6, seed), bits) for seed in range(3)]
    fields = tf.stack(groups)
    packed = field_words.pack(fields, width, axis=1)
    doubled = field_words.add(packed, packed, width, axis=1)
    for place, group in enumerate(groups):
        alone = field_words.pack(group, width)
        np.testing.assert_array_equal(packed[place], alone)
        np.testing.assert_array_equal(
            doubled[place], field_words.add(alone, alone, width)
        )
    unpacked = field_words.unpack(packed, width, axis=1)
    np.testing.assert_array_equal(unpacked, fields)


@pytest.mark.parametrize("width", [0, 33])
def test_a_width_that_no_word_has(width):
    with pytest.raises(ValueError, match="width"):
        field_words.pack(tf.zeros([32, 1], tf.uint32), width)


def test_another_number_of_rows():
    with pytest.raises(ValueError, match=r"must have 22 rows .*got 21"):
        field_words.unpack(tf.zeros([21, 1], tf.uint32), 22)
