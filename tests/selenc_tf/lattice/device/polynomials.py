"""Polynomials modulo X^N + 1 and any q, in Python's integers: an oracle."""


def product(one, other, modulus):
    """Schoolbook; Kronecker's substitution lets Python multiply two long integers.

    Args:
      one: Integers [N], of any sign.
      other: Likewise.
      modulus: q.

    Returns:
      A list of N integers from 0 to q - 1.
    """
    degree = len(one)
    bits = 2 * modulus.bit_length() + degree.bit_length() + 1
    place = -(-bits // 8)
    long_one, long_other = (
        int.from_bytes(
            b"".join(int(c % modulus).to_bytes(place, "little") for c in polynomial),
            "little",
        )
        for polynomial in (one, other)
    )
    octets = (long_one * long_other).to_bytes(2 * degree * place, "little")
    found = [
        int.from_bytes(octets[place * i : place * (i + 1)], "little")
        for i in range(2 * degree)
    ]
    return [(found[i] - found[i + degree]) % modulus for i in range(degree)]


def schoolbook(one, other, modulus):
    """The definition, for small N."""
    degree = len(one)
    total = [0] * degree
    for i, x in enumerate(one):
        for j, y in enumerate(other):
            sign = 1 if i + j < degree else -1
            total[(i + j) % degree] += sign * int(x) * int(y)
    return [value % modulus for value in total]


def evaluate(coefficients, point, modulus):
    """Horner's rule."""
    value = 0
    for coefficient in reversed(coefficients):
        value = (value * point + int(coefficient)) % modulus
    return value
