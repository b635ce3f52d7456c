"""Ring-LWE: exact sums under both key arrangements, against an oracle, and its noise."""

import dataclasses
import functools

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from selenc_tf.lattice.device import parameters, rlwe
from tests.selenc_tf.lattice.device import numpy_rlwe

SHARED = parameters.choose_parameters(64, 16)
PER_CLIENT = parameters.choose_parameters(64, 16, per_client=True)
SMALL_RING = parameters.RlweParameters(11, (134176769, 134111233), 16, 16)
ALL = {"shared": SHARED, "per client": PER_CLIENT, "N=2048": SMALL_RING}
each = pytest.mark.parametrize("chosen", ALL.values(), ids=ALL)
CRITICAL = 1e-7


@functools.cache
def scheme(chosen, columns=32):
    """With fewer polynomials where Python's integers have to follow."""
    return rlwe.Rlwe(dataclasses.replace(chosen, columns=columns))


@functools.cache
def compiled(function):
    return tf.function(function, jit_compile=True, autograph=False)


def seeds(count, seed=0):
    """Known seeds: here nothing is secret."""
    drawn = np.random.default_rng(seed).integers(0, 1 << 32, (count, 8), np.uint32)
    return list(tf.constant(drawn))


def codes(cipher, count, seed=0):
    """int64 [count, v, N, B], with both limits among them."""
    chosen = cipher.parameters
    largest = (1 << (chosen.bits - 1)) - 1
    shape = (count, chosen.fields, chosen.degree, chosen.columns)
    drawn = np.random.default_rng(seed).integers(-largest, largest + 1, shape)
    drawn[:, :, 0], drawn[:, :, 1] = largest, -largest
    return drawn


def secrets_of(cipher, count, seed=100):
    """Coefficients, int32 [count, N]."""
    function = compiled(cipher.secret_coefficients)
    return tf.stack([function(one) for one in seeds(count, seed)])


def encrypted(cipher, secrets, publics, values, seed=200, chunk=3):
    """Ciphertexts of several messages."""
    number = tf.constant(chunk)
    return [
        compiled(cipher.encrypt)(secret, public, noise, number, tf.constant(one))
        for secret, public, noise, one in zip(
            secrets, publics, seeds(len(values), seed), values, strict=True
        )
    ]


def summed(cipher, parts):
    return functools.reduce(compiled(cipher.add), parts)


def with_shared_key(cipher, values, chunk=3):
    """(secret, sum of the a, sum of the ciphertexts)."""
    secret = compiled(cipher.secret_values)(secrets_of(cipher, 1)[0])
    number = tf.constant(chunk)
    publics = [compiled(cipher.public)(one, number) for one in seeds(len(values))]
    parts = encrypted(cipher, [secret] * len(values), publics, values, chunk=chunk)
    return secret, summed(cipher, publics), summed(cipher, parts)


def per_client(cipher, values, chunk=3):
    """(sum of the secrets, the round's a, sum of the ciphertexts)."""
    coefficients = secrets_of(cipher, len(values))
    function = compiled(cipher.secret_values)
    secrets = [function(one) for one in coefficients]
    public = compiled(cipher.public)(seeds(1)[0], tf.constant(chunk))
    parts = encrypted(cipher, secrets, [public] * len(values), values, chunk=chunk)
    return function(tf.reduce_sum(coefficients, axis=0)), public, summed(cipher, parts)


# Each parameter set as it is meant to be used; the others work too.
MEANT = (SHARED, with_shared_key), (PER_CLIENT, per_client)
ALONE = tuple(pytest.param(*one, marks=pytest.mark.slow) for one in MEANT)
OTHERS = tuple(
    pytest.param(chosen, arrangement, marks=pytest.mark.slow)
    for chosen in ALL.values()
    for arrangement in (with_shared_key, per_client)
    if (chosen, arrangement) not in MEANT
)
as_meant = pytest.mark.parametrize(("chosen", "arrangement"), (*ALONE, *OTHERS))


@pytest.mark.parametrize("count", [1, 2, 16])
@as_meant
def test_sums_are_exact(chosen, count, arrangement):
    cipher = scheme(chosen)
    values = codes(cipher, count)
    opened = compiled(cipher.open)(*arrangement(cipher, values))
    np.testing.assert_array_equal(opened, values.sum(axis=0))


@pytest.mark.slow
@pytest.mark.parametrize("arrangement", [with_shared_key, per_client])
def test_as_many_summands_as_declared(arrangement):
    cipher = scheme(PER_CLIENT if arrangement is per_client else SHARED, 2)
    values = codes(cipher, 64)
    opened = compiled(cipher.open)(*arrangement(cipher, values))
    np.testing.assert_array_equal(opened, values.sum(axis=0))


