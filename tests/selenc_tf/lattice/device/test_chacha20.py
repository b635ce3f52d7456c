"""ChaCha20 against the vectors of RFC 8439 and an implementation in Python's integers."""

import struct

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from selenc_tf.lattice.device import chacha20
from tests.selenc_tf.lattice.device import rfc8439

COUNTED_KEY = bytes(range(32))
# Section 2.3.2, 2.4.2, and the first two of appendix A.1.
VECTORS = (
    (
        COUNTED_KEY, "000000090000004a00000000", 1,
        "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
        "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e",
    ),
    (
        COUNTED_KEY, "000000000000004a00000000", 1,
        "224f51f3401bd9e12fde276fb8631ded8c131f823d2c06e27e4fcaec9ef3cf78"
        "8a3b0aa372600a92b57974cded2b9334794cba40c63e34cdea212c4cf07d41b7"
        "69a6749f3f630f4122cafe28ec4dc47e26d4346d70b98c73f3e9c53ac40c5945",
    ),
    (
        bytes(32), "00" * 12, 0,
        "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
        "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
        "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
        "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f",
    ),
)  # fmt: skip
WORD = st.integers(0, 2**32 - 1)


def as_words(octets):
    return tf.constant(np.frombuffer(octets, "<u4"), tf.uint32)


def bytes_of(words):
    return np.asarray(words).astype("<u4").tobytes()


def test_quarter_round():
    given_words = (0x11111111, 0x01020304, 0x9B8D6F43, 0x01234567)
    expected = [0xEA2A92F4, 0xCB1CF8CE, 0x4581472E, 0x5881C4BB]
    found = chacha20.quarter_round(*(tf.constant([w], tf.uint32) for w in given_words))
    assert [int(one[0]) for one in found] == expected


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "xla"])
@pytest.mark.parametrize("vector", VECTORS, ids=["2.3.2", "2.4.2", "A.1"])
def test_vectors_of_the_rfc(vector, compiled):
    key, nonce, counter, expected = vector
    stream = tf.function(
        chacha20.keystream, jit_compile=compiled, autograph=False, reduce_retracing=True
    )
    found = (stream if compiled else chacha20.keystream)(
        as_words(key), as_words(bytes.fromhex(nonce)), counter, len(expected) // 8
    )
    assert bytes_of(found).hex() == expected


def test_the_oracle_has_the_vectors_too():
    for key, nonce, counter, expected in VECTORS:
        words = struct.unpack("<8I", key), struct.unpack("<3I", bytes.fromhex(nonce))
        found = rfc8439.stream(*words, counter, len(expected) // 8)
        assert bytes_of(np.array(found, np.uint32)).hex() == expected


def test_blocks_of_a_key_and_a_nonce_each():
    rng = np.random.default_rng(0)
    keys, nonces, counters = (
        rng.integers(0, 1 << 32, shape) for shape in ([8, 3], [3, 3], [3])
    )
    found = chacha20.blocks(
        *(tf.constant(one, tf.uint32) for one in (keys, nonces, counters))
    )
    for place in range(3):
        expected = rfc8439.block(
            keys[:, place].tolist(), nonces[:, place].tolist(), int(counters[place])
        )
        assert found[:, place].numpy().tolist() == expected


def test_derived_together():
    inputs = np.random.default_rng(1).integers(0, 1 << 32, [8, 3])
    key = list(range(8))
    found = chacha20.derive_all(
        tf.constant(key, tf.uint32), tf.constant(inputs, tf.uint32)
    )
    for column in range(3):
        words, now = inputs[:, column].tolist(), key
        for part in (words[:4], words[4:]):
            now = rfc8439.block(now, part[1:], part[0])[:8]
        assert found[:, column].numpy().tolist() == now


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(
    key=st.lists(WORD, min_size=8, max_size=8),
    nonce=st.lists(WORD, min_size=3, max_size=3),
    counter=st.integers(0, 2**32 - 4),
    num_words=st.integers(1, 48),
)
def test_as_in_python(key, nonce, counter, num_words):
    found = chacha20.keystream(
        tf.constant(key, tf.uint32), tf.constant(nonce, tf.uint32), counter, num_words
    )
    assert found.numpy().tolist() == rfc8439.stream(key, nonce, counter, num_words)


@pytest.mark.slow
@pytest.mark.parametrize("together", [1, 2, 5])
@pytest.mark.parametrize("num_words", [1, 64, 7 * 4, 3 * 4 * 16, 3 * 4 * 16 - 5])
def test_words_are_the_stream_group_by_group(num_words, together, monkeypatch):
    monkeypatch.setattr(chacha20, "GROUP_BLOCKS", 4)
    key, nonce = as_words(COUNTED_KEY), tf.constant([1, 2, 3], tf.uint32)
    found = chacha20.words(key, nonce, 5, num_words, together)
    size = min(4, -(-num_words // 16))
    stream = chacha20.keystream(key, nonce, 5, 16 * 16).numpy()
    groups = stream[: 16 // size * size * 16].reshape(-1, size, 16)
    expected = groups.transpose(0, 2, 1).ravel()[:num_words]
    np.testing.assert_array_equal(found, expected)


def test_words_of_a_whole_chunk():
    key, nonce = as_words(COUNTED_KEY), tf.constant([1, 2, 3], tf.uint32)
    found = chacha20.words(key, nonce, 0, 2 * 4096 * 16).numpy()
    groups = found.reshape(2, 16, 4096)
    for group, place in ((0, 0), (0, 4095), (1, 0), (1, 17)):
        expected = rfc8439.block(
            struct.unpack("<8I", COUNTED_KEY), [1, 2, 3], group * 4096 + place
        )
        assert groups[group, :, place].tolist() == expected


def test_blocks_with_their_own_numbers():
    key, nonce = as_words(COUNTED_KEY), tf.constant([1, 2, 3], tf.uint32)
    counters = [2**32 - 1, 0, 77]
    found = chacha20.blocks(key, nonce, tf.constant(counters, tf.uint32)).numpy()
    expected = [
        rfc8439.block(struct.unpack("<8I", COUNTED_KEY), [1, 2, 3], one)
        for one in counters
    ]
    np.testing.assert_array_equal(found.T, np.array(expected, np.uint32))


def test_derived_keys_walk_down_the_tree():
    inputs = list(range(100, 108))
    first = rfc8439.block(range(8), inputs[1:4], inputs[0])[:8]
    second = rfc8439.block(first, inputs[5:], inputs[4])[:8]
    found = chacha20.derive(
        tf.cast(tf.range(8), tf.uint32), tf.constant(inputs, tf.uint32)
    )
    assert found.numpy().tolist() == second


@pytest.mark.slow
def test_every_word_of_the_input_matters():
    key = tf.cast(tf.range(8), tf.uint32)
    inputs = np.arange(8, dtype=np.uint32)
    found = {bytes_of(chacha20.derive(key, tf.constant(inputs)))}
    for place in range(8):
        other = inputs.copy()
        other[place] ^= 1 << 31
        found.add(bytes_of(chacha20.derive(key, tf.constant(other))))
    assert len(found) == 9
