"""An independent oracle: symmetric BGV by the schoolbook, in Python's integers.

It shares no code with the package. Randomness and noise are arguments, so that a test
can inject the worst noise that is allowed, or one unit more. Nothing here is secure.
"""

from typing import NamedTuple

import numpy as np


class Ring(NamedTuple):
    """Z_q[X] / (X^N + 1) with plaintexts modulo t."""

    degree: int
    modulus: int
    plaintext_modulus: int


class Ciphertext(NamedTuple):
    """c0 = -a s + t e + m and c1 = a, coefficients in [0, q)."""

    c0: np.ndarray
    c1: np.ndarray


def multiply(left, right, modulus):
    """The product in Z_q[X] / (X^N + 1), term by term: X^N is -1."""
    degree = len(left)
    product = np.zeros(degree, object)
    for power, factor in enumerate(left):
        shifted = np.roll(np.asarray(right, object), power)
        shifted[:power] *= -1
        product += int(factor) * shifted
    return product % modulus


def centred(values, modulus):
    """The representatives in (-modulus / 2, modulus / 2], for an odd modulus."""
    reduced = np.asarray(values, object) % modulus
    return np.where(reduced > modulus // 2, reduced - modulus, reduced)


def uniform(ring, rng):
    """A polynomial with coefficients uniform modulo q < 2^63."""
    return rng.integers(0, ring.modulus, ring.degree).astype(object)


def encrypt_insecure(ring, secret, message, noise, mask):
    """Encrypts `message` (any representatives) with the given noise and mask a."""
    scaled = ring.plaintext_modulus * np.asarray(noise, object)
    body = scaled + np.asarray(message, object)
    c0 = (body - multiply(mask, secret, ring.modulus)) % ring.modulus
    return Ciphertext(c0, np.asarray(mask, object))


def add(ring, ciphertexts):
    """The sum of ciphertexts."""
    return Ciphertext(
        sum(each.c0 for each in ciphertexts) % ring.modulus,
        sum(each.c1 for each in ciphertexts) % ring.modulus,
    )


def phase(ring, secret, ciphertext):
    """c0 + c1 s, centred modulo q: t * (sum of noise) + (sum of messages)."""
    product = multiply(ciphertext.c1, secret, ring.modulus)
    return centred(ciphertext.c0 + product, ring.modulus)


def decrypt(ring, secret, ciphertext):
    """The sum of messages, modulo t and centred."""
    return centred(phase(ring, secret, ciphertext), ring.plaintext_modulus)


def from_evaluations(values, modulus):
    """The polynomial with these values at the odd powers of a primitive 2N-th root.

    The values come in bit-reversed order of the powers, as an in-place transform leaves
    them. Which primitive root was meant is not known and does not matter: another one
    permutes the coefficients and changes signs, products and sums stay what they are.
    """
    degree = len(values)
    bits = degree.bit_length() - 1
    order = [int(f"{index:0{bits}b}"[::-1], 2) for index in range(degree)]
    candidates = (
        pow(base, (modulus - 1) // (2 * degree), modulus) for base in range(2, 1000)
    )
    root = next(
        each for each in candidates if pow(each, degree, modulus) == modulus - 1
    )
    inverse = pow(root, -1, modulus)
    in_order = np.empty(degree, object)
    in_order[order] = values
    twisted = _transform(in_order, pow(inverse, 2, modulus), modulus)
    twist = _powers(inverse, degree, modulus)
    return centred(twisted * twist * pow(degree, -1, modulus), modulus)


def _transform(values, root, modulus):
    if len(values) == 1:
        return values
    even = _transform(values[::2], root * root % modulus, modulus)
    odd = _transform(values[1::2], root * root % modulus, modulus)
    odd = odd * _powers(root, len(odd), modulus)
    return np.concatenate([even + odd, even - odd]) % modulus


def _powers(base, count, modulus):
    powers = [1]
    while len(powers) < count:
        powers.append(powers[-1] * base % modulus)
    return np.array(powers, object)
