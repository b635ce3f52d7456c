import dataclasses
import itertools
import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selenc_tf.lattice import parameters
from selenc_tf.lattice.packing import Packing
from selenc_tf.lattice.parameters import (
    Parameters,
    bytes_per_value,
    choose_parameters,
)

# N = 2048, q of 54 bits, t of 42 bits.
GOOD = choose_parameters(num_summands=64, quantisation_bits=8)


def is_prime(number):
    """Miller-Rabin with the bases that decide every number below 2^64."""
    bases = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
    if number < 2 or any(number % base == 0 and number != base for base in bases):
        return False
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in bases:
        if base == number:
            continue
        power = pow(base, odd, number)
        if power in (1, number - 1):
            continue
        for _ in range(twos - 1):
            power = pow(power, 2, number)
            if power == number - 1:
                break
        else:
            return False
    return True


def next_prime(number, step, direction=1):
    """The first prime = 1 mod `step` above (or below) `number`."""
    candidate = number // step * step + 1
    while (candidate - number) * direction <= 0 or not is_prime(candidate):
        candidate += direction * step
    return candidate


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 1000), st.integers(2, 32), st.sampled_from([11, 20, 256]))
def test_chosen_parameters_keep_every_rule(summands, bits, variance):
    chosen = choose_parameters(summands, bits, variance)
    primes = (*chosen.ciphertext_moduli, chosen.plaintext_modulus)
    assert len(set(primes)) == len(primes) == 2
    for prime in primes:
        assert is_prime(prime) and prime % (2 * 2**chosen.log_n) == 1
    standard = {10: 27, 11: 54, 12: 109, 13: 218, 14: 438, 15: 881}
    assert math.prod(chosen.ciphertext_moduli) <= 2 ** standard[chosen.log_n]
    assert max(primes) < 2**62
    # What the budget must hold: the largest noise of one message, so often.
    noise = summands * 2 * variance
    assert chosen.max_noise == noise
    assert chosen.plaintext_modulus * (noise + summands) < chosen.modulus / 2
    assert chosen.max_summands == summands and chosen.noise_variance == variance
    # The sums of a code fit into t with their sign.
    assert chosen.plaintext_modulus > 2 * summands * (2 ** (bits - 1) - 1)


