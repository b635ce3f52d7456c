"""The additive pad: exact sums, uniform ciphertexts, the pads of the definition."""

import functools

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from selenc_tf.lattice.device import entropy, field_words, pad
from tests.selenc_tf.lattice.device import rfc8439

KEY = tf.constant(np.arange(8) + 7, tf.uint32)
# 16 bits in 22, and a width that needs uint64.
NARROW = pad.Pad(bits=16, max_summands=64, columns=4)
WIDE = pad.Pad(bits=32, max_summands=64, columns=4)
BOTH = pytest.mark.parametrize("scheme", [NARROW, WIDE], ids=["uint32", "uint64"])


@functools.cache
def graph(function):
    """Eagerly, every operation of every round is a call of its own."""
    return tf.function(function, autograph=False, reduce_retracing=True)


def seeds(count):
    return tf.stack([graph(entropy.draw_seed)() for _ in range(count)])


def keys_of(drawn):
    return tf.stack([graph(pad.message_key)(KEY, seed) for seed in drawn])


def codes(scheme, count, seed=0):
    """int64 [count, rows, columns], with both limits among them."""
    largest = (1 << (scheme.bits - 1)) - 1
    shape = (count, scheme.rows, scheme.columns)
    drawn = np.random.default_rng(seed).integers(-largest, largest + 1, shape)
    drawn[:, 0], drawn[:, 1] = largest, -largest
    return drawn


def total_of(scheme, keys, values, chunk=0):
    number = tf.constant(chunk)
    encrypted = [
        graph(scheme.encrypt)(key, number, tf.constant(one))
        for key, one in zip(keys, values, strict=True)
    ]
    return functools.reduce(graph(scheme.add), encrypted)


