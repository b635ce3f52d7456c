"""Parameters of symmetric BGV, checked before anything is encrypted with them.

A ciphertext of m under the key s is (c0, c1 = a) with c0 = -a*s + t*e + m mod q in
Z_q[X]/(X^N + 1), a uniform, e small. The sum of k ciphertexts decrypts exactly modulo t
as long as, coefficient by coefficient,

    |t * (e_1 + ... + e_k) + (m_1 + ... + m_k)| < q / 2.

The bound on the noise is a hard one: no k messages exceed it, different or k times the
same one, whatever is drawn. For what the sum of more noise decrypts to depends on the
noise, and so tells of the key. There is no public key, so the noise does not grow with N.
`docs/lattice.md` derives the bound and says what is claimed.

References:
  Brakerski, Gentry, Vaikuntanathan, "(Leveled) Fully Homomorphic Encryption without
  Bootstrapping", ITCS 2012. Albrecht et al., "Homomorphic Encryption Security Standard",
  HomomorphicEncryption.org, 2018. Alkim, Ducas, Poeppelmann, Schwabe, "Post-quantum Key
  Exchange - A New Hope", USENIX Security 2016 (the centred binomial as noise).
"""

import dataclasses
import hashlib
import itertools
import json
import math
from collections.abc import Callable, Collection
from fractions import Fraction

import sympy

from selenc_tf import validation
from selenc_tf.lattice.packing import Packing

# Homomorphic Encryption Security Standard (Albrecht et al., 2018), Table 1: the largest
# log2 q with 128 bits of classical security (the column for ternary secrets).
MAX_LOG_Q_128 = {10: 27, 11: 54, 12: 109, 13: 218, 14: 438, 15: 881}

# The rings that tf-shell 0.5.0 computes correctly. With N = 32768 (log_n = 15) it crashes
# or returns wrong slots even without encryption.
SUPPORTED_LOG_N = (10, 11, 12, 13, 14)

# Montgomery arithmetic on 64 bits needs every modulus, and t, below 2^62.
MAX_MODULUS_BITS = 62

# The standard assumes a noise of standard deviation 8 / sqrt(2 pi) = 3.19, so a variance
# of 10.2; the next integer is 11. SHELL samples no variance above 256.
MIN_NOISE_VARIANCE = 11
MAX_NOISE_VARIANCE = 256


