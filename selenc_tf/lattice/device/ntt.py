"""The negacyclic number-theoretic transform of many polynomials at once.

A polynomial of degree below N stands in a column, [N, B] for B of them, so that every
step is on vectors of B neighbours. Its transform is its values at the odd powers of psi,
a primitive 2N-th root of unity: place i has a(psi^(2 brv(i) + 1)), where brv reverses the
bits of i. Products of polynomials modulo X^N + 1 are products of values.

Both directions multiply before they add (Cooley and Tukey's butterfly), so that a word
grows by 2p in each of the log2 N steps and is reduced once, at the end: with p < 2^27 and
N <= 4096 it stays below 26p < 2^32. On the way back the powers of psi, and 1 / N, are left
to whoever takes the result: `scale` says them.

References:
  Longa, Naehrig, "Speeding up the number theoretic transform for faster ideal
  lattice-based cryptography", CANS 2016 (the powers of psi within the forward transform).
"""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from selenc_tf.lattice.device import primes, residues

MAX_LOG_N = 12


@dataclasses.dataclass(frozen=True)
class Transform:
    """The transform of polynomials of one degree, modulo several primes.

    Attributes:
      log_n: log2 of N, at most 12.
      moduli: Primes that are 1 modulo 2N.
    """

    log_n: int
    moduli: residues.Moduli

    @property
    def degree(self) -> int:
        """N."""
        return 1 << self.log_n

    def forward(self, coefficients: tf.Tensor) -> tf.Tensor:
        """From coefficients to values.

        Args:
          coefficients: uint32 [P, N, B], below p.

        Returns:
          uint32 [P, N, B], below p; place i for psi^(2 brv(i) + 1).
        """
        count, columns = len(self.moduli.primes), coefficients.shape[-1]
        factors, companions = self._forward_twiddles
        words, groups = coefficients, 1
        while groups < self.degree:
            half = self.degree // (2 * groups)
            pairs = tf.reshape(words, [count, groups, 2, half, columns])
            place = np.s_[:, groups : 2 * groups, None, None]
            words = self._butterflies(pairs, factors[place], companions[place])
            groups *= 2
        words = tf.reshape(words, [count, self.degree, columns])
        return self.moduli.canonical(words)

    def backward(self, values: tf.Tensor) -> tf.Tensor:
        """From values to coefficients, but for the factors of `scale`.

        Args:
          values: uint32 [P, N, B], below 2p, as `forward` orders them.

        Returns:
          uint32 [P, N, B], below 26p.
        """
        count, columns = len(self.moduli.primes), values.shape[-1]
        near = 1 << (self.log_n // 2)
        # The first steps are of neighbours, which stand apart for these: vectors are long
        # then even if the columns are few.
        rows = tf.reshape(values, [count, self.degree // near, near, columns])
        apart = tf.transpose(rows, [0, 2, 1, 3])
        words = self._steps_back(tf.reshape(apart, [count, near, -1]), 1)
        rows = tf.transpose(tf.reshape(words, apart.shape), [0, 2, 1, 3])
        return self._steps_back(tf.reshape(rows, values.shape), near)

    def _steps_back(self, words: tf.Tensor, half: int) -> tf.Tensor:
        """The steps of polynomials [P, n, B], from that with so long halves on."""
        count, n, columns = words.shape
        factors, companions = self._backward_twiddles
        while half < n:
            groups = n // (2 * half)
            pairs = tf.reshape(words, [count, groups, 2, half, columns])
            if half == 1:  # All factors are 1.
                words = self._joined(pairs[:, :, 0], pairs[:, :, 1])
            else:
                place = np.s_[:, None, half : 2 * half, None]
                words = self._butterflies(pairs, factors[place], companions[place])
            half *= 2
        return tf.reshape(words, [count, n, columns])

    def inverse(self, values: tf.Tensor) -> tf.Tensor:
        """The inverse of `forward`: uint32 [P, N, B], below 2p to below p."""
        scale = tf.constant(self.scale[..., np.newaxis])
        return self.moduli.once(self.moduli.multiply(self.backward(values), scale))

    @functools.cached_property
    def scale(self) -> np.ndarray:
        """psi^-n / N for each coefficient n, in Montgomery form: uint32 [P, N]."""
        table = []
        for prime, psi in zip(self.moduli.primes, self._roots, strict=True):
            number = (pow(self.degree, -1, prime) << 32) % prime
            table.append(self._powers(pow(psi, -1, prime), prime) * number % prime)
        return np.array(table, np.uint32)

    def _butterflies(
        self, pairs: tf.Tensor, factors: np.ndarray, companions: np.ndarray
    ) -> tf.Tensor:
        """From [P, g, 2, h, B], words to words of 2p more."""
        moduli = self.moduli.column(self.moduli.primes, 4)
        turned = residues.multiply_shoup(
            pairs[:, :, 1], tf.constant(factors), tf.constant(companions), moduli
        )
        return self._joined(pairs[:, :, 0], turned)

    def _joined(self, one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
        """Sum and difference: of words, and words below 2p."""
        twice = self.moduli.column([2 * prime for prime in self.moduli.primes], 4)
        return tf.stack([one + other, one + (twice - other)], axis=2)

    @functools.cached_property
    def _forward_twiddles(self) -> tuple[np.ndarray, np.ndarray]:
        """psi^brv(j) for group j - g of a step with g groups: [P, N]."""
        order = bit_reversed(self.log_n)
        rows = [
            self._powers(psi, prime)[order]
            for prime, psi in zip(self.moduli.primes, self._roots, strict=True)
        ]
        return residues.shoup_companions(np.stack(rows), self.moduli.primes)

    @functools.cached_property
    def _backward_twiddles(self) -> tuple[np.ndarray, np.ndarray]:
        """At h + i, for i < h: the i-th power of an inverse root of order 2h: [P, N]."""
        rows = []
        for prime, psi in zip(self.moduli.primes, self._roots, strict=True):
            row, powers = (
                np.zeros(self.degree, np.int64),
                self._powers(pow(psi, -2, prime), prime),
            )
            for log_half in range(self.log_n):
                half = 1 << log_half
                row[half : 2 * half] = powers[:: self.degree // (2 * half)][:half]
            rows.append(row)
        return residues.shoup_companions(np.stack(rows), self.moduli.primes)

    @functools.cached_property
    def _roots(self) -> list[int]:
        return [
            primes.root_of_unity(prime, self.log_n + 1) for prime in self.moduli.primes
        ]

    def _powers(self, base: int, prime: int) -> np.ndarray:
        """The first N powers: int64 [N]."""
        powers = [1]
        for _ in range(self.degree - 1):
            powers.append(powers[-1] * base % prime)
        return np.array(powers, np.int64)


def bit_reversed(log_n: int) -> np.ndarray:
    """The numbers below N with their bits reversed: int64 [N]."""
    order = np.zeros(1, np.int64)
    for _ in range(log_n):
        order = np.concatenate([2 * order, 2 * order + 1])
    return order