@BOTH
@pytest.mark.parametrize("count", [1, 2, 64])
def test_sums_are_exact(scheme, count):
    keys, values = keys_of(seeds(count)), codes(scheme, count)
    total = total_of(scheme, keys, values, chunk=5)
    assert total.shape == [scheme.width, scheme.columns]
    opened = graph(scheme.open)(keys, tf.constant(5), total)
    np.testing.assert_array_equal(opened, values.sum(axis=0))


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(bits=st.integers(2, 32), count=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
def test_sums_of_any_width_at_the_limit_of_summands(bits, count, seed):
    scheme = pad.Pad(bits, count, columns=2)
    keys, values = keys_of(seeds(count)), codes(scheme, count, seed)
    total = total_of(scheme, keys, values)
    opened = graph(scheme.open)(keys, tf.constant(0), total)
    np.testing.assert_array_equal(opened, values.sum(axis=0))


@pytest.mark.slow
@BOTH
def test_compiled_is_the_same(scheme):
    key, values = keys_of(seeds(1)), codes(scheme, 1)
    encrypt, opener = (
        tf.function(function, jit_compile=True, autograph=False)
        for function in (scheme.encrypt, scheme.open)
    )
    chunk = tf.constant(3)
    encrypted = encrypt(key[0], chunk, tf.constant(values[0]))
    expected = scheme.encrypt(key[0], chunk, tf.constant(values[0]))
    np.testing.assert_array_equal(encrypted, expected)
    np.testing.assert_array_equal(opener(key, chunk, encrypted), values[0])


def test_pads_are_those_of_the_definition():
    seed = list(range(50, 58))
    key = KEY.numpy().tolist()
    for part in (seed[:4], seed[4:]):
        key = rfc8439.block(key, part[1:], part[0])[:8]
    message_key = pad.message_key(KEY, tf.constant(seed, tf.uint32))
    assert message_key.numpy().tolist() == key
    # A chunk of 22 x 4 words takes six blocks; word by word, not block by block.
    blocks = [rfc8439.block(key, [0x50414453, 9, 0], counter) for counter in range(6)]
    expected = np.array(blocks, np.uint32).T.ravel()[:88].reshape(22, 4)
    np.testing.assert_array_equal(NARROW.pads(message_key, 9), expected)


def test_pads_of_all_groups_at_once_are_the_same():
    """As on a GPU: a chunk of 4096 columns is two groups of the key stream."""
    pads = [
        graph(pad.Pad(16, 64, 4096, together).pads)(KEY, tf.constant(1))
        for together in (1, 1 << 20)
    ]
    np.testing.assert_array_equal(*pads)


def test_a_short_chunk_is_a_full_one_without_its_last_columns():
    (key,), values = keys_of(seeds(1)), codes(NARROW, 1)[0]
    full = NARROW.encrypt(key, 0, tf.constant(values))
    values[:, 2:] = 0
    short = NARROW.encrypt(key, 0, tf.constant(values))
    np.testing.assert_array_equal(full[:, :2], short[:, :2])
    np.testing.assert_array_equal(
        NARROW.add(full, full)[:, :2], NARROW.add(short[:, :2], short[:, :2])
    )


class TestSecrecy:
    SCHEME = pad.Pad(bits=16, max_summands=64, columns=2048)
    # Each alone raises a false alarm with a probability of 1e-7.
    CRITICAL = scipy.stats.chi2.isf(1e-7, 255)

    def encrypted(self, value):
        (key,) = keys_of(seeds(1))
        shape = [self.SCHEME.rows, self.SCHEME.columns]
        return self.SCHEME.encrypt(key, 0, tf.fill(shape, value)).numpy()

    @pytest.mark.parametrize("value", [0, 32767, -32767])
    def test_bytes_are_uniform_whatever_the_values(self, value):
        octets = self.encrypted(value).view(np.uint8).ravel()
        counts = np.bincount(octets, minlength=256)
        assert scipy.stats.chisquare(counts).statistic < self.CRITICAL

    def test_a_slight_bias_would_be_noticed(self):
        octets = self.encrypted(0).view(np.uint8).ravel().copy()
        octets[: len(octets) // 50] = 0
        counts = np.bincount(octets, minlength=256)
        assert scipy.stats.chisquare(counts).statistic > self.CRITICAL

    def test_another_seed_key_or_chunk_has_other_pads(self):
        one, other = seeds(2)
        keys = [pad.message_key(KEY, one), pad.message_key(KEY, other)]
        keys.append(pad.message_key(KEY + 1, one))
        found = [self.SCHEME.pads(key, chunk) for key in keys for chunk in (0, 1)]
        words = np.stack([one.numpy().ravel() for one in found])
        for place, row in enumerate(words):
            # Of 65536 pairs of random words, one in 65536 is alike by chance.
            assert ((words[place + 1 :] == row).sum(axis=1) < 4).all()

    def test_a_wrong_key_opens_to_noise(self):
        keys, values = keys_of(seeds(2)), codes(NARROW, 1)
        total = total_of(NARROW, keys[:1], values)
        assert (NARROW.open(keys[1:], 0, total).numpy() != values[0]).mean() > 0.9


@pytest.mark.parametrize(
    ("bits", "summands", "width"),
    [(16, 64, 22), (16, 65, 23), (16, 1, 16), (8, 10, 12), (2, 1, 2), (32, 2**30, 62)],
)
def test_the_width_is_the_floor(bits, summands, width):
    scheme = pad.Pad(bits, summands)
    assert scheme.width == width == np.ceil(np.log2(summands * 2**bits))
    assert scheme.bytes_per_value == width / 8


def test_sums_that_are_too_wide_are_refused():
    with pytest.raises(ValueError, match="need 63 bits for a sum"):
        pad.Pad(32, 2**31)


@pytest.mark.parametrize(
    "arguments", [{"bits": 1}, {"max_summands": 0}, {"columns": 3}]
)
def test_numbers_out_of_range(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        pad.Pad(**{"bits": 16, "max_summands": 2, **arguments})


def test_the_packing_is_that_of_words():
    (key,), values = keys_of(seeds(1)), codes(NARROW, 1)[0]
    encrypted = NARROW.encrypt(key, 0, tf.constant(values))
    padded, pads = (
        field_words.unpack(one, 22) for one in (encrypted, NARROW.pads(key, 0))
    )
    difference = padded - pads - tf.cast(tf.constant(values), tf.uint32)
    assert not np.any(difference.numpy() % (1 << 22))
