"""Ciphertexts look like random bytes, and no randomness is used twice.

Statistics cannot prove a cipher secure; they find a broken generator, randomness that is
shared, and plaintext that shines through. Each check alone raises a false alarm with a
probability of about 1e-7.
"""

import threading

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from selenc_tf.lattice import parameters, shell_cipher
from tests.selenc_tf.lattice import numpy_bgv

# q is 2^54 - 77823: its residues, packed, are uniform bytes but for 2^-37.
PARAMETERS = parameters.Parameters(
    log_n=11,
    ciphertext_moduli=(18014398509404161,),
    plaintext_modulus=1099511480321,
    max_summands=8,
)
CIPHER = shell_cipher.build_shell_cipher(PARAMETERS)
BLOCKS = 32
CRITICAL = scipy.stats.chi2.isf(1e-7, 255)


def encrypt_constant(key, value, blocks=BLOCKS):
    values = tf.fill([blocks, CIPHER.num_slots], tf.constant(value, tf.int64))
    return CIPHER.encrypt(key, values).numpy()


def halves(blocks):
    """Of each block the bytes of c0, and those of c1 = a."""
    end = PARAMETERS.block_bytes
    first = b"".join(block[: end // 2] for block in blocks)
    second = b"".join(block[end // 2 : end] for block in blocks)
    return first, second


def histogram(text):
    return np.bincount(np.frombuffer(text, np.uint8), minlength=256)


def distance_from_uniform(text):
    return scipy.stats.chisquare(histogram(text)).statistic


def distance_between(one, other):
    return scipy.stats.chi2_contingency([histogram(one), histogram(other)])[0]


@pytest.fixture(scope="module")
def key():
    return CIPHER.keygen()


@pytest.fixture(scope="module")
def extremes(key):
    """Blocks of zeros, and of the largest value in every slot."""
    largest = PARAMETERS.plaintext_modulus // 2
    return [encrypt_constant(key, value) for value in (0, largest)]


@pytest.mark.parametrize("half", [0, 1], ids=["c0", "c1"])
def test_bytes_are_uniform_whatever_the_plaintext(extremes, half):
    zeros, largest = (halves(blocks)[half] for blocks in extremes)
    assert distance_from_uniform(zeros) < CRITICAL
    assert distance_from_uniform(largest) < CRITICAL
    assert distance_between(zeros, largest) < CRITICAL


def test_bytes_of_a_sum_are_uniform(extremes):
    total = CIPHER.add(tf.stack(extremes)).numpy()
    for half in halves(total):
        assert distance_from_uniform(half) < CRITICAL


def test_neighbouring_bits_are_independent(extremes):
    # Pairs of bits at distances up to one coefficient and a bit.
    text = b"".join(block[: PARAMETERS.block_bytes] for block in extremes[0])
    bits = np.unpackbits(np.frombuffer(text, np.uint8)).astype(np.int8)
    signs = (1 - 2 * bits).astype(np.int32)
    for distance in range(1, 56):
        correlation = np.dot(signs[:-distance], signs[distance:])
        # 55 sums of independent signs: 1e-7 in all is 6.1 deviations.
        assert abs(correlation) < 6.1 * np.sqrt(len(signs) - distance)


def test_a_slight_bias_would_be_noticed(extremes):
    first, _ = halves(extremes[0])
    tampered = bytes(len(first) // 50) + first[len(first) // 50 :]
    assert distance_from_uniform(tampered) > CRITICAL
    assert distance_between(first, tampered) > CRITICAL


def coefficients_of_a(blocks):
    bits = PARAMETERS.modulus.bit_length()
    return numpy_bgv.unpack(halves(blocks)[1], bits)


def test_no_randomness_is_used_twice(key):
    # 2^16 numbers below 2^54: two equal ones would be a coincidence of 1e-7.
    again = [encrypt_constant(key, 5, 16) for _ in range(2)]
    assert len({*again[0], *again[1]}) == 32
    drawn = np.concatenate([coefficients_of_a(blocks) for blocks in again])
    assert np.unique(drawn).size == drawn.size


def test_threads_do_not_share_randomness(key):
    found, start = [], threading.Barrier(4)

    def work():
        start.wait()
        found.append(encrypt_constant(key, 5, 8))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    drawn = np.concatenate([coefficients_of_a(blocks) for blocks in found])
    assert len(found) == 4 and np.unique(drawn).size == drawn.size
