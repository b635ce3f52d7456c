"""Uniform and centred binomial numbers from the words of a key stream.

Every sample takes the same number of words and the same operations: nothing is rejected,
so nothing takes longer for some secrets, and all shapes are known.

References:
  Alkim, Ducas, Poeppelmann, Schwabe, "Post-quantum key exchange - a new hope", USENIX
  Security 2016 (the centred binomial as noise).
"""

import functools
import math
import operator

import tensorflow as tf

from selenc_tf.lattice.device import residues

_WORD = 32
_SPARE_BITS = 64


def uniform_words(moduli: residues.Moduli) -> int:
    """The words of one uniform number modulo q, the product of the primes."""
    bits = math.prod(moduli.primes).bit_length() + _SPARE_BITS
    return -(-bits // _WORD)


def uniform(moduli: residues.Moduli, words: tf.Tensor) -> tf.Tensor:
    """Uniform numbers modulo q, by their residues.

    A number of 64 bits more than q is reduced: no residue modulo q has a probability that
    differs from 1 / q by more than 2^-64 of that.

    Args:
      moduli: The primes.
      words: uint32 [l, ...], uniform, with l from `uniform_words`.

    Returns:
      uint32 [P, ...], below p.
    """
    rank = words.shape.rank
    total: tf.Tensor | None = None
    for index in range(words.shape[0]):
        # With the factor 2^32 that the reduction takes away.
        place = [pow(2, _WORD * (index + 1), prime) for prime in moduli.primes]
        part = residues.wide_product(
            words[index][tf.newaxis], moduli.column(place, rank)
        )
        total = part if total is None else total + part
    return moduli.canonical(moduli.reduce_wide(total))


def binomial_words(variance: int) -> int:
    """The words of one centred binomial number: 4 v bits."""
    return -(-4 * variance // _WORD)


def binomial(variance: int, words: tf.Tensor) -> tf.Tensor:
    """Centred binomial numbers: the difference of two sums of 2v bits.

    Args:
      variance: v, at least 1.
      words: uint32 [l, ...], uniform, with l from `binomial_words`.

    Returns:
      uint32 [...], the number plus 2v: from 0 to 4v, with mean 2v and variance v.
    """
    half = 2 * variance
    ups = _count(words, 0, half)
    downs = _count(words, half, 2 * half)
    return ups + (tf.constant(half, tf.uint32) - downs)


def _count(words: tf.Tensor, begin: int, end: int) -> tf.Tensor:
    """How many of the bits from `begin` on and before `end` are ones: uint32 [...]."""
    counts = []
    for index in range(begin // _WORD, -(-end // _WORD)):
        first, last = max(begin - index * _WORD, 0), min(end - index * _WORD, _WORD)
        mask = tf.constant((1 << last) - (1 << first), tf.uint32)
        bits = tf.bitwise.bitwise_and(words[index], mask)
        counts.append(tf.cast(tf.raw_ops.PopulationCount(x=bits), tf.uint32))
    return functools.reduce(operator.add, counts)
