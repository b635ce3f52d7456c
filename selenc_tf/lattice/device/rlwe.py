"""Additive symmetric ring-LWE, with values in the coefficients and a seed for the half `a`.

In Z_q[X] / (X^N + 1), with a secret s of small coefficients, a message m is encrypted to

    c = a s + t e + m,

where `a` is uniform and public, made of a seed, and e is small noise. Sums of ciphertexts
are those of their messages as long as the noise stays below its bound
(`parameters.py`), and there are two ways to have them opened:

- *shared key*: one s; every message has an `a` of its own, of a fresh seed that is sent
  with it; the sum of the c goes with the sum of the a. Two messages under one `a` and one
  s would give m_1 - m_2 away, so that whoever encrypts must draw a seed for each;
- *per client*: every client has an s_i of its own, drawn for the round; `a` is common to
  the round and to all clients. The sum of the c_i is opened with the sum of the s_i.

Polynomials are [N, B], values are in the first chunk axis [v, N, B], and residues [P, N, B]
for P primes. `a` is drawn where it is multiplied, as values of the transform, of which any
uniform ones are those of a uniform polynomial; so encryption costs one transform back. A
chunk is sent with the residues packed (`field_words.py`) in columns of 32 coefficients, and
one that is not full without its last columns (`layout.py`): coefficients that hold nothing
need not be sent.

References:
  Lyubashevsky, Peikert, Regev, "On ideal lattices and learning with errors over rings",
  EUROCRYPT 2010. Brakerski, Vaikuntanathan, "Fully homomorphic encryption from ring-LWE
  and security for key dependent messages", CRYPTO 2011 (t e + m). Stevens, Skalka, Vincent,
  Ring, Clark, Near, "Efficient differentially private secure aggregation for federated
  learning via hardness of learning with errors", USENIX Security 2022 (per client).
"""

import dataclasses
import functools
import math
import operator

import tensorflow as tf

from selenc_tf.lattice.device import chacha20, field_words, residues, sampling
from selenc_tf.lattice.device.layout import Layout
from selenc_tf.lattice.device.parameters import RlweParameters

# What a key stream is for: the first word of its nonce.
_PUBLIC = 0x50554241  # "PUBA"
_NOISE = 0x4E4F4953  # "NOIS"
_SECRET = 0x53454352  # "SECR"
_GROUP = 32
_LIMB_BITS = 28
_CODE_OFFSET = 1 << 31


