"""Parameters of symmetric BGV, checked before anything is encrypted with them.

A ciphertext of m under the key s is (c0, c1 = a) with c0 = -a*s + t*e + m mod q in
Z_q[X]/(X^N + 1), a uniform, e small. The sum of k ciphertexts decrypts exactly as long
as |t * (e_1 + ... + e_k)| + |m_1 + ... + m_k| < q / 2, coefficient by coefficient.
There is no public key, so the noise does not grow with N.
"""

import dataclasses
import hashlib
import json
import math

import sympy

from selenc_tf import validation

# Homomorphic Encryption Security Standard (Albrecht et al., 2018), Table 1: the largest
# log2 q with 128 bits of classical security (the column for ternary secrets).
MAX_LOG_Q_128 = {10: 27, 11: 54, 12: 109, 13: 218, 14: 438, 15: 881}

# The sizes of a single modulus that tf-shell's 64-bit arithmetic was tried with.
_SINGLE_MODULUS_BITS = {11: 54, 12: 59}


@dataclasses.dataclass(frozen=True)
class Parameters:
    """A parameter set of symmetric BGV; constructing one checks it.

    Attributes:
      log_n: log2 of the ring degree N, which is also the number of slots.
      ciphertext_moduli: Distinct primes = 1 mod 2N; q is their product.
      plaintext_modulus: t, a prime = 1 mod 2N.
      max_summands: The number of ciphertexts that may be added.
      noise_variance: Of the centred binomial error; 8 is the standard's choice.
    """

    log_n: int
    ciphertext_moduli: tuple[int, ...]
    plaintext_modulus: int
    max_summands: int
    noise_variance: int = 8

    def __post_init__(self) -> None:
        """Checks security, arithmetic and the noise budget.

        Raises:
          ValueError: Naming the rule that is broken and the nearest legal value.
        """
        validation.check_in("log_n", self.log_n, MAX_LOG_Q_128)
        validation.check_at_least("max_summands", self.max_summands, 1)
        validation.check_in("noise_variance", self.noise_variance, (8,))
        primes = (*self.ciphertext_moduli, self.plaintext_modulus)
        if len(set(primes)) != len(primes):
            raise ValueError(
                "`ciphertext_moduli` and `plaintext_modulus` must be distinct primes, "
                f"got {self.ciphertext_moduli} and {self.plaintext_modulus}."
            )
        for prime in primes:
            if prime % self.two_n != 1 or not sympy.isprime(prime):
                raise ValueError(
                    f"Every modulus must be a prime = 1 mod 2N = {self.two_n}, got "
                    f"{prime}. The nearest below is "
                    f"{_prime_below(prime, self.two_n)}."
                )
        allowed = MAX_LOG_Q_128[self.log_n]
        if math.log2(self.modulus) > allowed:
            raise ValueError(
                f"`ciphertext_moduli` must multiply to at most 2^{allowed} for 128-bit "
                f"security at N = {self.num_slots}, got 2^{math.log2(self.modulus):.2f}."
                " Take smaller moduli or a larger `log_n`."
            )
        if self.max_abs_sum < 1:
            raise ValueError(
                f"`max_summands` = {self.max_summands} leaves no room for noise: t * "
                f"{self._max_noise} must stay below q / 2. Take a smaller "
                f"`plaintext_modulus` (now {self.plaintext_modulus})."
            )

    @property
    def num_slots(self) -> int:
        """N, the values of one ciphertext."""
        return 1 << self.log_n

    @property
    def two_n(self) -> int:
        """2N: every modulus is 1 modulo it."""
        return 2 << self.log_n

    @property
    def modulus(self) -> int:
        """The ciphertext modulus q."""
        return math.prod(self.ciphertext_moduli)

    @property
    def _max_noise(self) -> int:
        # A centred binomial of variance v is a difference of two sums of 2v bits, so it
        # never exceeds 2v in magnitude: a hard bound, not a quantile.
        return 2 * self.noise_variance * self.max_summands

    @property
    def max_abs_sum(self) -> int:
        """The largest |m_1 + ... + m_k| that decrypts exactly, by t and by the noise."""
        # Slots are encoded into coefficients modulo t; whatever representative the
        # encoder takes is below t, and sums are not reduced before decryption.
        coefficients = self.plaintext_modulus * self.max_summands
        noise = self.plaintext_modulus * self._max_noise
        fits = noise + coefficients < self.modulus // 2
        return self.plaintext_modulus // 2 if fits else 0

    def digest(self) -> str:
        """A fingerprint (16 hex digits) that names this parameter set in files."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def choose_parameters(max_summands: int, max_abs_value: int) -> Parameters:
    """The cheapest parameters that add so many integers of such a size exactly.

    Runs on: key holder.

    Args:
      max_summands: k, the number of ciphertexts to be added.
      max_abs_value: The largest magnitude of one summand.

    Returns:
      A checked parameter set: the smallest ring in which k * max_abs_value fits.

    Raises:
      ValueError: If no ring with a single 64-bit modulus fits; the message says by how
        many bits, and what to reduce.
    """
    validation.check_at_least("max_summands", max_summands, 1)
    validation.check_at_least("max_abs_value", max_abs_value, 1)
    needed = 2 * max_summands * max_abs_value + 1
    most = 0
    for log_n, bits in _SINGLE_MODULUS_BITS.items():
        two_n = 2 << log_n
        modulus = _prime_below(1 << bits, two_n)
        # t * (16 k + k) < q / 2: the hard noise bound and the messages themselves.
        limit = modulus // (2 * 17 * max_summands + 1)
        largest = _prime_below(limit, two_n)
        most = max(most, largest)
        if largest >= needed:
            return Parameters(
                log_n=log_n,
                ciphertext_moduli=(modulus,),
                plaintext_modulus=largest,
                max_summands=max_summands,
            )
    excess = math.ceil(math.log2(needed / most))
    raise ValueError(
        f"`max_summands` = {max_summands} values up to {max_abs_value} need a plaintext"
        f" modulus of {math.log2(needed):.1f} bits, {excess} more than the largest ring "
        f"leaves beside the noise. Quantise to {excess} bits fewer, or add fewer clients."
    )


def _prime_below(limit: int, two_n: int) -> int:
    """The largest prime < `limit` that is 1 modulo `two_n`."""
    candidate = (limit - 2) // two_n * two_n + 1
    while candidate > two_n and not sympy.isprime(candidate):
        candidate -= two_n
    return candidate
