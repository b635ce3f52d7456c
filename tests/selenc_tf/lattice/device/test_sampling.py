"""Samplers against Python's integers, and their distributions."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from selenc_tf.lattice.device import chacha20, primes, residues, sampling

RINGS = {
    "N=2048": residues.Moduli(primes.ntt_primes(11, 27, 2)),
    "N=4096": residues.Moduli(primes.ntt_primes(12, 25, 4)),
}
each = pytest.mark.parametrize("moduli", RINGS.values(), ids=RINGS)
# A false alarm has a probability of 1e-7.
CRITICAL = 1e-7
KEY = tf.cast(tf.range(8), tf.uint32)


def stream(count, length, nonce=0):
    """uint32 [count, length]."""
    words = chacha20.keystream(
        KEY, tf.fill([3], tf.constant(nonce, tf.uint32)), 0, count * length
    )
    return tf.reshape(words, [count, length])


@each
def test_uniform_numbers_are_those_of_the_words(moduli):
    length = sampling.uniform_words(moduli)
    words = stream(length, 50).numpy()
    words[:, 0], words[:, 1] = 2**32 - 1, 0
    found = sampling.uniform(moduli, tf.constant(words)).numpy()
    numbers = sum(words[i].astype(object) << (32 * i) for i in range(length))
    for row, prime in zip(found, moduli.primes, strict=True):
        assert row.tolist() == (numbers % prime).tolist()


@each
def test_the_bias_is_below_2_to_the_minus_64(moduli):
    """A residue has floor or ceiling of 2^(32 l) / q numbers."""
    numbers = 1 << (32 * sampling.uniform_words(moduli))
    assert math.prod(moduli.primes) << 64 <= numbers


@each
def test_uniform_in_every_residue_and_between_them(moduli):
    words = stream(sampling.uniform_words(moduli), 1 << 17)
    found = sampling.uniform(moduli, words).numpy()
    parts = found.astype(np.int64) * 16 // np.array(moduli.primes)[:, None]
    for one, other in itertools.pairwise(parts):
        counts = np.bincount(one * 16 + other, minlength=256)
        assert scipy.stats.chisquare(counts).pvalue > CRITICAL
    shifted = np.bincount(parts[0][1:] * 16 + parts[0][:-1], minlength=256)
    assert scipy.stats.chisquare(shifted).pvalue > CRITICAL


def test_a_slight_bias_would_be_noticed():
    drawn = np.random.default_rng(0).integers(0, 256, 1 << 17)
    drawn[: drawn.size // 100] = 0
    counts = np.bincount(drawn, minlength=256)
    assert scipy.stats.chisquare(counts).pvalue < CRITICAL


@pytest.mark.parametrize("variance", [1, 8, 11, 16, 22, 40])
def test_binomial_numbers_are_those_of_the_bits(variance):
    length = sampling.binomial_words(variance)
    assert 32 * (length - 1) < 4 * variance <= 32 * length
    words = stream(length, 64).numpy()
    words[:, 0], words[:, 1] = 2**32 - 1, 0
    found = sampling.binomial(variance, tf.constant(words)).numpy()
    for column, value in zip(words.T, found, strict=True):
        bits = sum(int(word) << (32 * i) for i, word in enumerate(column))
        ups = bits & ((1 << 2 * variance) - 1)
        downs = bits >> (2 * variance) & ((1 << 2 * variance) - 1)
        assert value == ups.bit_count() - downs.bit_count() + 2 * variance


@pytest.mark.parametrize("variance", [11, 22])
def test_binomial_numbers_have_their_law(variance):
    words = stream(sampling.binomial_words(variance), 1 << 18, nonce=variance)
    found = sampling.binomial(variance, words).numpy().astype(np.int64)
    law = scipy.stats.binom(4 * variance, 0.5)
    counts = np.bincount(found, minlength=4 * variance + 1)
    expected = law.pmf(np.arange(4 * variance + 1)) * found.size
    many = expected >= 10
    observed = [*counts[many], counts[~many].sum()]
    likely = [*expected[many], expected[~many].sum()]
    assert scipy.stats.chisquare(observed, likely).pvalue > CRITICAL
    # The variance of a variance of n numbers is nearly 2 v^2 / n.
    assert abs(found.var() / variance - 1) < 5.4 * np.sqrt(2 / found.size)
    centred = found - 2 * variance
    neighbours = (centred[1:] * centred[:-1]).mean() / variance
    assert abs(neighbours) < 5.4 / np.sqrt(found.size)


def test_bits_beyond_are_not_looked_at():
    words = stream(2, 16).numpy()
    found = sampling.binomial(11, tf.constant(words)).numpy()
    words[1] ^= (2**32 - 1) << 12 & (2**32 - 1)
    np.testing.assert_array_equal(sampling.binomial(11, tf.constant(words)), found)