@dataclasses.dataclass(frozen=True)
class Rlwe:
    """The functions of the cipher, for checked parameters; pure, of tensors.

    Attributes:
      parameters: The parameter set.
      groups_at_once: Of `chacha20.words`: how, not what, is computed.
    """

    parameters: RlweParameters
    groups_at_once: int = 1

    @property
    def layout(self) -> Layout:
        """How vectors are cut into chunks.

        Its [rows, columns] are [v, N, B] of values, and [bits, P, N B / 32] of words, in
        another shape.
        """
        chosen = self.parameters
        return Layout(
            chosen.fields * _GROUP,
            chosen.coefficients // _GROUP,
            chosen.prime_bits * len(chosen.primes),
        )

    def secret_coefficients(self, seed: tf.Tensor) -> tf.Tensor:
        """A secret: centred binomial coefficients.

        Runs on: key holder, or client.

        Args:
          seed: uint32 [8], secret; the secret is a function of it.

        Returns:
          int32 [N]. Secrets are added coefficient by coefficient.
        """
        variance, degree = self.parameters.variance, self.parameters.degree
        words = sampling.binomial_words(variance)
        stream = self._stream(seed, _SECRET, 0, [words, degree])
        offset = tf.cast(sampling.binomial(variance, stream), tf.int32)
        return offset - 2 * variance

    def secret_values(self, coefficients: tf.Tensor) -> tf.Tensor:
        """A secret, or a sum of secrets, as encryption and opening take it.

        Args:
          coefficients: int32 [N], below 2^30 in magnitude.

        Returns:
          uint32 [P, N], its transform in Montgomery form.
        """
        parameters, moduli = self.parameters, self.parameters.moduli
        multiple = [p * -(-(1 << 30) // p) for p in parameters.primes]
        shifted = moduli.column(multiple, 2) + tf.cast(coefficients, tf.uint32)
        values = parameters.transform.forward(
            moduli.canonical(shifted)[..., tf.newaxis]
        )
        square = moduli.column([(1 << 64) % p for p in parameters.primes])
        montgomery = moduli.once(moduli.multiply(values, square))
        return montgomery[..., 0]

    def public(self, seed: tf.Tensor, chunk: tf.Tensor | int) -> tf.Tensor:
        """The polynomials `a` of a chunk, as values of the transform.

        Runs on: everybody.

        Args:
          seed: uint32 [8], public: of a message, or of a round.
          chunk: int32 scalar.

        Returns:
          uint32 [P, N, B], below p.
        """
        parameters = self.parameters
        words = sampling.uniform_words(parameters.moduli)
        shape = [words, parameters.degree, parameters.columns]
        stream = self._stream(seed, _PUBLIC, chunk, shape)
        return sampling.uniform(parameters.moduli, stream)

    def encrypt(
        self,
        secret: tf.Tensor,
        public: tf.Tensor,
        noise_seed: tf.Tensor,
        chunk: tf.Tensor | int,
        codes: tf.Tensor,
    ) -> tf.Tensor:
        """Encrypts a chunk.

        Runs on: client.

        Args:
          secret: uint32 [P, N], from `secret_values`.
          public: uint32 [P, N, B], from `public`; never twice with one secret.
          noise_seed: uint32 [8], secret, of this message alone; not the public one.
          chunk: int32 scalar.
          codes: int32 or int64 [v, N, B], within +-(2^(b-1) - 1).

        Returns:
          uint32 [P, N, B], below p.
        """
        parameters, moduli = self.parameters, self.parameters.moduli
        variance = parameters.variance
        product = moduli.multiply(public, secret[..., tf.newaxis])
        masks = parameters.transform.backward(product)
        shape = [parameters.degree, parameters.columns]
        words = [sampling.binomial_words(variance), *shape]
        noise = sampling.binomial(
            variance, self._stream(noise_seed, _NOISE, chunk, words)
        )
        # All of it as one sum of products, which is reduced once: factors are modulo p and
        # in Montgomery form, and signed numbers are made positive and this taken away.
        scale = tf.constant(parameters.transform.scale[..., None])
        offset = tf.constant(_CODE_OFFSET, tf.uint32)
        positive = tf.bitwise.bitwise_xor(tf.cast(codes, tf.uint32), offset)
        places = [1 << (parameters.width * j) for j in range(parameters.fields)]
        top = parameters.plaintext_modulus
        surplus = _CODE_OFFSET * sum(places) + 2 * variance * top
        terms = [
            residues.wide_product(masks, scale),
            residues.wide_product(noise[tf.newaxis], self._factors(top)),
            *(
                residues.wide_product(positive[j][tf.newaxis], self._factors(place))
                for j, place in enumerate(places)
            ),
            tf.cast(self._factors(-surplus), tf.uint64),
        ]
        total = functools.reduce(operator.add, terms)
        return moduli.canonical(moduli.reduce_wide(total))

    def add(self, one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
        """The sum of two ciphertexts, or of two of the `a`: uint32 [P, ...], below p.

        Runs on: server, which needs no key.
        """
        return self.parameters.moduli.add(one, other)

    def open(self, secret: tf.Tensor, public: tf.Tensor, total: tf.Tensor) -> tf.Tensor:
        """Opens a ciphertext, or a sum of up to k.

        Runs on: client, or with the sum of the clients' secrets at the server.

        Args:
          secret: uint32 [P, N], from `secret_values`: of the shared secret, or of the sum
            of the clients'.
          public: uint32 [P, N, B]: with a shared key the sum of the messages' `a`, else the
            round's.
          total: uint32 [P, N, B], below p.

        Returns:
          int64 [v, N, B], the sums of the codes. With another secret: uniform numbers.
        """
        return self.fields(self.digits(self.phase(secret, public, total)))

    def phase(
        self, secret: tf.Tensor, public: tf.Tensor, total: tf.Tensor
    ) -> tf.Tensor:
        """The first part of opening: noise and sums of codes, moved so as to be positive.

        The parts are apart for who works on one chunk after the other: XLA would compute
        each part once more for every digit or field that is made of it.

        Args:
          secret: As of `open`.
          public: Likewise.
          total: Likewise.

        Returns:
          uint32 [P, N, B], below p.
        """
        parameters, moduli = self.parameters, self.parameters.moduli
        product = moduli.multiply(public, secret[..., tf.newaxis])
        masks = moduli.multiply(
            parameters.transform.backward(product),
            tf.constant(parameters.transform.scale[..., None]),
        )
        # So that neither noise nor any field is negative.
        halves = sum(
            self._half << (parameters.width * j) for j in range(parameters.fields)
        )
        shift = parameters.plaintext_modulus * parameters.max_noise + halves
        offset = moduli.column([2 * p + shift % p for p in parameters.primes])
        return moduli.canonical(total + (offset - masks))

    def digits(self, phase: tf.Tensor) -> tf.Tensor:
        """The second part of opening: Garner's mixed-radix digits.

        y = d_0 + d_1 p_0 + d_2 p_0 p_1 + ...

        Args:
          phase: uint32 [P, N, B], below p, y by its residues.

        Returns:
          uint32 [P, N, B], digit j below p_j.
        """
        return tf.stack(self._digits(phase))

    def fields(self, digits: tf.Tensor) -> tf.Tensor:
        """The last part of opening: the fields of numbers with these digits.

        Args:
          digits: uint32 [P, N, B].

        Returns:
          int64 [v, N, B], the sums of the codes.
        """
        limbs = self._lowest_limbs(tf.unstack(digits))
        return self._fields_of(limbs) - self._half

    @property
    def _half(self) -> int:
        """Half of what a field holds."""
        return 1 << (self.parameters.width - 1)

    def pack(self, ciphertext: tf.Tensor) -> tf.Tensor:
        """A chunk as it is sent.

        Args:
          ciphertext: uint32 [P, N, B], below p.

        Returns:
          uint32 [bits of a prime, P, N B / 32].
        """
        count = len(self.parameters.primes)
        groups = tf.reshape(ciphertext, [count, _GROUP, -1])
        rows = tf.transpose(groups, [1, 0, 2])
        return field_words.pack(rows, self.parameters.prime_bits)

    def unpack(self, words: tf.Tensor) -> tf.Tensor:
        """The inverse of `pack`, for whole chunks.

        Whatever stands in the words: what is no residue is made one.
        """
        parameters = self.parameters
        rows = field_words.unpack(words, parameters.prime_bits)
        groups = tf.transpose(rows, [1, 0, 2])
        shape = [len(parameters.primes), parameters.degree, parameters.columns]
        return parameters.moduli.once(tf.reshape(groups, shape))

    def _stream(
        self, key: tf.Tensor, purpose: int, chunk: tf.Tensor | int, shape: list[int]
    ) -> tf.Tensor:
        """Words of the key stream of one purpose and one chunk: uint32 of the shape."""
        number = tf.cast(chunk, tf.uint32)
        tag = tf.constant(purpose, tf.uint32)
        nonce = tf.stack([tag, number, tf.zeros_like(number)])
        stream = chacha20.words(key, nonce, 0, math.prod(shape), self.groups_at_once)
        return tf.reshape(stream, shape)

    def _factors(self, number: int) -> tf.Tensor:
        """A number for all residues, in Montgomery form: uint32 [P, 1, 1]."""
        primes, moduli = self.parameters.primes, self.parameters.moduli
        return moduli.column(moduli.in_montgomery_form([number % p for p in primes]))

    def _digits(self, values: tf.Tensor) -> list[tf.Tensor]:
        """P of uint32 [N, B]: see `digits`."""
        primes = self.parameters.primes
        digits: list[tf.Tensor] = []
        for index, prime in enumerate(primes):
            modulus = residues.Moduli((prime,))
            rest = values[index][tf.newaxis]
            for digit, other in zip(digits, primes, strict=False):
                # Primes have equally many bits: a digit is below twice any of them.
                inverse = modulus.in_montgomery_form([pow(other, -1, prime)])
                difference = rest + (modulus.column([2 * prime]) - digit)
                product = modulus.multiply(difference, modulus.column(inverse))
                rest = modulus.once(product)
            digits.append(rest[0])
        return digits

    def _lowest_limbs(self, digits: list[tf.Tensor]) -> list[tf.Tensor]:
        """The number with these digits modulo t, in limbs: uint64 [N, B], lowest first."""
        parameters = self.parameters
        bits = parameters.fields * parameters.width
        mask = (1 << _LIMB_BITS) - 1
        limbs, carry = [], None
        for first in range(0, bits, _LIMB_BITS):
            weight, total = 1, carry
            for digit, prime in zip(digits, parameters.primes, strict=True):
                factor = tf.constant(weight >> first & mask, tf.uint32)
                part = residues.wide_product(digit, factor)
                total = part if total is None else total + part
                weight *= prime
            limbs.append(field_words.lowest(total, _LIMB_BITS))
            carry = tf.bitwise.right_shift(total, tf.constant(_LIMB_BITS, tf.uint64))
        return limbs

    def _fields_of(self, limbs: list[tf.Tensor]) -> tf.Tensor:
        """Cuts numbers into their fields: int64 [v, N, B], from 0 to 2^w - 1."""
        width, fields = self.parameters.width, []
        for first in range(0, width * self.parameters.fields, width):
            parts = []
            for index in range(first // _LIMB_BITS, -(-(first + width) // _LIMB_BITS)):
                places = index * _LIMB_BITS - first
                move = tf.bitwise.left_shift if places >= 0 else tf.bitwise.right_shift
                parts.append(move(limbs[index], tf.constant(abs(places), tf.uint64)))
            whole = functools.reduce(tf.bitwise.bitwise_or, parts)
            fields.append(tf.cast(field_words.lowest(whole, width), tf.int64))
        return tf.stack(fields)
