"""Nothing is opened but what decrypts to its check values."""

import dataclasses

import numpy as np
import pytest
import sympy
import tensorflow as tf

from selenc_tf.lattice import identity_cipher, parameters, shell_cipher

CHOSEN = parameters.choose_parameters(4, 16)
CIPHER = shell_cipher.build_shell_cipher(CHOSEN)
N = CIPHER.num_slots


def row(check, value=3):
    return tf.concat(
        [tf.fill([1, N - 1], np.int64(value)), [[np.int64(check)]]], axis=1
    )


def check(*values):
    return tf.constant(values, tf.int64)[:, tf.newaxis]


def refused(cipher, key, blocks, checks):
    with pytest.raises(tf.errors.InvalidArgumentError, match="GARBLED"):
        cipher.open(key, blocks, checks)


@pytest.mark.parametrize(
    "cipher", [CIPHER, identity_cipher.of_sizes_INSECURE(CHOSEN)], ids=lambda c: c.name
)
def test_what_stands_before_the_check_is_given_out(cipher):
    key = cipher.keygen()
    blocks = [cipher.encrypt(key, row(5)) for _ in range(3)]
    total = cipher.add(tf.stack(blocks))
    np.testing.assert_array_equal(
        cipher.open(key, total, check(15)), np.full([1, N - 1], 9)
    )
    both = tf.concat([total, blocks[0]], 0)
    np.testing.assert_array_equal(cipher.open(key, both, check(15, 5))[:, 0], [9, 3])
    for wrong in (check(14), check(0)):
        refused(cipher, key, total, wrong)
    refused(cipher, key, both, check(15, 4))
    nothing = cipher.open(key, both[:0], tf.zeros([0, 1], tf.int64))
    assert nothing.shape == (0, N - 1)


@pytest.mark.parametrize("checks", [check(), check(5), check(5, 5, 5)])
def test_one_check_for_each_block(checks):
    key = CIPHER.keygen()
    blocks = tf.concat([CIPHER.encrypt(key, row(5))] * 2, 0)
    with pytest.raises(tf.errors.InvalidArgumentError):
        CIPHER.open(key, blocks, checks)


def test_noise_beyond_the_parameters_opens_nothing():
    # Sums of sums: each adds no more than it may.
    key = CIPHER.keygen()
    total, count = CIPHER.encrypt(key, row(1, 0)), 1
    for _ in range(6):
        total = CIPHER.add(tf.tile(total[tf.newaxis], [4, 1]))
        count *= 4
    raw = CIPHER.decrypt(key, total).numpy()[0]
    assert np.any(raw[:-1] != 0)  # This is what would tell of the noise.
    refused(CIPHER, key, total, check(count))


def test_another_key_or_other_parameters_open_nothing():
    key = CIPHER.keygen()
    block = CIPHER.encrypt(key, row(0, 0))
    refused(CIPHER, CIPHER.keygen(), block, check(0))
    step = 2 * N
    modulus = CHOSEN.plaintext_modulus - step
    while not sympy.isprime(modulus):
        modulus -= step
    other = shell_cipher.build_shell_cipher(
        dataclasses.replace(CHOSEN, plaintext_modulus=modulus)
    )
    assert np.any(other.decrypt(key, block).numpy() != 0)
    refused(other, key, block, check(0))
