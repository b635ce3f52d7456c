"""Primes for number-theoretic transforms in 32-bit words, and their roots of unity.

>>> primes = ntt_primes(log_n=11, bits=27, count=2)
>>> primes, [prime % 4096 for prime in primes]
((134176769, 134111233), [1, 1])
"""

import sympy

MAX_PRIME_BITS = 27
"""Sums of 26 residues and more fit into a word: a transform need not reduce them."""


def ntt_primes(log_n: int, bits: int, count: int) -> tuple[int, ...]:
    """The largest primes below 2^bits that are 1 modulo 2N.

    Args:
      log_n: log2 of N.
      bits: Of each prime, at most 27.
      count: How many.

    Returns:
      The primes, the largest first.

    Raises:
      ValueError: If there are not so many with so many bits.
    """
    two_n = 2 << log_n
    found: list[int] = []
    for candidate in range((1 << bits) - two_n + 1, 1 << (bits - 1), -two_n):
        if len(found) < count and sympy.isprime(candidate):
            found.append(candidate)
    if len(found) < count or bits > MAX_PRIME_BITS:
        raise ValueError(
            f"`bits` must be at most {MAX_PRIME_BITS}, with `count` = {count} primes of "
            f"so many bits that are 1 modulo {two_n}, got {bits}: there are {len(found)}."
        )
    return tuple(found)


def root_of_unity(prime: int, log_order: int) -> int:
    """A primitive root of unity of order 2^log_order: the one of the smallest base.

    Args:
      prime: 1 modulo 2^log_order.
      log_order: At least 1.

    Returns:
      psi, with psi^(order / 2) = -1.
    """
    exponent = (prime - 1) >> log_order
    roots = (pow(base, exponent, prime) for base in range(2, prime))
    half = 1 << (log_order - 1)
    return next(root for root in roots if pow(root, half, prime) == prime - 1)
