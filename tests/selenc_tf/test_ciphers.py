"""What every cipher has to do; each test runs with all of them."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from selenc_tf.lattice import identity_cipher, parameters, shell_cipher

SUMMANDS = 5
SHELL = shell_cipher.build_shell_cipher(
    parameters.choose_parameters(max_summands=SUMMANDS, max_abs_value=2**31 - 1)
)
IDENTITY = identity_cipher.build_identity_cipher_INSECURE(SHELL.block_size, SUMMANDS)
LONG = SHELL.block_size + 100


@pytest.fixture(params=[SHELL, IDENTITY], ids=lambda cipher: cipher.name)
def cipher(request):
    return request.param


@pytest.fixture(scope="module")
def keys():
    return {cipher.name: cipher.keygen() for cipher in (SHELL, IDENTITY)}


def encrypt(cipher, keys, values):
    return cipher.encrypt(keys[cipher.name], tf.constant(values, tf.int64))


def decrypt(cipher, keys, ciphertext):
    return cipher.decrypt(keys[cipher.name], ciphertext).numpy()


def random_codes(seed, length, largest=2**31 - 1):
    return np.random.default_rng(seed).integers(-largest, largest + 1, length)


@pytest.mark.parametrize("length", [1, 7, SHELL.block_size, LONG])
def test_round_trip(cipher, keys, length):
    values = random_codes(length, length)
    ciphertext = encrypt(cipher, keys, values)
    assert ciphertext.dtype == tf.string and ciphertext.shape == ()
    found = decrypt(cipher, keys, ciphertext)
    assert found.dtype == np.int64
    assert found.size == -(-length // cipher.block_size) * cipher.block_size
    np.testing.assert_array_equal(found[:length], values)
    np.testing.assert_array_equal(found[length:], 0)


def test_the_largest_values_come_back(cipher, keys):
    largest = SHELL.max_abs_sum
    values = [largest, -largest, 0, 1, -1, largest - 1]
    found = decrypt(cipher, keys, encrypt(cipher, keys, values))
    np.testing.assert_array_equal(found[:6], values)


@pytest.mark.parametrize("k", [1, 2, SUMMANDS])
def test_sum(cipher, keys, k):
    rows = np.stack([random_codes(seed, LONG) for seed in range(k)])
    total = cipher.add(tf.stack([encrypt(cipher, keys, row) for row in rows]))
    np.testing.assert_array_equal(decrypt(cipher, keys, total)[:LONG], rows.sum(axis=0))


@pytest.mark.parametrize("sign", [1, -1])
def test_fullest_sum(cipher, keys, sign):
    # Every slot of every summand at its largest: the most noise and message there is.
    each = sign * (SHELL.max_abs_sum // SUMMANDS)
    ciphertext = encrypt(cipher, keys, [each] * SHELL.block_size)
    again = [encrypt(cipher, keys, [each] * SHELL.block_size) for _ in range(4)]
    total = decrypt(cipher, keys, cipher.add(tf.stack([ciphertext, *again])))
    np.testing.assert_array_equal(total, [SUMMANDS * each] * SHELL.block_size)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.lists(st.integers(-(2**31) + 1, 2**31 - 1), min_size=3, max_size=3),
        min_size=1,
        max_size=SUMMANDS,
    )
)
def test_shell_adds_as_the_identity_does(keys, rows):
    totals = [
        decrypt(
            cipher, keys, cipher.add(tf.stack([encrypt(cipher, keys, r) for r in rows]))
        )
        for cipher in (SHELL, IDENTITY)
    ]
    np.testing.assert_array_equal(*totals)


def test_sums_can_be_added(cipher, keys):
    rows = [random_codes(seed, 10) for seed in range(4)]
    parts = [encrypt(cipher, keys, row) for row in rows]
    halves = [cipher.add(tf.stack(parts[:2])), cipher.add(tf.stack(parts[2:]))]
    total = decrypt(cipher, keys, cipher.add(tf.stack(halves)))
    np.testing.assert_array_equal(total[:10], np.sum(rows, axis=0))


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_parts_decrypt_to_the_whole(cipher, keys, parts):
    values = random_codes(0, 2 * SHELL.block_size + 5)  # Three blocks.
    ciphertext = encrypt(cipher, keys, values)
    shares = cipher.split(ciphertext, tf.constant(parts)).numpy()
    assert shares.shape == (parts,)
    opened = [decrypt(cipher, keys, share) for share in shares]
    sizes = [found.size // cipher.block_size for found in opened]
    assert sum(sizes) == 3 and max(sizes) - min(sizes) <= 1
    np.testing.assert_array_equal(
        np.concatenate(opened), decrypt(cipher, keys, ciphertext)
    )


def test_nothing_to_encrypt(cipher, keys):
    ciphertext = encrypt(cipher, keys, [])
    total = cipher.add(tf.stack([ciphertext, encrypt(cipher, keys, [])]))
    assert decrypt(cipher, keys, ciphertext).size == 0
    assert decrypt(cipher, keys, total).size == 0
    shares = cipher.split(total, tf.constant(2))
    assert [decrypt(cipher, keys, share).size for share in shares] == [0, 0]


def test_too_many_summands(cipher, keys):
    one = encrypt(cipher, keys, [1])
    with pytest.raises(tf.errors.InvalidArgumentError, match="max_summands"):
        cipher.add(tf.stack([one] * (SUMMANDS + 1)))


def test_traced(cipher, keys):
    key = keys[cipher.name]

    @tf.function
    def whole_way(one, two):
        total = cipher.add(
            tf.stack([cipher.encrypt(key, one), cipher.encrypt(key, two)])
        )
        shares = cipher.split(total, tf.constant(2))
        return cipher.decrypt(key, shares[0]), cipher.decrypt(key, shares[1])

    one, two = random_codes(1, LONG), random_codes(2, LONG)
    opened = tf.concat(whole_way(tf.constant(one), tf.constant(two)), 0)
    np.testing.assert_array_equal(opened[:LONG], one + two)


class TestFreshness:
    values = tf.constant([5, 6, 7], tf.int64)

    def test_calls(self, keys):
        key = keys[SHELL.name]
        assert SHELL.encrypt(key, self.values) != SHELL.encrypt(key, self.values)

    def test_calls_of_one_graph(self, keys):
        encrypted = tf.function(SHELL.encrypt)
        key = keys[SHELL.name]
        seen = {encrypted(key, self.values).numpy() for _ in range(4)}
        assert len(seen) == 4

    def test_equal_plaintexts_of_two_parties_in_one_graph(self, keys):
        @tf.function
        def both(key, one, two):
            return SHELL.encrypt(key, one), SHELL.encrypt(key, two)

        one, two = both(keys[SHELL.name], self.values, tf.identity(self.values))
        assert one != two

    def test_keys(self):
        assert SHELL.keygen() != SHELL.keygen()

    def test_another_key_does_not_decrypt(self, keys):
        ciphertext = SHELL.encrypt(keys[SHELL.name], self.values)
        found = SHELL.decrypt(SHELL.keygen(), ciphertext).numpy()
        assert np.count_nonzero(found[:3] == self.values.numpy()) == 0

    def test_the_ciphertext_does_not_hold_the_plaintext(self, keys):
        # Constant plaintexts leave no pattern: the bytes are as good as incompressible.
        import zlib

        zeros = tf.zeros([SHELL.block_size], tf.int64)
        ciphertext = SHELL.encrypt(keys[SHELL.name], zeros).numpy()
        assert len(zlib.compress(ciphertext, 9)) > 0.97 * len(ciphertext)
        assert IDENTITY.encrypt(tf.constant(""), zeros).numpy() == bytes(
            8 * SHELL.block_size
        )


def test_limits_are_declared(cipher):
    assert cipher.max_summands == SUMMANDS
    assert cipher.max_abs_sum >= SUMMANDS * (2**31 - 1)
    assert IDENTITY.name.endswith("_INSECURE")
    assert SHELL.digest != IDENTITY.digest
