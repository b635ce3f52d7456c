"""Transforms against the definition, their products against those of big integers."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from selenc_tf.lattice.device import ntt, primes, residues
from tests.selenc_tf.lattice.device import polynomials

SMALL = ntt.Transform(4, residues.Moduli(primes.ntt_primes(4, 27, 3)))
RINGS = {
    2048: ntt.Transform(11, residues.Moduli(primes.ntt_primes(11, 27, 2))),
    4096: ntt.Transform(12, residues.Moduli(primes.ntt_primes(12, 27, 4))),
}


def residues_of(transform, columns, seed=0):
    """uint32 [P, N, B] below p, the largest among them."""
    generator = np.random.default_rng(seed)
    moduli = transform.moduli.primes
    shape = (transform.degree, columns)
    drawn = np.stack([generator.integers(0, prime, shape) for prime in moduli])
    drawn[:, :, 0] = np.array(moduli)[:, None] - 1
    return drawn.astype(np.uint32)


def multiplied(transform, one, other):
    """Products of polynomials, by the transform."""
    values = transform.forward(tf.constant(one))
    form = np.array(transform.moduli.in_montgomery_form([1] * len(one)), np.uint64)
    others = transform.forward(tf.constant(other)).numpy().astype(np.uint64)
    moduli = np.array(transform.moduli.primes, np.uint64)[:, None, None]
    montgomery = (others * form[:, None, None] % moduli).astype(np.uint32)
    return transform.inverse(transform.moduli.multiply(values, montgomery)).numpy()


def test_values_at_the_odd_powers_of_psi():
    given_polynomials = residues_of(SMALL, 2)
    values = SMALL.forward(tf.constant(given_polynomials)).numpy()
    order = ntt.bit_reversed(4).tolist()
    for index, prime in enumerate(SMALL.moduli.primes):
        psi = primes.root_of_unity(prime, 5)
        for column in range(2):
            expected = [
                polynomials.evaluate(
                    given_polynomials[index, :, column],
                    pow(psi, 2 * i + 1, prime),
                    prime,
                )
                for i in order
            ]
            assert values[index, :, column].tolist() == expected


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_products_as_in_school(seed):
    one, other = (residues_of(SMALL, 2, seed=seed + i) for i in (0, 1))
    found = multiplied(SMALL, one, other)
    for index, prime in enumerate(SMALL.moduli.primes):
        for column in range(2):
            pair = one[index, :, column], other[index, :, column]
            assert found[index, :, column].tolist() == polynomials.schoolbook(
                *pair, prime
            )


@pytest.mark.parametrize("degree", RINGS)
def test_products_as_of_big_integers(degree):
    transform = RINGS[degree]
    one, other = (residues_of(transform, 2, seed=i) for i in (0, 1))
    found = multiplied(transform, one, other)
    for index, prime in enumerate(transform.moduli.primes):
        for column in range(2):
            pair = one[index, :, column], other[index, :, column]
            assert found[index, :, column].tolist() == polynomials.product(*pair, prime)


def test_the_oracles_agree():
    one, other = residues_of(SMALL, 2)[0].T.tolist()
    for modulus in (SMALL.moduli.primes[0], 2**90 - 33):
        expected = polynomials.schoolbook(one, other, modulus)
        assert polynomials.product(one, other, modulus) == expected


@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("degree", RINGS)
def test_forth_and_back(degree, compiled):
    transform = RINGS[degree]
    given_polynomials = residues_of(transform, 3)
    back = tf.function(
        lambda words: transform.inverse(transform.forward(words)),
        jit_compile=compiled,
        autograph=False,
    )
    np.testing.assert_array_equal(
        back(tf.constant(given_polynomials)), given_polynomials
    )


@pytest.mark.parametrize("degree", RINGS)
def test_nothing_overflows_on_the_way_back(degree):
    """Inputs at the limit, and as wide as they may be: the sums are as in 64 bits."""
    transform = RINGS[degree]
    moduli = np.array(transform.moduli.primes, np.int64)[:, None, None]
    largest = np.broadcast_to(2 * moduli - 1, (len(moduli), degree, 2)).astype(
        np.uint32
    )
    lazy = transform.backward(tf.constant(largest)).numpy()
    assert (lazy < 26 * moduli).all()
    # The first coefficient is a sum of all values.
    expected = degree * (2 * moduli - 1) % moduli
    np.testing.assert_array_equal(lazy[:, :1] % moduli, np.repeat(expected, 2, axis=2))
    again = transform.forward(transform.inverse(tf.constant(largest)))
    np.testing.assert_array_equal(again, largest % moduli)