def brute_force(summands, bits):
    """Bits of q for a value, and the ring, by trying everything without any pruning."""
    field = ((2 ** (bits - 1) - 1) * summands).bit_length() + 1
    noise = 22 * summands
    options = []
    for log_n, most in ((10, 27), (11, 54), (12, 62), (13, 62), (14, 62)):
        for values in range(1, 62 // field + 1):
            t = next_prime(2 ** (field * values) - 1, 2**log_n * 2)
            q = next_prime(2 * t * (noise + summands), 2**log_n * 2)
            if q < 2**most:
                options.append((q.bit_length() / values, log_n))
    return min(options)


@pytest.mark.parametrize("bits", [2, 4, 8, 13, 16, 20, 24, 32])
@pytest.mark.parametrize("summands", [1, 2, 10, 64, 1000])
def test_nothing_is_cheaper(bits, summands):
    chosen = choose_parameters(summands, bits)
    cost, log_n = brute_force(summands, bits)
    exact = bytes_per_value(chosen, bits) * (1 - 2**-chosen.log_n)
    # Bytes of both polynomials for one value: two coefficients.
    assert exact == pytest.approx(2 * cost / 8, rel=1e-12)
    assert chosen.log_n == log_n


# Two coefficients of a slot, over eight bits a byte and the values in the slot:
# 2 * 56 / 8 / 2 = 7, 2 * 54 / 8 / 3 = 4.5, 2 * 48 / 8 / 2 = 6; and N / (N - 1).
@pytest.mark.parametrize(
    ("bits", "log_n", "q_bits", "values", "cost"),
    [(16, 12, 56, 2, 7.0017), (8, 11, 54, 3, 4.5022), (12, 11, 48, 2, 6.0029)],
)
def test_by_hand(bits, log_n, q_bits, values, cost):
    chosen = choose_parameters(64, bits)
    slots = 2**log_n
    assert (chosen.log_n, chosen.num_slots, chosen.two_n) == (log_n, slots, 2 * slots)
    assert chosen.modulus.bit_length() == q_bits
    packing = Packing(2 ** (bits - 1) - 1, 64, chosen.plaintext_modulus)
    assert packing.values_per_slot == values
    assert chosen.block_bytes == 2 * slots * q_bits // 8
    assert bytes_per_value(chosen, bits) == pytest.approx(cost, abs=1e-4)


def test_the_noise_bound_by_hand():
    # The difference of two sums of 22 bits is at most 22; 64 * 22 = 1408.
    assert GOOD.max_noise == 1408
    assert choose_parameters(1, 16).max_noise == 22


def test_the_table_is_the_standards():
    assert parameters.MAX_LOG_Q_128 == {
        10: 27, 11: 54, 12: 109, 13: 218, 14: 438, 15: 881
    }  # fmt: skip


def test_more_summands_or_bits_never_cost_less():
    costs = [
        [bytes_per_value(choose_parameters(k, bits), bits) for bits in range(2, 33)]
        for k in (1, 8, 64, 512)
    ]
    # The reserved slot makes a larger ring cheaper by a two-thousandth.
    for row in (*costs, *zip(*costs, strict=True)):
        for less, more in itertools.pairwise(row):
            assert more >= less * (1 - 1 / 2047)


def test_it_is_fast():
    start = time.perf_counter()
    for bits in range(2, 25):
        choose_parameters(100, bits)
    assert (time.perf_counter() - start) / 23 < 0.2


def test_the_budget_is_exact():
    # The largest t with 2 t (E_max + k) < q passes, the next prime does not.
    limit = (GOOD.modulus - 1) // (2 * (1408 + 64))
    largest = next_prime(limit + 1, 4096, -1)
    assert dataclasses.replace(GOOD, plaintext_modulus=largest).max_noise == 1408
    with pytest.raises(ValueError, match="no room for noise") as error:
        dataclasses.replace(GOOD, plaintext_modulus=next_prime(limit, 4096))
    assert f"`plaintext_modulus` = {largest}, the largest that fits" in str(error.value)


def test_the_budget_says_how_many_summands_fit():
    with pytest.raises(ValueError, match="`max_summands` = ") as error:
        dataclasses.replace(GOOD, max_summands=10**6)
    fits = int(str(error.value).rsplit("`max_summands` = ", 1)[1].split(",")[0])
    assert fits >= 64
    dataclasses.replace(GOOD, max_summands=fits)
    with pytest.raises(ValueError, match="no room for noise"):
        dataclasses.replace(GOOD, max_summands=fits + 1)


def test_without_any_room_only_a_larger_modulus_helps():
    small = next_prime(2**13, 4096)
    with pytest.raises(ValueError, match=r"Take a larger ciphertext modulus\."):
        Parameters(11, (small,), 40961, 64)


@pytest.mark.parametrize(
    ("summands", "bits"), [(2**20, 41), (64, 60), (2**16, 40), (3, 80)]
)
def test_impossible_demand_says_by_how_much(summands, bits):
    with pytest.raises(ValueError, match="bits fewer") as error:
        choose_parameters(summands, bits)
    text = str(error.value)
    fits = int(text.rsplit("`quantisation_bits` = ", 1)[1].split(" ")[0])
    assert f"({bits - fits} bits fewer)" in text
    assert choose_parameters(summands, fits)
    with pytest.raises(ValueError, match=r"\(1 bits fewer\)"):
        choose_parameters(summands, fits + 1)


def test_impossible_demand_says_how_many_summands_fit():
    with pytest.raises(ValueError, match="Take `num_summands` = ") as error:
        choose_parameters(2**40, 30)
    fits = int(str(error.value).rsplit(" ", 1)[1].rstrip("."))
    assert choose_parameters(fits, 30)
    with pytest.raises(ValueError, match="must fit"):
        choose_parameters(fits + 1, 30)


def test_hopeless_demand():
    with pytest.raises(ValueError, match="Take fewer of both"):
        choose_parameters(2**60, 80)


@pytest.mark.parametrize(
    ("demand", "words"),
    [
        ((0, 8), "`num_summands` must be at least 1"),
        ((5, 1), "`quantisation_bits` must be at least 2"),
        ((5, 8, 8), "`noise_variance` must be from 11"),
    ],
)
def test_nonsense_demand(demand, words):
    with pytest.raises(ValueError, match=words):
        choose_parameters(*demand)


def test_bytes_per_value_of_values_that_do_not_fit():
    with pytest.raises(ValueError, match=r"at least 2\^46"):
        bytes_per_value(GOOD, 40)
    with pytest.raises(ValueError, match="`quantisation_bits`"):
        bytes_per_value(GOOD, 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"log_n": 9}, "`log_n` must be one of: 10, 11"),
        ({"log_n": 15}, "`log_n` must be one of: 10, 11, 12, 13, 14;"),
        ({"max_summands": 0}, "`max_summands` must be at least 1"),
        ({"noise_variance": 8}, "got 8. The nearest is 11."),
        ({"noise_variance": 257}, "got 257. The nearest is 256."),
        ({"ciphertext_moduli": ()}, "must hold at least one prime"),
        ({"plaintext_modulus": GOOD.modulus}, "distinct"),
        ({"ciphertext_moduli": GOOD.ciphertext_moduli * 2}, "distinct"),
        ({"plaintext_modulus": 40961 * 4096 + 2}, "prime = 1 mod 2N = 4096"),
        ({"plaintext_modulus": 2**62 + 1}, "must be below 2^62"),
        ({"plaintext_modulus": 1}, "prime = 1 mod 2N"),
        ({"plaintext_modulus": -5}, "prime = 1 mod 2N"),
        ({"ciphertext_moduli": (9, 0)}, "prime = 1 mod 2N"),
    ],
)
def test_refusals_name_the_rule(change, words):
    with pytest.raises(ValueError) as error:
        dataclasses.replace(GOOD, **change)
    assert words in str(error.value)


