"""Vectors of any length as chunks, through both ciphers and back."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from selenc_tf.lattice.device import pad, parameters, rlwe
from selenc_tf.lattice.device.layout import Layout

LAYOUT = Layout(rows=4, columns=6, word_rows=3)
KEY = tf.cast(tf.range(8), tf.uint32)
PAD = pad.Pad(16, 64, columns=64)
RLWE = rlwe.Rlwe(
    parameters.RlweParameters(11, (134176769, 134111233), 16, 16, columns=1)
)


def sent_by_pad(chunk, values):
    return PAD.encrypt(KEY, chunk, values)


def opened_by_pad(chunk, words):
    return PAD.open(KEY[tf.newaxis], chunk, words)


def secret():
    return RLWE.secret_values(RLWE.secret_coefficients(KEY))


def sent_by_rlwe(chunk, values):
    chosen = RLWE.parameters
    codes = tf.reshape(values, [chosen.fields, chosen.degree, chosen.columns])
    public = RLWE.public(KEY + 1, chunk)
    packed = RLWE.pack(RLWE.encrypt(secret(), public, KEY + 2, chunk, codes))
    return tf.reshape(packed, [-1, packed.shape[-1]])


def opened_by_rlwe(chunk, words):
    chosen = RLWE.parameters
    packed = tf.reshape(words, [chosen.prime_bits, len(chosen.primes), -1])
    packed = tf.ensure_shape(packed, [None, None, chosen.coefficients // 32])
    codes = RLWE.open(secret(), RLWE.public(KEY + 1, chunk), RLWE.unpack(packed))
    return tf.reshape(codes, [-1, packed.shape[-1]])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100))
def test_forth_and_back(num_values):
    values = tf.range(1, num_values + 1)
    found = []
    for chunk in range(LAYOUT.num_chunks(num_values)):
        taken = LAYOUT.take(values, chunk)
        assert taken.shape == [4, 6]
        used = int(LAYOUT.columns_of(num_values, chunk))
        assert not taken.numpy()[:, used:].any()
        found.append(LAYOUT.put_together(taken, num_values, chunk).numpy())
    assert np.concatenate([[], *found]).tolist() == values.numpy().tolist()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100))
def test_words_that_are_sent(num_values):
    sent = 0
    for chunk in range(LAYOUT.num_chunks(num_values)):
        used = LAYOUT.columns_of(num_values, chunk)
        words = tf.reshape(tf.range(1, 19), [3, 6])
        part = LAYOUT.cut(words, used)
        sent += part.shape[0]
        again = LAYOUT.uncut(part, used).numpy()
        np.testing.assert_array_equal(again[:, :used], words[:, :used])
        assert not again[:, int(used) :].any()
    assert sent == LAYOUT.num_words(num_values)
    # Never more than a column above what values need.
    assert 0 <= sent * 4 - num_values * 3 < 3 * 4


WAYS = {
    "pad": (PAD.layout, sent_by_pad, opened_by_pad),
    "rlwe": (RLWE.layout, sent_by_rlwe, opened_by_rlwe),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "num_values", [4097, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 1000))]
)
def test_a_vector_through_a_cipher(way, num_values):
    layout, encrypt, decrypt = WAYS[way]
    drawn = np.random.default_rng(0).integers(-32767, 32768, num_values)

    @tf.function(input_signature=[tf.TensorSpec([num_values], tf.int64)])
    def there_and_back(values):
        sent, opened = [], []
        for chunk in range(layout.num_chunks(num_values)):
            used = layout.columns_of(num_values, chunk)
            words = layout.cut(encrypt(chunk, layout.take(values, chunk)), used)
            codes = decrypt(chunk, layout.uncut(words, used))
            sent.append(words)
            opened.append(layout.put_together(codes, num_values, chunk))
        return tf.concat(sent, 0), tf.concat(opened, 0)

    words, found = there_and_back(tf.constant(drawn))
    assert words.shape[0] == layout.num_words(num_values)
    np.testing.assert_array_equal(found, drawn)
