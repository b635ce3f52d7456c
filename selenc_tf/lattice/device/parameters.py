"""Parameters of the additive ring-LWE cipher, checked before anything is encrypted.

A coefficient holds v values of b bits in fields of w = ceil(log2(k 2^b)) bits, so that no
sum of k leaves its field, and t = 2^(v w) is the plaintext modulus. A ciphertext is
c = a s + t e + m modulo q, and a sum of k opens exactly as long as

    t (2 E_max + 1) <= q,      E_max = 2 v_e k,

for a centred binomial noise of variance v_e is never above 2 v_e. The bound is a hard one:
the declared probability that a sum of k opens wrongly is zero, whatever is drawn, and the
same message k times is no exception. `noise_tail` says how improbable already much smaller
noise is.

Security: log2 q is at most what the standard's table allows at 128 bits. It is for ternary
secrets; ours have the variance of the noise, which is harder to find.

With a key of its own for every client, the server learns the sums of secrets and noises.
Of two clients the one's secret, given the sum, has a hypergeometric distribution: at the
middle of the sum its variance is v / 2 (Gaussians: exactly v / 2 everywhere). So secrets
and noises are drawn there with twice the variance.

References:
  Albrecht et al., "Homomorphic Encryption Security Standard", HomomorphicEncryption.org,
  2018, table 1. Hoeffding, "Probability inequalities for sums of bounded random variables",
  JASA 58, 1963.
"""

import dataclasses
import functools
import math
from fractions import Fraction

import sympy

from selenc_tf import validation
from selenc_tf.lattice import parameters as standard
from selenc_tf.lattice.device import ntt, residues, spelled
from selenc_tf.lattice.device import primes as prime_search

# The rings and their numbers of primes.
PRIMES_OF = {11: 2, 12: 4}
SHARED_KEY_VARIANCE = standard.MIN_NOISE_VARIANCE
PER_CLIENT_VARIANCE = 2 * standard.MIN_NOISE_VARIANCE
MAX_BITS = 32
NAME = "device_rlwe"
"""Of the cipher."""

_MAX_FIELDS = 12
_COLUMNS = 32


_MOST_SUMMANDS, _MOST_COLUMNS, _MOST_VARIANCE = 1 << 20, 1 << 12, 1 << 8


