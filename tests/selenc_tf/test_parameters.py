import dataclasses
import math

import pytest

from selenc_tf.lattice import parameters
from selenc_tf.lattice.parameters import Parameters, choose_parameters

# Two primes = 1 mod 4096 for N = 2048: 54 and 46 bits.
GOOD = choose_parameters(max_summands=8, max_abs_value=2**31 - 1)


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


def next_prime(number, step):
    """The first prime = 1 mod `step` above `number`."""
    candidate = number // step * step + 1
    while candidate <= number or not is_prime(candidate):
        candidate += step
    return candidate


CASES = [(1, 1), (2, 2**31 - 1), (100, 2**15 - 1), (10, 2**31 - 1), (1000, 2**31 - 1)]


@pytest.mark.parametrize(("summands", "value"), CASES)
def test_chosen_parameters_keep_every_rule(summands, value):
    chosen = choose_parameters(summands, value)
    primes = (*chosen.ciphertext_moduli, chosen.plaintext_modulus)
    assert len(set(primes)) == len(primes)
    for prime in primes:
        assert is_prime(prime) and prime % (2 * 2**chosen.log_n) == 1
    standard = {10: 27, 11: 54, 12: 109, 13: 218, 14: 438, 15: 881}
    assert math.prod(chosen.ciphertext_moduli) <= 2 ** standard[chosen.log_n]
    assert chosen.max_abs_sum >= summands * value
    assert chosen.max_summands == summands
    assert chosen.num_slots == 2**chosen.log_n


def test_the_table_is_the_standards():
    assert parameters.MAX_LOG_Q_128 == {
        10: 27, 11: 54, 12: 109, 13: 218, 14: 438, 15: 881
    }  # fmt: skip


def test_more_summands_or_larger_values_never_take_a_smaller_ring():
    rings = [
        [choose_parameters(k, 2**bits).log_n for bits in (1, 15, 31)]
        for k in (1, 8, 64, 512)
    ]
    for row in rings:
        assert row == sorted(row)
    for column in zip(*rings, strict=True):
        assert list(column) == sorted(column)
    assert {ring for row in rings for ring in row} == {11, 12}


def test_the_smaller_ring_was_not_possible():
    summands, value = 512, 2**31
    assert choose_parameters(summands, value).log_n == 12
    small = choose_parameters(1, 1)
    assert small.log_n == 11
    with pytest.raises(ValueError, match="no room for noise"):
        Parameters(
            log_n=11,
            ciphertext_moduli=small.ciphertext_moduli,
            plaintext_modulus=next_prime(2 * summands * value, 4096),
            max_summands=summands,
        )


def test_the_plaintext_modulus_is_as_large_as_the_noise_allows():
    # To within one in a hundred.
    larger = next_prime(GOOD.plaintext_modulus * 101 // 100, 4096)
    with pytest.raises(ValueError, match="smaller `plaintext_modulus`"):
        dataclasses.replace(GOOD, plaintext_modulus=larger)


def test_impossible_demand_says_by_how_much():
    with pytest.raises(ValueError, match=r"\d+ more than the largest ring"):
        choose_parameters(2**20, 2**40)


@pytest.mark.parametrize(("summands", "value"), [(0, 5), (5, 0)])
def test_nonsense_demand(summands, value):
    with pytest.raises(ValueError, match="must be at least 1"):
        choose_parameters(summands, value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"log_n": 9}, "`log_n` must be one of: 10, 11"),
        ({"max_summands": 0}, "`max_summands` must be at least 1"),
        ({"noise_variance": 1}, "`noise_variance`"),
        ({"plaintext_modulus": GOOD.ciphertext_moduli[0]}, "distinct"),
        ({"ciphertext_moduli": GOOD.ciphertext_moduli * 2}, "distinct"),
        ({"plaintext_modulus": 40961 * 4096 + 2}, "prime = 1 mod 2N = 4096"),
        ({"max_summands": 10**6}, "no room for noise"),
    ],
)
def test_refusals_name_the_rule(change, words):
    with pytest.raises(ValueError) as error:
        dataclasses.replace(GOOD, **change)
    assert words in str(error.value)


def test_a_modulus_that_is_no_prime_is_refused_with_the_nearest():
    # 65537 = 16 * 4096 + 1 is Fermat's.
    with pytest.raises(ValueError, match=r"got 65539\. The nearest below is 65537\."):
        dataclasses.replace(GOOD, plaintext_modulus=65539)
    with pytest.raises(ValueError, match="The nearest below") as error:
        dataclasses.replace(GOOD, plaintext_modulus=1_000_001)
    nearest = int(str(error.value).rsplit(" ", 1)[1].rstrip("."))
    assert is_prime(nearest) and nearest % 4096 == 1
    assert next_prime(nearest, 4096) > 1_000_001


def test_a_congruent_composite_is_refused():
    composite = next(4096 * k + 1 for k in range(1, 1000) if not is_prime(4096 * k + 1))
    with pytest.raises(ValueError, match="must be a prime"):
        dataclasses.replace(GOOD, plaintext_modulus=composite)


def test_too_large_a_modulus_for_the_ring():
    large = next_prime(2**55, 4096)
    with pytest.raises(ValueError, match=r"at most 2\^54 for 128-bit"):
        dataclasses.replace(GOOD, ciphertext_moduli=(large,))


def test_digest_names_the_set():
    assert GOOD.digest() == choose_parameters(8, 2**31 - 1).digest()
    others = {
        dataclasses.replace(GOOD, max_summands=7).digest(),
        choose_parameters(9, 2**31 - 1).digest(),
        GOOD.digest(),
    }
    assert len(GOOD.digest()) == 16 and len(others) == 3
