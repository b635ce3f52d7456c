"""An independent oracle: decrypts tf-shell's own bytes with NumPy and Python's integers.

It shares no code with the package and calls neither tf-shell nor TensorFlow. What it
knows of the library SHELL, on which tf-shell stands, was found by experiment:

- A polynomial's bytes are its values modulo q, each of as many bits as q has, packed
  without gaps, lowest bit first; one such stretch for each prime of q.
- The values are in Montgomery form, multiplied by 2^64, and are those at the roots
  psi^(2 brv(i) + 1), where brv reverses the bits of i.
- psi = g^((q - 1) / 2N) for the smallest g >= 2 that makes it a primitive root.
- c0 + c1 * s = m + t * e.
- Slot i < N / 2 is m(zeta^(5^i)) modulo t, slot N / 2 + i is m(zeta^(-5^i)), with zeta
  for t chosen as psi for q.
"""

import math
from typing import NamedTuple

import numpy as np

MONTGOMERY = 1 << 64
SLOT_GENERATOR = 5


class Opened(NamedTuple):
    """What a block decrypts to.

    Attributes:
      slots: int64 [N], centred modulo t.
      noise: Python integers [N], the coefficients of e.
    """

    slots: np.ndarray
    noise: np.ndarray


def decrypt(secret_key, block, parameters):
    """Decrypts one block.

    Args:
      secret_key: bytes of the secret polynomial.
      block: bytes of c0 and then c1.
      parameters: anything with `num_slots`, `ciphertext_moduli`, `plaintext_modulus`.

    Returns:
      The `Opened` block.
    """
    moduli, t = parameters.ciphertext_moduli, parameters.plaintext_modulus
    half = len(block) // 2
    s, c0, c1 = (
        _residues(text, moduli) for text in (secret_key, block[:half], block[half:])
    )
    phases = [
        _coefficients((c0[i] + c1[i] * s[i]) % q, q) for i, q in enumerate(moduli)
    ]
    phase = _centred(_combine(phases, moduli), math.prod(moduli))
    message = _centred(phase, t)
    noise = (phase - message) // t
    return Opened(slots_of(message, t), noise)


def secret_polynomial(secret_key, moduli):
    """The coefficients of s, centred: Python integers [N]."""
    first = _residues(secret_key, moduli)[0]
    return _centred(_coefficients(first, moduli[0]), moduli[0])


def slots_of(message, t):
    """int64 [N]: the slots of a polynomial with coefficients modulo t."""
    degree = len(message)
    at_odd_powers = _evaluate(message, _primitive_root(2 * degree, t), t)
    exponents = [pow(SLOT_GENERATOR, i, 2 * degree) for i in range(degree // 2)]
    exponents += [2 * degree - exponent for exponent in exponents]
    values = at_odd_powers[(np.array(exponents) - 1) // 2]
    return _centred(values, t).astype(np.int64)


def unpack(text, bits):
    """Integers of so many bits each: uint64 [8 len(text) / bits]."""
    rows = np.unpackbits(np.frombuffer(text, np.uint8), bitorder="little")
    weights = np.uint64(1) << np.arange(bits, dtype=np.uint64)
    return rows.reshape(-1, bits).astype(np.uint64) @ weights


def _residues(text, moduli):
    """The values of a polynomial modulo each prime, no longer in Montgomery form."""
    bits = [q.bit_length() for q in moduli]
    degree = 8 * len(text) // sum(bits)
    found, start = [], 0
    for q, size in zip(moduli, bits, strict=True):
        end = start + degree * size // 8
        values = unpack(text[start:end], size).astype(object)
        found.append(values * pow(MONTGOMERY, -1, q) % q)
        start = end
    return found


def _coefficients(values, q):
    """From values at psi^(2 brv(i) + 1) to coefficients in [0, q)."""
    degree = len(values)
    width = degree.bit_length() - 1
    reversed_bits = [int(f"{i:0{width}b}"[::-1], 2) for i in range(degree)]
    in_order = np.empty(degree, object)
    in_order[reversed_bits] = values
    # The inverse of `_evaluate`: the same transform with the inverse root, the twist by
    # psi^j taken off afterwards.
    inverse = pow(_primitive_root(2 * degree, q), -1, q)
    cyclic = _transform(in_order, inverse * inverse % q, q) * pow(degree, -1, q)
    return cyclic * _powers(inverse, degree, q) % q


def _evaluate(coefficients, root, modulus):
    """The values at root^(2i + 1), i = 0, 1, ...: Python integers [N]."""
    twisted = np.asarray(coefficients, object) * _powers(
        root, len(coefficients), modulus
    )
    return _transform(twisted % modulus, root * root % modulus, modulus)


def _transform(values, root, modulus):
    """The values at root^i of the polynomial with these coefficients, recursively."""
    half = len(values) // 2
    if half == 0:
        return values
    square = root * root % modulus
    even = _transform(values[0::2], square, modulus)
    odd = _transform(values[1::2], square, modulus) * _powers(root, half, modulus)
    return np.concatenate([even + odd, even - odd]) % modulus


def _powers(root, count, modulus):
    powers = [1]
    for _ in range(count - 1):
        powers.append(powers[-1] * root % modulus)
    return np.array(powers, object)


def _primitive_root(order, modulus):
    for g in range(2, modulus):
        root = pow(g, (modulus - 1) // order, modulus)
        if pow(root, order // 2, modulus) == modulus - 1:
            return root
    raise ValueError(f"there is no primitive root of order {order} modulo {modulus}")


def _combine(residues, moduli):
    """The Chinese remainder theorem."""
    product = math.prod(moduli)
    total = 0
    for residue, q in zip(residues, moduli, strict=True):
        rest = product // q
        total = total + residue * (rest * pow(rest, -1, q))
    return total % product


def _centred(values, modulus):
    reduced = np.asarray(values, object) % modulus
    return np.where(reduced > modulus // 2, reduced - modulus, reduced)