@dataclasses.dataclass(frozen=True)
class RlweParameters:
    """A parameter set; constructing one checks it.

    Attributes:
      log_n: log2 of the ring degree N: 11 or 12.
      primes: Distinct primes = 1 mod 2N of equally many bits; q is their product.
      bits: b of the codec; codes lie within +-(2^(b-1) - 1).
      max_summands: k, the number of ciphertexts that may be added.
      variance: Of the centred binomial noise and of the secret.
      columns: B, the polynomials of a chunk. XLA's loops are as long.
    """

    log_n: int
    primes: tuple[int, ...]
    bits: int
    max_summands: int
    variance: int = SHARED_KEY_VARIANCE
    columns: int = _COLUMNS

    def __post_init__(self) -> None:
        """Checks arithmetic, security and the noise budget.

        Raises:
          ValueError: Naming the rule that is broken.
        """
        validation.check_in("log_n", self.log_n, tuple(PRIMES_OF))
        validation.check_in("bits", self.bits, range(2, MAX_BITS + 1))
        # A text in a graph may ask for anything: what is accepted can be built.
        for name, value, most in (
            ("max_summands", self.max_summands, _MOST_SUMMANDS),
            ("columns", self.columns, _MOST_COLUMNS),
            ("variance", self.variance, _MOST_VARIANCE),
        ):
            validation.check_at_least(name, value, 1)
            if value > most:
                raise ValueError(f"`{name}` must be at most {most}, got {value}.")
        if self.variance < SHARED_KEY_VARIANCE:
            raise ValueError(
                f"`variance` must be at least {SHARED_KEY_VARIANCE} (the security tables "
                f"assume a standard deviation of 3.19), got {self.variance}."
            )
        two_n = 2 * self.degree
        sizes = {prime.bit_length() for prime in self.primes}
        if (
            len(self.primes) == 0
            or len(set(self.primes)) < len(self.primes)
            or len(sizes) > 1
            or self.prime_bits > prime_search.MAX_PRIME_BITS
            or any(p % two_n != 1 or not sympy.isprime(p) for p in self.primes)
        ):
            raise ValueError(
                f"`primes` must be distinct primes = 1 mod {two_n} of equally many bits, "
                f"at most {prime_search.MAX_PRIME_BITS}, got {self.primes}. "
                "`primes.ntt_primes` finds them."
            )
        allowed = standard.MAX_LOG_Q_128[self.log_n]
        if self.modulus > 1 << allowed:
            raise ValueError(
                f"`primes` must multiply to at most 2^{allowed} for 128-bit security at "
                f"N = {self.degree}, got 2^{math.log2(self.modulus):.2f}. Take smaller "
                "primes, or the larger ring."
            )
        if self.fields < 1:
            missing = (self._growth << self.width).bit_length()
            raise ValueError(
                f"`primes` must multiply to at least 2^{missing} to hold sums of "
                f"{self.max_summands} codes of {self.bits} bits beside their noise, got "
                f"2^{math.log2(self.modulus):.2f}. Take fewer bits or summands."
            )

    @property
    def degree(self) -> int:
        """N."""
        return 1 << self.log_n

    @property
    def modulus(self) -> int:
        """The ciphertext modulus q."""
        return math.prod(self.primes)

    @property
    def prime_bits(self) -> int:
        """The bits of one residue as it is sent."""
        return max(prime.bit_length() for prime in self.primes)

    @property
    def width(self) -> int:
        """The bits w of a field, which holds a sum with its sign."""
        return ((self.max_summands << self.bits) - 1).bit_length()

    @property
    def fields(self) -> int:
        """The values v of one coefficient."""
        most = 0
        while self._growth << (self.width * (most + 1)) <= self.modulus:
            most += 1
        return min(most, _MAX_FIELDS)

    @property
    def plaintext_modulus(self) -> int:
        """The plaintext modulus t = 2^(v w)."""
        return 1 << (self.fields * self.width)

    @property
    def max_abs_plaintext(self) -> int:
        """The largest magnitude of a value, k of which a field holds with their sign."""
        sums = (1 << (self.width - 1)) - 1
        return min(sums // self.max_summands, (1 << 31) - 1)

    @property
    def max_noise(self) -> int:
        """E_max: no coefficient of e_1 + ... + e_k ever exceeds it."""
        return 2 * self.variance * self.max_summands

    @property
    def moduli(self) -> residues.Moduli:
        """Arithmetic modulo the primes."""
        return residues.Moduli(self.primes)

    @property
    def transform(self) -> ntt.Transform:
        """The transform of the ring."""
        return _transform(self.log_n, self.primes)

    @property
    def coefficients(self) -> int:
        """The coefficients of a chunk, N B."""
        return self.degree * self.columns

    @property
    def chunk_values(self) -> int:
        """The values of a chunk, v N B."""
        return self.fields * self.coefficients

    @property
    def bytes_per_value(self) -> float:
        """Of a ciphertext's coefficients; `a` is a seed of 32 bytes a message."""
        return len(self.primes) * self.prime_bits / (8 * self.fields)

    def noise_tail(self, noise: float, summands: int | None = None) -> float:
        """A bound on how probable it is that one coefficient's noise is larger.

        Args:
          noise: In magnitude.
          summands: Of different messages; as many as may be added by default.

        Returns:
          2 exp(-x^2 / (2 v k)): Hoeffding's bound for 4 v k bits.
        """
        count = summands or self.max_summands
        return min(1.0, 2 * math.exp(-(noise**2) / (2 * self.variance * count)))

    def digest(self, digits: int = 16) -> str:
        """A fingerprint that names this parameter set in files.

        Args:
          digits: Of how many hex digits, at most 64.
        """
        return spelled.digest(self.text(), digits)

    def text(self) -> str:
        """All of it in one line, which `from_text` reads."""
        return spelled.text(NAME, self)

    @classmethod
    def from_text(cls, text: str) -> "RlweParameters":
        """The inverse of `text`, for whatever is written there.

        Raises:
          ValueError: If it is no parameter set.
        """
        return spelled.read(NAME, cls, text)

    @property
    def _growth(self) -> int:
        """Q must be at least this many times t."""
        return 2 * self.max_noise + 1


def choose_parameters(
    num_summands: int,
    quantisation_bits: int,
    per_client: bool = False,
    columns: int = _COLUMNS,
) -> RlweParameters:
    """The parameters with the fewest bytes a value; of equally cheap ones the smaller ring.

    Runs on: whoever sets up the cohort.

    Args:
      num_summands: k, the number of ciphertexts to be added.
      quantisation_bits: b, from 2 to 32.
      per_client: Whether every client has a key of its own, and the sum of keys is told.
      columns: B.

    Returns:
      A checked parameter set.

    Raises:
      ValueError: If nothing fits.

    Example:
      >>> chosen = choose_parameters(num_summands=64, quantisation_bits=16)
      >>> chosen.degree, chosen.fields, chosen.prime_bits, chosen.bytes_per_value
      (4096, 4, 25, 3.125)
    """
    validation.check_at_least("num_summands", num_summands, 1)
    validation.check_in("quantisation_bits", quantisation_bits, range(2, MAX_BITS + 1))
    variance = PER_CLIENT_VARIANCE if per_client else SHARED_KEY_VARIANCE
    width = ((num_summands << quantisation_bits) - 1).bit_length()
    growth = 4 * variance * num_summands + 1
    best, lowest = None, Fraction(1 << 20)
    for log_n, count in PRIMES_OF.items():
        most = prime_search.MAX_PRIME_BITS * count
        for fields in range(1, min(most // width, _MAX_FIELDS) + 1):
            found = _smallest_primes(log_n, count, growth << (fields * width))
            if found and Fraction(found[0].bit_length() * count, fields) < lowest:
                lowest = Fraction(found[0].bit_length() * count, fields)
                best = log_n, found
    if best is None:
        raise ValueError(
            f"`num_summands` = {num_summands} codes of `quantisation_bits` = "
            f"{quantisation_bits} must fit, with their sum and the noise, into a modulus "
            f"of {max(PRIMES_OF.values()) * prime_search.MAX_PRIME_BITS} bits, and do not. "
            "Take fewer of both."
        )
    log_n, found = best
    return RlweParameters(
        log_n, found, quantisation_bits, num_summands, variance, columns
    )


def _smallest_primes(log_n: int, count: int, least: int) -> tuple[int, ...] | None:
    """Primes of the fewest bits whose product is at least this, within the table."""
    for bits in range(
        max(least.bit_length() // count, log_n + 3), prime_search.MAX_PRIME_BITS + 1
    ):
        if bits * count > standard.MAX_LOG_Q_128[log_n]:
            return None
        try:
            found = prime_search.ntt_primes(log_n, bits, count)
        except ValueError:  # So small primes are few.
            continue
        if math.prod(found) >= least:
            return found
    return None


@functools.cache
def _transform(log_n: int, primes: tuple[int, ...]) -> ntt.Transform:
    """Its tables are made once."""
    return ntt.Transform(log_n, residues.Moduli(primes))
