"""Modular arithmetic against Python's integers, at the limits too."""

import numpy as np
import pytest
import sympy
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from selenc_tf.lattice.device import primes, residues

PRIMES = (*primes.ntt_primes(12, 27, 2), *primes.ntt_primes(11, 17, 1), 12289)
MODULI = residues.Moduli(PRIMES)
WORD = st.integers(0, 2**32 - 1) | st.sampled_from([0, 1, 2**32 - 1, *PRIMES])


def rows(numbers, dtype=np.uint32):
    """The same numbers for every prime."""
    return tf.constant(np.array([numbers] * len(PRIMES), dtype))


@settings(max_examples=50, deadline=None)
@given(st.lists(WORD, min_size=3, max_size=3))
def test_any_word_is_reduced(numbers):
    found = MODULI.canonical(rows(numbers)).numpy().tolist()
    assert found == [[number % prime for number in numbers] for prime in PRIMES]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**63 - 1) | st.sampled_from([0, 2**63 - 1, 2**32 - 1, 2**32]))
def test_wide_sums(number):
    found = MODULI.reduce_wide(rows([number], np.uint64)).numpy()[:, 0].tolist()
    for word, prime in zip(found, PRIMES, strict=True):
        assert word < number / 2**32 + prime
        assert (word << 32) % prime == number % prime


@settings(max_examples=50, deadline=None)
@given(WORD, st.integers(0, 2**27))
def test_products(word, other):
    factors = [other % prime for prime in PRIMES]
    expected = [
        word * factor % prime for factor, prime in zip(factors, PRIMES, strict=True)
    ]
    limits = np.array(PRIMES) * 2
    montgomery = MODULI.column(MODULI.in_montgomery_form(factors), 2)
    found = MODULI.multiply(rows([word]), montgomery).numpy()[:, 0]
    assert (found < limits).all() and (found % PRIMES).tolist() == expected
    array = np.array(factors, np.int64)[:, None]
    known, companions = residues.shoup_companions(array, PRIMES)
    found = residues.multiply_shoup(
        rows([word]),
        tf.constant(known),
        tf.constant(companions),
        MODULI.column(PRIMES, 2),
    ).numpy()[:, 0]
    assert (found < limits).all() and (found % PRIMES).tolist() == expected


def test_sums_at_the_limits():
    ends = np.array([[0, 0, prime - 1, prime - 1] for prime in PRIMES], np.uint32)
    others = np.array([[0, prime - 1, 1, prime - 1] for prime in PRIMES], np.uint32)
    found = MODULI.add(tf.constant(ends), tf.constant(others)).numpy()
    assert found.tolist() == [[0, prime - 1, 0, prime - 2] for prime in PRIMES]


@pytest.mark.parametrize(
    ("log_n", "bits", "count"), [(11, 27, 2), (12, 27, 4), (12, 25, 4)]
)
def test_primes(log_n, bits, count):
    found = primes.ntt_primes(log_n, bits, count)
    assert len(set(found)) == count and list(found) == sorted(found, reverse=True)
    for prime in found:
        assert sympy.isprime(prime) and prime % (2 << log_n) == 1
        assert prime.bit_length() == bits
        psi = primes.root_of_unity(prime, log_n + 1)
        assert pow(psi, 1 << log_n, prime) == prime - 1


@pytest.mark.parametrize(("bits", "count"), [(28, 1), (14, 3)])
def test_primes_that_there_are_not(bits, count):
    with pytest.raises(ValueError, match="`bits` must be at most 27"):
        primes.ntt_primes(12, bits, count)
