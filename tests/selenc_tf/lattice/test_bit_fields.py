"""Packing integers of any width, against Python's own big integers."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from selenc_tf.lattice import bit_fields

WIDTHS = st.integers(bit_fields.MIN_WIDTH, bit_fields.MAX_WIDTH)


@st.composite
def rows_of_integers(draw):
    width = draw(WIDTHS)
    extremes = st.sampled_from([0, 1, (1 << width) - 1, 1 << (width - 1)])
    integer = st.integers(0, (1 << width) - 1) | extremes
    row = st.lists(integer, min_size=8, max_size=8)
    return width, draw(st.lists(row, min_size=1, max_size=3))


def packed_by_python(row, width):
    number = sum(value << (width * index) for index, value in enumerate(row))
    return number.to_bytes(width, "little")


@settings(max_examples=30, deadline=None)
@given(rows_of_integers())
@pytest.mark.slow
def test_as_one_big_integer(case):
    width, rows = case
    expected = b"".join(packed_by_python(row, width) for row in rows)
    columns = [tf.constant(column, tf.int64) for column in zip(*rows, strict=True)]
    packed = bit_fields.pack(columns, width)
    assert packed.numpy().tobytes() == expected
    unpacked = np.stack(bit_fields.unpack(packed), axis=-1)
    np.testing.assert_array_equal(unpacked, rows)


@pytest.mark.parametrize("width", range(bit_fields.MIN_WIDTH, bit_fields.MAX_WIDTH + 1))
def test_every_bit_of_every_width(width):
    rows = [
        [1 << bit if place == index else 0 for place in range(8)]
        for index in range(8)
        for bit in range(width)
    ]
    octets = [list(packed_by_python(row, width)) for row in rows]
    unpacked = np.stack(bit_fields.unpack(tf.constant(octets, tf.uint8)), axis=-1)
    np.testing.assert_array_equal(unpacked, rows)
    columns = [tf.constant(column, tf.int64) for column in zip(*rows, strict=True)]
    np.testing.assert_array_equal(bit_fields.pack(columns, width), octets)


@pytest.mark.parametrize("shape", [(0,), (2, 0), (2, 3)])
def test_leading_axes(shape):
    octets = np.random.default_rng(0).integers(0, 256, (*shape, 54), np.uint8)
    columns = bit_fields.unpack(tf.constant(octets))
    assert {tuple(column.shape) for column in columns} == {shape}
    np.testing.assert_array_equal(bit_fields.pack(columns, 54), octets)
