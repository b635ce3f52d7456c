"""Parameter sets of the ring-LWE cipher: secure, with room for the noise, or refused."""

import dataclasses
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from selenc_tf.lattice.device import parameters, primes

TWO = primes.ntt_primes(11, 27, 2)
FOUR = primes.ntt_primes(12, 27, 4)
# Albrecht et al., 2018, table 1: 128 bits, classical.
TABLE = {2048: 54, 4096: 109}


@settings(max_examples=60, deadline=None)
@given(summands=st.integers(1, 2000), bits=st.integers(2, 32), per_client=st.booleans())
def test_what_is_chosen_is_secure_and_exact(summands, bits, per_client):
    try:
        chosen = parameters.choose_parameters(summands, bits, per_client)
    except ValueError as error:
        assert "must fit" in str(error)
        assert bits + math.log2(summands) > 30
        return
    assert chosen.modulus <= 2 ** TABLE[chosen.degree]
    # In the worst case: all noise as large as can be, all codes at their limit.
    width = math.ceil(math.log2(summands * 2**bits))
    assert chosen.width == width
    fields = sum(1 << (width * j) for j in range(chosen.fields))
    message = summands * (2 ** (bits - 1) - 1) * fields
    noise = 2 * chosen.variance * summands
    t = 1 << (width * chosen.fields)
    assert 2 * (t * noise + message) < chosen.modulus
    assert 2 * message < t
    assert chosen.variance == (22 if per_client else 11)


@pytest.mark.parametrize(
    ("summands", "bits", "per_client", "expected"),
    [(64, 16, False, 3.125), (64, 16, True, 3.25), (64, 8, False, 2.0)],
)
def test_bytes_of_a_value(summands, bits, per_client, expected):
    chosen = parameters.choose_parameters(summands, bits, per_client)
    assert chosen.bytes_per_value == expected


def test_two_values_of_64_summands_do_not_fit_the_small_ring():
    """With a hard bound; so 4096 coefficients are the default there."""
    chosen = parameters.RlweParameters(11, TWO, bits=16, max_summands=64)
    assert chosen.fields == 1
    assert parameters.RlweParameters(11, TWO, bits=16, max_summands=16).fields == 2


def test_tails_are_not_below_the_law():
    chosen = parameters.choose_parameters(4, 16)
    law = scipy.stats.binom(16 * chosen.variance, 0.5)
    middle = chosen.max_noise
    for noise in range(0, middle, 7):
        assert 2 * law.sf(middle + noise) <= chosen.noise_tail(noise)
    assert chosen.noise_tail(0) == 1.0


def test_a_secret_given_the_sum_of_two():
    """Hypergeometric: in the middle it has half the variance, which is the standard's."""
    v = parameters.PER_CLIENT_VARIANCE
    law = scipy.stats.hypergeom(8 * v, 4 * v, 4 * v)
    assert law.var() == pytest.approx(v / 2, rel=0.01)
    # Over all sums: the law of total variance.
    sums = scipy.stats.binom(8 * v, 0.5)
    counts = np.arange(8 * v + 1)
    conditional = counts * (8 * v - counts) / (4 * (8 * v - 1))
    assert (sums.pmf(counts) * conditional).sum() == pytest.approx(v / 2)
    assert v / 2 > (8 / math.sqrt(2 * math.pi)) ** 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"log_n": 13}, "log_n"),
        ({"bits": 33}, "bits"),
        ({"max_summands": 0}, "max_summands"),
        ({"variance": 10}, "standard deviation of 3.19"),
        ({"primes": (TWO[0], TWO[0])}, "distinct primes"),
        ({"primes": (TWO[0], 65537)}, "equally many bits"),
        ({"primes": (TWO[0], TWO[1] - 2)}, "= 1 mod 4096"),
        ({"primes": ()}, "distinct primes"),
        ({"primes": primes.ntt_primes(11, 27, 3)}, r"at most 2\^54 for 128-bit"),
        ({"max_summands": 1 << 20, "bits": 32}, "to hold sums of"),
    ],
)
def test_refusals(arguments, text):
    right = {"log_n": 11, "primes": TWO, "bits": 16, "max_summands": 16}
    with pytest.raises(ValueError, match=text):
        parameters.RlweParameters(**{**right, **arguments})


def test_nothing_fits():
    with pytest.raises(ValueError, match="Take fewer of both"):
        parameters.choose_parameters(1 << 62, 32)


def test_the_digest_tells_parameters_apart():
    sets = [
        parameters.RlweParameters(11, TWO, 16, 16),
        parameters.RlweParameters(11, TWO, 16, 15),
        parameters.RlweParameters(12, FOUR, 16, 16),
        parameters.RlweParameters(11, TWO, 16, 16, variance=12),
    ]
    assert len({one.digest() for one in sets}) == 4
    assert sets[0].digest() == parameters.RlweParameters(11, TWO, 16, 16).digest()


@pytest.mark.parametrize(
    "change", [{"variance": 1 << 31}, {"columns": 10**9}, {"max_summands": 10**9}]
)
def test_what_could_not_be_built_is_refused(change):
    chosen = parameters.choose_parameters(4, 16)
    with pytest.raises(ValueError, match="must be at most"):
        dataclasses.replace(chosen, **change)
