"""The header: its bytes are a format, so they are written down here once more."""

import struct

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from selenc_tf.lattice import header as header_lib
from selenc_tf.lattice.header import Context, Header, Seed

FIELDS = (
    int.from_bytes(b"SELENC\x00\x02", "little"),
    -(2**63),
    2**63 - 1,
    0x0123456789ABCDEF,
    4,
    -5,
    6,
    7,
    8,
    9,
    10,
    -11,
    12,
    13,
    14,
    -15,
    16,
    17,
    18,
)
INT64 = st.integers(-(2**63), 2**63 - 1)


def header(fields):
    numbers = [tf.constant(field, tf.int64) for field in fields]
    return header_lib.from_fields(numbers)


def numbers(found):
    return tuple(int(field) for field in tf.nest.flatten(found))


def test_golden_bytes():
    text = header_lib.write(header(FIELDS)).numpy()
    assert len(text) == header_lib.NUM_BYTES == 152
    assert text == struct.pack("<19q", *FIELDS)
    assert text[:16] == b"SELENC\x00\x02\x00\x00\x00\x00\x00\x00\x00\x80"
    assert text[24:32] == bytes.fromhex("efcdab8967452301")


@settings(max_examples=40, deadline=None)
@given(st.lists(INT64, min_size=19, max_size=19))
def test_round_trip(fields):
    text = header_lib.write(header(fields))
    assert numbers(header_lib.read(text)) == tuple(fields)
    assert text.numpy() == struct.pack("<19q", *fields)


def test_in_a_graph():
    @tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
    def again(text):
        return header_lib.write(header_lib.read(text))

    text = struct.pack("<19q", *FIELDS)
    assert again(text).numpy() == text


def test_short_strings_are_filled_with_zeros():
    text = struct.pack("<19q", *FIELDS)
    assert numbers(header_lib.read(tf.constant(b""))) == (0,) * 19
    for kept in (1, 7, 8, 50, 151):
        filled = text[:kept] + bytes(152 - kept)
        expected = struct.unpack("<19q", filled)
        assert numbers(header_lib.read(tf.constant(text[:kept]))) == expected


@pytest.mark.parametrize("surplus", [b"\xff", bytes(8), b"x" * 1000])
def test_what_follows_is_not_read(surplus):
    text = struct.pack("<19q", *FIELDS)
    assert numbers(header_lib.read(tf.constant(text + surplus))) == FIELDS


def test_the_documented_table_is_the_layout():
    rows = [
        line.split(" | ") for line in header_lib.__doc__.splitlines() if " | " in line
    ]
    table = [(int(offset), name) for offset, name, _ in rows[1:] if offset.isdigit()]
    names = [*Header._fields]
    names[-3:-2] = Seed._fields
    names[1:2] = Context._fields
    assert table == [(8 * index, name) for index, name in enumerate(names)]
    assert header_lib.NUM_FIELDS == len(names)
    assert header_lib.NUM_BYTES == 8 * len(names)


def test_fingerprints_are_farmhash64():
    # Published results of another implementation: FARM_FINGERPRINT in the manual of
    # BigQuery's SQL, for the strings "1footrue" and "2applefalse".
    row = [[int.from_bytes(b"1footrue", "little")]]
    found = header_lib.fingerprint(tf.constant(row, tf.int64))
    assert found.numpy().tolist() == [-1541654101129638711]
    text = tf.bitcast(tf.fingerprint([b"2applefalse"]), tf.int64)
    assert text.numpy().tolist() == [2794438866806483259]


def test_fingerprints_row_by_row():
    table = tf.constant([[1, 2, 3], [3, 2, 1], [1, 2, 3]], tf.int64)
    found = header_lib.fingerprint(table).numpy()
    assert found[0] == found[2] != found[1]
    assert header_lib.fingerprint(table[1:2]).numpy().tolist() == [found[1]]
    # Pinned: a change of this literal is a change of the format.
    assert found[0] == 1466896019045356643


@pytest.mark.parametrize("columns", [1, 2, 13])
@pytest.mark.parametrize("graph", [False, True])
def test_no_rows_have_no_fingerprints(columns, graph):
    run = (
        tf.function(header_lib.fingerprint, autograph=False)
        if graph
        else header_lib.fingerprint
    )
    found = run(tf.zeros([0, columns], tf.int64))
    assert found.shape == (0,) and found.dtype == tf.int64


@pytest.mark.parametrize(
    ("digest", "number"),
    [
        ("0000000000000000", 0),
        ("0100000000000000", 1),
        ("ffffffffffffffff", -1),
        ("0000000000000080", -(2**63)),
        ("0123456789abcdef", -0x1032547698BADCFF),
    ],
)
def test_digests_as_numbers(digest, number):
    assert header_lib.digest_number(digest) == number
    assert struct.pack("<q", number).hex() == digest
