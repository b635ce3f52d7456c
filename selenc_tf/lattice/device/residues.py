"""Arithmetic modulo primes of up to 27 bits, in words of 32, for several primes at once.

A tensor of residues has the primes on its first axis. What a function leaves unreduced is
said with it: five bits of each word are free for that.

Products by numbers that are known beforehand are Shoup's: with w' = floor(w 2^32 / p),
x w - floor(x w' / 2^32) p lies in [0, 2p) for every x of 32 bits. Others, and sums of
products, are Montgomery's with R = 2^32. Neither divides nor branches.

References:
  Montgomery, "Modular multiplication without trial division", Math. Comp. 44, 1985.
  Harvey, "Faster arithmetic for number-theoretic transforms", J. Symb. Comp. 60, 2014
  (with Shoup's products, and leaving unreduced what need not be).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

_WORD = 32


@dataclasses.dataclass(frozen=True)
class Moduli:
    """Distinct primes below 2^27.

    Attributes:
      primes: p, one for each place of the first axis.
    """

    primes: tuple[int, ...]

    def column(self, numbers: Sequence[int], rank: int = 3) -> tf.Tensor:
        """A number for each prime, to be broadcast: uint32 [P, 1, ...] of this rank."""
        shape = [len(self.primes)] + [1] * (rank - 1)
        return tf.constant(np.reshape(np.array(numbers, np.uint32), shape))

    def in_montgomery_form(self, numbers: Sequence[int]) -> list[int]:
        """The numbers times 2^32, each modulo its prime."""
        return [
            (number << _WORD) % prime
            for number, prime in zip(numbers, self.primes, strict=True)
        ]

    def canonical(self, words: tf.Tensor) -> tf.Tensor:
        """Reduces any words.

        Args:
          words: uint32 [P, ...].

        Returns:
          The same shape, each below p.
        """
        rank = words.shape.rank
        quotients = multiply_high(
            words, self.column([(1 << _WORD) // prime for prime in self.primes], rank)
        )
        # The quotient is too small by one at most.
        return self.once(words - quotients * self.column(self.primes, rank))

    def once(self, words: tf.Tensor) -> tf.Tensor:
        """Takes p away once where it fits: uint32 [P, ...] below 2p to below p."""
        # A difference that wraps is larger than any residue.
        less = words - self.column(self.primes, words.shape.rank)
        return tf.minimum(words, less)

    def add(self, one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
        """The sum of residues below p: uint32 [P, ...] below p."""
        return self.once(one + other)

    def reduce_wide(self, sums: tf.Tensor) -> tf.Tensor:
        """Montgomery's reduction of sums of products.

        Args:
          sums: uint64 [P, ...], below 2^63.

        Returns:
          uint32 [P, ...], congruent to `sums` / 2^32, below `sums` / 2^32 + p.
        """
        rank = sums.shape.rank
        inverses = [-pow(prime, -1, 1 << _WORD) % (1 << _WORD) for prime in self.primes]
        factors = tf.cast(sums, tf.uint32) * self.column(inverses, rank)
        # Divisible by 2^32.
        total = sums + wide_product(factors, self.column(self.primes, rank))
        return _high(total)

    def multiply(self, words: tf.Tensor, montgomery: tf.Tensor) -> tf.Tensor:
        """Products with residues in Montgomery form.

        Args:
          words: uint32 [P, ...]: x.
          montgomery: uint32, broadcast to that, each below p: y 2^32 mod p.

        Returns:
          uint32 [P, ...], congruent to x y, below x p / 2^32 + p, so below 2p.
        """
        return self.reduce_wide(wide_product(words, montgomery))


def shoup_companions(
    factors: np.ndarray, primes: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """What `multiply_shoup` takes of numbers that are known beforehand.

    Args:
      factors: int64 [P, ...], each below p.
      primes: p [P].

    Returns:
      uint32 [P, ...], the factors; and floor(w 2^32 / p) of each.
    """
    shape = [len(primes)] + [1] * (factors.ndim - 1)
    moduli = np.reshape(np.array(primes, np.uint64), shape)
    companions = (factors.astype(np.uint64) << np.uint64(_WORD)) // moduli
    return factors.astype(np.uint32), companions.astype(np.uint32)


def multiply_shoup(
    words: tf.Tensor, factors: tf.Tensor, companions: tf.Tensor, primes: tf.Tensor
) -> tf.Tensor:
    """Products with known numbers: uint32, below 2p, of any words."""
    return words * factors - multiply_high(words, companions) * primes


def multiply_high(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """The upper half of products of words: uint32."""
    return _high(wide_product(one, other))


def wide_product(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Products of words: uint64."""
    return tf.cast(one, tf.uint64) * tf.cast(other, tf.uint64)


def _high(words: tf.Tensor) -> tf.Tensor:
    shifted = tf.bitwise.right_shift(words, tf.constant(_WORD, tf.uint64))
    return tf.cast(shifted, tf.uint32)