@dataclasses.dataclass(frozen=True)
class Parameters:
    """A parameter set of symmetric BGV; constructing one checks it.

    Attributes:
      log_n: log2 of the ring degree N, which is also the number of slots.
      ciphertext_moduli: Distinct primes = 1 mod 2N; q is their product.
      plaintext_modulus: t, a prime = 1 mod 2N.
      max_summands: k, the number of ciphertexts that may be added.
      noise_variance: Of the centred binomial noise.
    """

    log_n: int
    ciphertext_moduli: tuple[int, ...]
    plaintext_modulus: int
    max_summands: int
    noise_variance: int = MIN_NOISE_VARIANCE

    def __post_init__(self) -> None:
        """Checks security, arithmetic and the noise budget.

        Raises:
          ValueError: Naming the rule that is broken and the nearest legal value.
        """
        validation.check_in("log_n", self.log_n, SUPPORTED_LOG_N)
        validation.check_at_least("max_summands", self.max_summands, 1)
        _check_noise_variance(self.noise_variance)
        self._check_moduli()
        self._check_security()
        self._check_budget()

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
    def max_noise(self) -> int:
        """E_max: no coefficient of e_1 + ... + e_k ever exceeds it."""
        return _max_noise(self.max_summands, self.noise_variance)

    @property
    def block_bytes(self) -> int:
        """The bytes of one ciphertext: two polynomials, each coefficient bit-packed."""
        bits = sum(modulus.bit_length() for modulus in self.ciphertext_moduli)
        return 2 * self.num_slots * bits // 8

    def digest(self, digits: int = 16) -> str:
        """A fingerprint that names this parameter set in files.

        Args:
          digits: Of how many hex digits, at most 64.
        """
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:digits]

    def _check_moduli(self) -> None:
        if not self.ciphertext_moduli:
            raise ValueError(
                "`ciphertext_moduli` must hold at least one prime, got none. Take the "
                f"largest for this ring: {self._largest_single_modulus()}."
            )
        moduli = (*self.ciphertext_moduli, self.plaintext_modulus)
        for index, modulus in enumerate(moduli):
            last = index == len(self.ciphertext_moduli)
            name = "`plaintext_modulus`" if last else "Each of `ciphertext_moduli`"
            others = moduli[:index] + moduli[index + 1 :]
            if modulus >= 1 << MAX_MODULUS_BITS:
                rule = f"must be below 2^{MAX_MODULUS_BITS} for 64-bit arithmetic"
            elif modulus % self.two_n != 1 or not sympy.isprime(modulus):
                rule = f"must be a prime = 1 mod 2N = {self.two_n}"
            elif modulus in others:
                rule = "must be distinct from every other modulus"
            else:
                continue
            limit = 1 << MAX_MODULUS_BITS
            if not last:
                # What the security table leaves beside the other moduli.
                rest = max(math.prod(others[:-1]), 1)
                limit = min(limit, (1 << MAX_LOG_Q_128[self.log_n]) // rest)
            nearest = _nearest_primes(modulus, self.two_n, limit, others)
            raise ValueError(f"{name} {rule}, got {modulus}. {nearest}")

    def _check_security(self) -> None:
        allowed = MAX_LOG_Q_128[self.log_n]
        if self.modulus <= 1 << allowed:
            return
        rings = [
            log_n
            for log_n in SUPPORTED_LOG_N
            if self.modulus <= 1 << MAX_LOG_Q_128[log_n]
        ]
        larger = f", or `log_n` = {rings[0]} and primes for it" if rings else ""
        raise ValueError(
            f"`ciphertext_moduli` must multiply to at most 2^{allowed} for 128-bit "
            f"security at N = {self.num_slots}, got 2^{math.log2(self.modulus):.2f}. "
            f"Take a single modulus of at most {self._largest_single_modulus()}{larger}."
        )

    def _check_budget(self) -> None:
        if self._fits(self.plaintext_modulus, self.max_summands):
            return
        # The largest t with 2 t (E_max + k) < q.
        limit = (self.modulus - 1) // (2 * (self.max_noise + self.max_summands))
        largest = _prime_below(limit + 1, self.two_n, self.ciphertext_moduli)
        fewer = _largest_that(
            lambda count: self._fits(self.plaintext_modulus, count),
            0,
            self.max_summands,
        )
        ways = []
        if largest:
            ways.append(f"`plaintext_modulus` = {largest}, the largest that fits")
        if fewer:
            ways.append(f"`max_summands` = {fewer}")
        ways.append("a larger ciphertext modulus")
        raise ValueError(
            f"`max_summands` = {self.max_summands} with `plaintext_modulus` = "
            f"{self.plaintext_modulus} leaves no room for noise: t * (E_max + k) = t * "
            f"({self.max_noise} + {self.max_summands}) must stay below q / 2 = "
            f"{self.modulus // 2}. Take {', or '.join(ways)}."
        )

    def _fits(self, plaintext_modulus: int, count: int) -> bool:
        """Whether sums of `count` ciphertexts stay below q / 2."""
        # Slots are encoded into coefficients modulo t; whatever representative the
        # encoder takes is below t, and sums are not reduced before decryption. So k
        # messages count as much as k units of noise.
        noise = _max_noise(count, self.noise_variance)
        return 2 * plaintext_modulus * (noise + count) < self.modulus

    def _largest_single_modulus(self) -> int:
        bits = min(MAX_LOG_Q_128[self.log_n], MAX_MODULUS_BITS)
        return _prime_below(1 << bits, self.two_n, (self.plaintext_modulus,))


def choose_parameters(
    num_summands: int,
    quantisation_bits: int,
    noise_variance: int = MIN_NOISE_VARIANCE,
) -> Parameters:
    """The parameters with the fewest ciphertext bytes a value.

    Every ring, every size of a single modulus and every number of values in a slot (see
    `packing.py`) is tried. Of equally cheap ones the smallest ring is taken, and in it
    the most values in a slot. q and t are the smallest primes that do.

    Runs on: key holder.

    Args:
      num_summands: k, the number of ciphertexts to be added.
      quantisation_bits: b >= 2; codes lie within +-(2^(b-1) - 1).
      noise_variance: Of the centred binomial noise.

    Returns:
      A checked parameter set whose `plaintext_modulus` holds as many values in a slot as
      were counted: `Packing` with the same numbers finds them.

    Raises:
      ValueError: If nothing fits; the message says by how many bits, and what to reduce.

    Example:
      >>> chosen = choose_parameters(num_summands=64, quantisation_bits=16)
      >>> chosen.num_slots, chosen.modulus.bit_length()
      (4096, 56)
      >>> round(bytes_per_value(chosen, 16), 2)
      7.0
    """
    validation.check_at_least("num_summands", num_summands, 1)
    validation.check_at_least("quantisation_bits", quantisation_bits, 2)
    _check_noise_variance(noise_variance)
    found = _cheapest(num_summands, quantisation_bits, noise_variance)
    if found is not None:
        return found
    bits = _largest_that(
        lambda size: bool(_cheapest(num_summands, size, noise_variance)),
        1,
        quantisation_bits,
    )
    count = _largest_that(
        lambda size: bool(_cheapest(size, quantisation_bits, noise_variance)),
        0,
        num_summands,
    )
    ways = []
    if bits > 1:
        fewer = quantisation_bits - bits
        ways.append(f"`quantisation_bits` = {bits} ({fewer} bits fewer)")
    if count > 0:
        ways.append(f"`num_summands` = {count}")
    raise ValueError(
        f"`num_summands` = {num_summands} codes of `quantisation_bits` = "
        f"{quantisation_bits} must fit, with their sum and the noise, into a ciphertext "
        f"modulus of {MAX_MODULUS_BITS} bits, and do not. "
        f"Take {', or '.join(ways) or 'fewer of both'}."
    )


def bytes_per_value(parameters: Parameters, quantisation_bits: int) -> float:
    """The ciphertext bytes that one encrypted value costs in a full block.

    One slot of each block is reserved for a check value.

    Args:
      parameters: The parameter set.
      quantisation_bits: b >= 2; codes lie within +-(2^(b-1) - 1).

    Returns:
      Bytes of a block over the values that it holds.

    Raises:
      ValueError: If a slot does not hold even one such value.
    """
    validation.check_at_least("quantisation_bits", quantisation_bits, 2)
    packing = Packing(
        _max_abs_code(quantisation_bits),
        parameters.max_summands,
        parameters.plaintext_modulus,
    )
    values = (parameters.num_slots - 1) * packing.values_per_slot
    return parameters.block_bytes / values


def _cheapest(count: int, bits: int, noise_variance: int) -> Parameters | None:
    """What `choose_parameters` returns, or None if nothing fits."""
    field_bits = (_max_abs_code(bits) * count).bit_length() + 1
    # q must exceed this many times t.
    growth = 2 * (_max_noise(count, noise_variance) + count)
    best: Parameters | None = None
    # Bits of q for one value. The reserved slot is left out: it would favour a large
    # ring by a thousandth, and a large ring wastes more where a message ends.
    lowest = Fraction(MAX_MODULUS_BITS + 1)
    for log_n in SUPPORTED_LOG_N:
        allowed = min(MAX_LOG_Q_128[log_n], MAX_MODULUS_BITS)
        for values in range(allowed // field_bits, 0, -1):
            # t >= 2^(field_bits * values), so q has at least so many bits: most
            # candidates are out before any search for primes.
            least = field_bits * values + growth.bit_length()
            if least > allowed or Fraction(least, values) >= lowest:
                continue
            two_n = 2 << log_n
            plaintext_modulus = _prime_above((1 << field_bits * values) - 1, two_n)
            modulus = _prime_above(growth * plaintext_modulus, two_n)
            cost = Fraction(modulus.bit_length(), values)
            if modulus.bit_length() <= allowed and cost < lowest:
                lowest = cost
                best = Parameters(
                    log_n, (modulus,), plaintext_modulus, count, noise_variance
                )
    return best


def _max_abs_code(quantisation_bits: int) -> int:
    return (1 << (quantisation_bits - 1)) - 1


def _max_noise(count: int, variance: int) -> int:
    """E_max: what no coefficient of a sum of `count` noises exceeds.

    A centred binomial of variance v is a difference of two sums of 2v bits, so it is never
    above 2v in magnitude; and a sum of k is never above k times that. Nothing smaller will
    do: k copies of one message have k times its noise. (For different messages a tail
    bound would be smaller, of the order of the root of k; but nothing in a sum shows that
    its messages are different.)
    """
    return 2 * variance * count


def _check_noise_variance(variance: int) -> None:
    if not MIN_NOISE_VARIANCE <= variance <= MAX_NOISE_VARIANCE:
        nearest = min(max(variance, MIN_NOISE_VARIANCE), MAX_NOISE_VARIANCE)
        raise ValueError(
            f"`noise_variance` must be from {MIN_NOISE_VARIANCE} (the security tables "
            f"assume a standard deviation of 3.19) to {MAX_NOISE_VARIANCE} (tf-shell "
            f"samples no more), got {variance!r}. The nearest is {nearest}."
        )


def _largest_that(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The largest number in (low, high) with the property, or `low`.

    The property must be monotone: what holds for a number holds for smaller ones.
    """
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _nearest_primes(value: int, two_n: int, limit: int, taken: Collection[int]) -> str:
    """A sentence with the legal primes next to `value`: those below `limit`."""
    below = _prime_below(min(value, limit), two_n, taken)
    above = _prime_above(max(value, 1), two_n, taken)
    sides = []
    if below:
        sides.append(f"{below} below")
    if above < limit:
        sides.append(f"{above} above")
    if not sides:
        return "There is none beside the other moduli: take a larger `log_n`."
    return f"The nearest legal: {' and '.join(sides)}."


def _prime_below(limit: int, two_n: int, taken: Collection[int] = ()) -> int:
    """The largest prime < `limit` that is 1 modulo `two_n`, or 0 if there is none."""
    start = (limit - 2) // two_n * two_n + 1
    for candidate in range(start, two_n, -two_n):
        if candidate not in taken and sympy.isprime(candidate):
            return candidate
    return 0


def _prime_above(limit: int, two_n: int, taken: Collection[int] = ()) -> int:
    """The smallest prime > `limit` that is 1 modulo `two_n`."""
    start = (limit - 1) // two_n * two_n + two_n + 1
    # By Dirichlet's theorem the search ends.
    return next(
        candidate
        for candidate in itertools.count(start, two_n)
        if candidate not in taken and sympy.isprime(candidate)
    )