@pytest.mark.slow
def test_one_message_as_often_as_may_be_added():
    """The noise is that of one message, 64 times: there is no more."""
    cipher = scheme(SHARED, 8)
    values = codes(cipher, 1)
    secret, public, total = with_shared_key(cipher, values)
    for _ in range(6):
        public, total = cipher.add(public, public), cipher.add(total, total)
    opened = compiled(cipher.open)(secret, public, total)
    np.testing.assert_array_equal(opened, 64 * values[0])


@pytest.mark.slow
@settings(max_examples=2, deadline=None)
@given(
    bits=st.integers(2, 32),
    summands=st.integers(1, 5),
    apart=st.booleans(),
    seed=st.integers(0, 2**30),
)
def test_any_parameters_that_are_chosen(bits, summands, apart, seed):
    chosen = parameters.choose_parameters(summands, bits, per_client=apart)
    cipher = scheme(chosen, 1)
    values = codes(cipher, summands, seed)
    arranged = (per_client if apart else with_shared_key)(cipher, values, chunk=seed)
    np.testing.assert_array_equal(cipher.open(*arranged), values.sum(axis=0))


class TestAgainstTheOracle:
    @each
    def test_secrets(self, chosen):
        (seed,) = seeds(1, 100)
        found = secrets_of(rlwe.Rlwe(chosen), 1)[0].numpy()
        assert (
            found.tolist() == numpy_rlwe.secret(seed.numpy().tolist(), chosen).tolist()
        )

    @pytest.mark.slow
    @as_meant
    def test_what_stands_in_a_sum(self, chosen, arrangement):
        """Opened by the oracle: messages and noise are what was put in."""
        chosen = dataclasses.replace(chosen, columns=1)
        cipher, shared = scheme(chosen, 1), arrangement is with_shared_key
        values = codes(cipher, 2)
        _, _, total = arrangement(cipher, values)
        publics = sum(
            numpy_rlwe.public(one.numpy().tolist(), 3, chosen)
            for one in seeds(2 if shared else 1)
        )
        secret = sum(
            numpy_rlwe.secret(one.numpy().tolist(), chosen)
            for one in seeds(1 if shared else 2, 100)
        )
        found, noise = numpy_rlwe.opened(total.numpy(), publics, secret, chosen)
        assert found.tolist() == values.sum(axis=0).tolist()
        expected = sum(
            numpy_rlwe.noise(one.numpy().tolist(), 3, chosen) for one in seeds(2, 200)
        )
        assert noise.tolist() == expected.tolist()