def test_a_modulus_that_is_no_prime_is_refused_with_the_nearest():
    # 65537 = 16 * 4096 + 1 is Fermat's; the next are composite up to 86017.
    words = r"got 65539\. The nearest legal: 65537 below and 86017 above\."
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(GOOD, plaintext_modulus=65539)
    assert next_prime(65537, 4096) == 86017


def test_only_legal_neighbours_are_named():
    # 12289 = 3 * 4096 + 1 is the smallest prime of its kind.
    with pytest.raises(ValueError, match=r"legal: 12289 above\."):
        dataclasses.replace(GOOD, plaintext_modulus=5)
    # Above 2^54 the ring is not secure.
    below = next_prime(2**54, 4096, -1)
    with pytest.raises(ValueError, match=rf"legal: {below} below\."):
        dataclasses.replace(GOOD, ciphertext_moduli=(2**54 - 1,))
    # A modulus beside another of 53 bits has no room at all.
    with pytest.raises(ValueError, match="There is none beside the other moduli"):
        dataclasses.replace(GOOD, ciphertext_moduli=(next_prime(2**53, 4096), 4097))


def test_a_congruent_composite_is_refused():
    composite = next(4096 * k + 1 for k in range(1, 1000) if not is_prime(4096 * k + 1))
    with pytest.raises(ValueError, match="must be a prime"):
        dataclasses.replace(GOOD, plaintext_modulus=composite)


def test_too_large_a_modulus_for_the_ring():
    large = next_prime(2**55, 4096)
    with pytest.raises(ValueError, match=r"at most 2\^54 for 128-bit") as error:
        dataclasses.replace(GOOD, ciphertext_moduli=(large,))
    below = next_prime(2**54, 4096, -1)
    assert f"Take a single modulus of at most {below}, or `log_n` = 12" in str(
        error.value
    )


def test_two_moduli():
    first = next_prime(2**27, 4096, -1)
    second = next_prime(first, 4096, -1)
    both = dataclasses.replace(
        GOOD, ciphertext_moduli=(first, second), plaintext_modulus=12289
    )
    assert both.modulus == first * second
    assert both.block_bytes == 2 * 2048 * (27 + 27) // 8


def test_digest_names_the_set():
    assert GOOD.digest() == choose_parameters(64, 8).digest()
    others = {
        dataclasses.replace(GOOD, max_summands=7).digest(),
        dataclasses.replace(GOOD, noise_variance=12, max_summands=7).digest(),
        choose_parameters(65, 8).digest(),
        GOOD.digest(),
    }
    assert len(GOOD.digest()) == 16 and len(others) == 4
