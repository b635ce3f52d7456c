"""An oracle of the ring-LWE cipher in NumPy and Python's integers, from its definition.

It shares no code with the package: the streams are those of `rfc8439.py`, transforms are
undone by the sum over all powers of psi, products are those of `polynomials.py` modulo q.
"""

import math
import struct

import numpy as np

from tests.selenc_tf.lattice.device import polynomials, rfc8439


def words(seed, purpose, chunk, shape):
    """Words of a key stream, the first word of every block first: object array."""
    tag = struct.unpack(">I", purpose)[0]
    count = math.prod(shape)
    blocks = -(-count // 16)
    if blocks > 4096:
        raise ValueError("The order within more than a group is not needed here.")
    stream = rfc8439.stream(list(seed), [tag, chunk, 0], 0, blocks * 16)
    by_word = np.array(stream, object).reshape(blocks, 16).T.ravel()
    return by_word[:count].reshape(shape)


def binomial(drawn, variance):
    """From words [l, ...]: of the bits, lowest word and bit first, 2v minus 2v."""
    numbers = sum(drawn[i] << (32 * i) for i in range(len(drawn)))
    mask = (1 << 2 * variance) - 1
    count = np.frompyfunc(lambda bits: int(bits).bit_count(), 1, 1)
    return count(numbers & mask) - count(numbers >> (2 * variance) & mask)


def secret(seed, parameters):
    """The coefficients of a secret [N]."""
    length = -(-4 * parameters.variance // 32)
    drawn = words(seed, b"SECR", 0, (length, 1 << parameters.log_n))
    return binomial(drawn, parameters.variance)


def noise(seed, chunk, parameters):
    """The noise of a chunk [N, B]."""
    length = -(-4 * parameters.variance // 32)
    shape = (length, 1 << parameters.log_n, parameters.columns)
    return binomial(words(seed, b"NOIS", chunk, shape), parameters.variance)


def public(seed, chunk, parameters):
    """The coefficients of `a` modulo q: object [N, B]."""
    q = math.prod(parameters.primes)
    length = -(-(q.bit_length() + 64) // 32)
    shape = (length, 1 << parameters.log_n, parameters.columns)
    drawn = words(seed, b"PUBA", chunk, shape)
    values = sum(drawn[i] << (32 * i) for i in range(length))
    residues = [
        interpolated((values % p).astype(np.int64), p, parameters.log_n)
        for p in parameters.primes
    ]
    return combined(residues, parameters.primes)


def interpolated(values, prime, log_n):
    """From values at psi^(2 brv(i) + 1) to coefficients: int64 [N, B]."""
    degree = 1 << log_n
    order = [int(f"{i:0{log_n}b}"[::-1], 2) for i in range(degree)]
    psi = next(
        root
        for root in (pow(g, (prime - 1) >> (log_n + 1), prime) for g in range(2, prime))
        if pow(root, degree, prime) == prime - 1
    )
    powers = np.array([pow(psi, i, prime) for i in range(2 * degree)], np.int64)
    exponents = 2 * np.array(order, np.int64) + 1
    inverse = pow(degree, -1, prime)
    found = np.empty_like(values)
    for n in range(degree):
        factors = powers[-exponents * n % (2 * degree)]
        found[n] = (factors[:, None] * values % prime).sum(axis=0) % prime
    return found * inverse % prime


def combined(residues, primes):
    """By the Chinese remainder theorem: object arrays from 0 to q - 1."""
    q = math.prod(primes)
    total = 0
    for residue, prime in zip(residues, primes, strict=True):
        others = q // prime
        total = total + np.asarray(residue).astype(object) * (
            others * pow(others, -1, prime)
        )
    return total % q


def opened(ciphertext, a, s, parameters):
    """What stands in a ciphertext.

    Args:
      ciphertext: Residues [P, N, B].
      a: object [N, B], or a sum of several.
      s: Integers [N].
      parameters: The parameter set.

    Returns:
      The sums of codes, object [v, N, B]; and the noise, object [N, B].
    """
    q = math.prod(parameters.primes)
    width, fields = parameters.width, parameters.fields
    t = 1 << (width * fields)
    whole = combined(ciphertext, parameters.primes)
    masks = np.array(
        [polynomials.product(column, s, q) for column in (a % q).T], object
    ).T
    phase = (whole - masks) % q
    phase = np.where(phase > q // 2, phase - q, phase)
    message = (phase + t // 2) % t - t // 2
    found_noise = (phase - message) // t
    codes, rest = [], message
    for _ in range(fields):
        half = 1 << (width - 1)
        code = (rest + half) % (1 << width) - half
        codes.append(code)
        rest = (rest - code) >> width
    return np.stack(codes), found_noise