def noise_of(cipher, secret, public, total):
    """Of an encryption of zeros: the residues modulo each prime are those of t e."""
    chosen = cipher.parameters
    product = chosen.moduli.multiply(public, secret[..., tf.newaxis])
    masks = chosen.transform.inverse(product).numpy().astype(np.int64)
    found = []
    for index, prime in enumerate(chosen.primes):
        inverse = pow(chosen.plaintext_modulus, -1, prime)
        rest = (total[index].numpy() - masks[index]) * inverse % prime
        found.append(np.where(rest > prime // 2, rest - prime, rest))
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)
    return found[0]


@pytest.mark.slow
@each
def test_noise_as_declared(chosen):
    cipher, count = scheme(chosen), 4
    zeros = codes(cipher, count) * 0
    noise = noise_of(cipher, *with_shared_key(cipher, zeros)).ravel()
    variance = chosen.variance * count
    deviations = (noise.var() / variance - 1) / np.sqrt(2 / noise.size)
    # The alarm is false with a probability of 1e-7.
    assert abs(deviations) < 5.4
    assert abs(noise.mean()) < 5.4 * np.sqrt(variance / noise.size)
    assert np.abs(noise).max() <= 2 * chosen.variance * count <= chosen.max_noise
    for level in (10, 20, 30):
        share = (np.abs(noise) > level).mean()
        assert share < chosen.noise_tail(level, count)


@pytest.mark.slow
def test_noise_of_ten_million_coefficients():
    cipher, sizes = scheme(SHARED), []
    for chunk in range(77):
        zeros = codes(cipher, 1) * 0
        secret = compiled(cipher.secret_values)(secrets_of(cipher, 1)[0])
        public = compiled(cipher.public)(seeds(1)[0], tf.constant(chunk))
        (total,) = encrypted(cipher, [secret], [public], zeros, chunk=chunk)
        sizes.append(
            np.bincount(np.abs(noise_of(cipher, secret, public, total)).ravel())
        )
    counts = np.zeros(2 * SHARED.variance + 1, np.int64)
    for one in sizes:
        counts[: len(one)] += one
    total = counts.sum()
    assert total > 10**7
    law = scipy.stats.binom(4 * SHARED.variance, 0.5)
    middle = 2 * SHARED.variance
    probabilities = law.pmf(middle + np.arange(middle + 1))
    probabilities[1:] *= 2
    # Sizes that fewer than ten are expected of are taken together.
    many = probabilities * total >= 10
    observed = [*counts[many], counts[~many].sum()]
    expected = [*(probabilities[many] * total), probabilities[~many].sum() * total]
    assert scipy.stats.chisquare(observed, expected).pvalue > CRITICAL
    for level in range(1, middle):
        tail = SHARED.noise_tail(level, 1)
        assert counts[level + 1 :].sum() / total <= tail


class TestWords:
    @pytest.mark.slow
    @each
    def test_forth_and_back(self, chosen):
        cipher = scheme(chosen)
        _, _, total = with_shared_key(cipher, codes(cipher, 1))
        words = compiled(cipher.pack)(total)
        assert words.shape == [
            chosen.prime_bits, len(chosen.primes), chosen.coefficients // 32
        ]  # fmt: skip
        octets = 4 * int(tf.size(words))
        assert octets == chosen.bytes_per_value * chosen.chunk_values
        np.testing.assert_array_equal(compiled(cipher.unpack)(words), total)

    @pytest.mark.slow
    def test_a_short_chunk_is_a_full_one_without_its_last_columns(self):
        cipher = scheme(SHARED)
        values = codes(cipher, 1)
        secret, public, total = with_shared_key(cipher, values)
        words = cipher.pack(total).numpy()
        words[:, :, 100:] = 0
        opened = compiled(cipher.open)(
            secret, public, cipher.unpack(tf.constant(words))
        )
        columns = [
            one.reshape(SHARED.fields, 32, -1) for one in (opened.numpy(), values[0])
        ]
        np.testing.assert_array_equal(columns[0][..., :100], columns[1][..., :100])

    def test_any_words_are_residues(self):
        cipher = scheme(SHARED, 1)
        shape = [SHARED.prime_bits, len(SHARED.primes), SHARED.degree // 32]
        found = cipher.unpack(tf.fill(shape, tf.constant(2**32 - 1, tf.uint32)))
        assert (found.numpy() < np.array(SHARED.primes)[:, None, None]).all()


class TestSecrecy:
    CIPHER = scheme(SHARED)

    @pytest.mark.parametrize("size", [0, 32767])
    def test_residues_are_uniform_whatever_the_values(self, size):
        values = np.full_like(codes(self.CIPHER, 1), size)
        _, public, total = with_shared_key(self.CIPHER, values)
        for words in (public, total):
            for residue, prime in zip(words.numpy(), SHARED.primes, strict=True):
                counts, _ = np.histogram(residue, bins=256, range=(0, prime))
                assert scipy.stats.chisquare(counts).pvalue > CRITICAL

    def test_other_secrets_open_to_noise(self):
        values = codes(self.CIPHER, 1)
        _, public, total = with_shared_key(self.CIPHER, values)
        coefficients = secrets_of(self.CIPHER, 1)[0].numpy()
        coefficients[5] += 1
        other = self.CIPHER.secret_values(tf.constant(coefficients))
        opened = compiled(self.CIPHER.open)(other, public, total).numpy()
        assert (opened != values[0]).mean() > 0.99

    def test_other_seeds_chunks_and_purposes_have_other_words(self):
        cipher = scheme(SHARED, 1)
        one, other = seeds(2)
        found = [
            cipher.public(seed, chunk)[0, :16, 0].numpy().tobytes()
            for seed in (one, other)
            for chunk in (0, 1)
        ]
        purposes = (rlwe._PUBLIC, rlwe._NOISE, rlwe._SECRET)
        found += [cipher._stream(one, p, 0, [16]).numpy().tobytes() for p in purposes]
        assert len(set(found)) == len(found)


@pytest.mark.slow
def test_compiled_is_the_same():
    cipher = scheme(SMALL_RING, 1)
    values = tf.constant(codes(cipher, 1)[0])
    (public_seed,), (noise,), (secret_seed,) = seeds(1), seeds(1, 200), seeds(1, 100)

    def all_of_it(cipher):
        secret = cipher.secret_values(cipher.secret_coefficients(secret_seed))
        public = cipher.public(public_seed, 7)
        total = cipher.encrypt(secret, public, noise, 7, values)
        return total, cipher.open(secret, public, total), cipher.pack(total)

    for one, other in zip(
        all_of_it(cipher),
        tf.function(lambda: all_of_it(cipher), jit_compile=True, autograph=False)(),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
