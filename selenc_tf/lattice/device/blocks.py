"""Ring-LWE by groups of blocks: a polynomial each, of its own `a`, in words as it is sent.

The functions of a group have one shape, so that XLA compiles each of them once a process.
Nothing depends on how many blocks are in use.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from selenc_tf.lattice.device import chacha20, entropy, field_words, rlwe

_SEEDS = 0x53454544  # "SEED": what the key stream is for.
_COLUMN = 32


class Encrypted(NamedTuple):
    """What is sent of each block of a group.

    Attributes:
      words: uint32 [B, `half_words`], c.
      seeds: uint32 [B, 8], of the a.
    """

    words: tf.Tensor
    seeds: tf.Tensor


@dataclasses.dataclass(frozen=True)
class Blocks:
    """Groups of B blocks.

    Attributes:
      scheme: The cipher of polynomials; B are the columns of its chunks.
    """

    scheme: rlwe.Rlwe

    @property
    def num_slots(self) -> int:
        """The values of a block, v N."""
        return self.scheme.parameters.fields * self.scheme.parameters.degree

    @property
    def half_words(self) -> int:
        """The words of one polynomial, as it is sent."""
        chosen = self.scheme.parameters
        return len(chosen.primes) * chosen.prime_bits * chosen.degree // _COLUMN

    def encrypt(
        self,
        secret: tf.Tensor,
        root: tf.Tensor,
        noise_seed: tf.Tensor,
        group: tf.Tensor,
        codes: tf.Tensor,
    ) -> Encrypted:
        """Encrypts a group.

        Runs on: client.

        Args:
          secret: uint32 [P, N], from `Rlwe.secret_values`.
          root: uint32 [8], fresh, for this message alone. The blocks' seeds come from it.
          noise_seed: uint32 [8], likewise, and secret.
          group: int32 scalar, the number of the group in the message.
          codes: int64 [B, v N]. Those beyond `max_abs_plaintext` are taken for the nearest
            that is not: beside the noise there is room for no others, and what they would
            open to would tell of the noise.

        Returns:
          What is sent.
        """
        chosen = self.scheme.parameters
        number = tf.cast(group, tf.uint32)
        tag = tf.constant(_SEEDS, tf.uint32)
        nonce = tf.stack([tag, number, tf.zeros_like(number)])
        shape = [chosen.columns, entropy.SEED_WORDS]
        seeds = tf.reshape(chacha20.words(root, nonce, 0, shape[0] * shape[1]), shape)
        words = self._masked(secret, self._public, seeds, noise_seed, group, codes)
        return Encrypted(words, seeds)

    def encrypt_in_round(
        self,
        secret: tf.Tensor,
        round_seed: tf.Tensor,
        noise_seed: tf.Tensor,
        group: tf.Tensor,
        codes: tf.Tensor,
    ) -> tf.Tensor:
        """Encrypts a group under the a that all messages of a round have.

        Runs on: client.

        Args:
          secret: uint32 [P, N], of this message alone.
          round_seed: uint32 [8], public.
          noise_seed: uint32 [8], secret, of this message alone.
          group: int32 scalar, the number of the group in the message.
          codes: Integers [B, v N], cut off as by `encrypt`.

        Returns:
          uint32 [B, `half_words`], c.
        """
        return self._masked(
            secret,
            lambda number: self._one.public(round_seed, number)[..., 0],
            self._numbers(group),
            noise_seed,
            group,
            codes,
        )

    def open(
        self, secret: tf.Tensor, publics: tf.Tensor, words: tf.Tensor
    ) -> tf.Tensor:
        """Opens a group of ciphertexts, or of their sums.

        Runs on: client.

        Args:
          secret: uint32 [P, N], from `Rlwe.secret_values`.
          publics: uint32 [B, P, N], the a or their sums, below p.
          words: uint32 [B, `half_words`], c.

        Returns:
          int64 [B, v N].
        """
        one = self._one

        def phase(given: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            public, total = (polynomial[..., tf.newaxis] for polynomial in given)
            return one.phase(secret, public, total)

        def fields(digits: tf.Tensor) -> tf.Tensor:
            return tf.reshape(one.fields(digits), [self.num_slots])

        # Part by part: in one pass XLA computes each once more for all that needs it.
        totals = self.unpack(words)
        phases = tf.map_fn(phase, (publics, totals), fn_output_signature=tf.uint32)
        digits = tf.map_fn(one.digits, phases)
        return tf.map_fn(fields, digits, fn_output_signature=tf.int64)

    def open_in_round(
        self,
        secret: tf.Tensor,
        round_seed: tf.Tensor,
        first: tf.Tensor,
        words: tf.Tensor,
    ) -> tf.Tensor:
        """`open` under the a that all messages of a round have.

        Args:
          secret: uint32 [P, N], of the sum of the secrets.
          round_seed: uint32 [8], public.
          first: int32 scalar, the number of the group's first block in the message.
          words: uint32 [B, `half_words`], c.

        Returns:
          int64 [B, v N].
        """
        numbers = first + tf.range(self.scheme.parameters.columns)
        publics = tf.map_fn(
            lambda number: self._one.public(round_seed, number)[..., 0],
            numbers,
            fn_output_signature=tf.uint32,
        )
        return self.open(secret, publics, words)

    def add(self, polynomials: tf.Tensor, words: tf.Tensor) -> tf.Tensor:
        """Adds polynomials as they are sent.

        Runs on: server, which needs no key.

        Args:
          polynomials: uint32 [B, P, N], below p, what was added so far.
          words: uint32 [B, `half_words`].

        Returns:
          Like `polynomials`.
        """
        total = tf.map_fn(
            lambda given: self.scheme.add(given[0], self._rows(given[1])),
            (tf.reshape(polynomials, [-1, *self._row_shape]), words),
            fn_output_signature=tf.uint32,
        )
        return tf.reshape(total, polynomials.shape)

    def add_polynomials(self, one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
        """The sum of polynomials: uint32 [B, P, N], below p."""
        return tf.map_fn(
            lambda given: self.scheme.add(*given),
            (one, other),
            fn_output_signature=tf.uint32,
        )

    def add_seeds(self, polynomials: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
        """Adds the a of seeds.

        Args:
          polynomials: uint32 [B, P, N], below p, what was added so far.
          seeds: uint32 [B, 8].

        Returns:
          Like `polynomials`.
        """
        return tf.map_fn(
            lambda given: self.scheme.add(given[0], self._public(given[1])),
            (polynomials, seeds),
            fn_output_signature=tf.uint32,
        )

    def mixed(
        self, seeds: tf.Tensor, by_seed: tf.Tensor, words: tf.Tensor
    ) -> tf.Tensor:
        """The a of blocks, some of which have a seed for it and others the residues.

        Args:
          seeds: uint32 [B, 8].
          by_seed: bool [B].
          words: uint32 [B, `half_words`].

        Returns:
          uint32 [B, P, N], below p.
        """
        publics = tf.map_fn(self._public, seeds, fn_output_signature=tf.uint32)
        by_seed = by_seed[:, tf.newaxis, tf.newaxis]
        return tf.where(by_seed, publics, self.unpack(words))

    def pack(self, polynomials: tf.Tensor) -> tf.Tensor:
        """Polynomials as they are sent: uint32 [B, P, N] below p to [B, `half_words`]."""
        return tf.map_fn(
            lambda one: tf.reshape(self._one.pack(one[..., tf.newaxis]), [-1]),
            polynomials,
        )

    def unpack(self, words: tf.Tensor) -> tf.Tensor:
        """The inverse of `pack`; what is no residue is made one."""
        chosen = self.scheme.parameters
        rows = tf.map_fn(self._rows, words)
        return tf.reshape(rows, [-1, len(chosen.primes), chosen.degree])

    def _masked(
        self,
        secret: tf.Tensor,
        public_of: Callable[[tf.Tensor], tf.Tensor],
        elements: tf.Tensor,
        noise_seed: tf.Tensor,
        group: tf.Tensor,
        codes: tf.Tensor,
    ) -> tf.Tensor:
        """The c of a group, of whose elements the a are made: uint32 [B, `half_words`]."""
        chosen = self.scheme.parameters
        largest = chosen.max_abs_plaintext

        def of_one(given: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
            element, number, row = given
            kept = tf.cast(tf.clip_by_value(row, -largest, largest), tf.int32)
            fields = tf.reshape(kept, [chosen.fields, chosen.degree, 1])
            public = public_of(element)[..., tf.newaxis]
            made = self._one.encrypt(secret, public, noise_seed, number, fields)
            return made[..., 0]

        # A polynomial at a time stays in a cache, whole. And packed when it is done: XLA
        # would make each residue once more for every word that has a part of it.
        made = tf.map_fn(
            of_one,
            (elements, self._numbers(group), codes),
            fn_output_signature=tf.uint32,
        )
        return self.pack(made)

    def _public(self, seed: tf.Tensor) -> tf.Tensor:
        """The a of a seed: uint32 [P, N]."""
        return self._one.public(seed, 0)[..., 0]

    def _rows(self, words: tf.Tensor) -> tf.Tensor:
        """A polynomial, in rows as its words are: uint32 [`half_words`] to `_row_shape`.

        XLA's loops over these are long and even. Over [P, N] they find out of every
        coefficient which row it is in.
        """
        chosen = self.scheme.parameters
        shape = [chosen.prime_bits, len(chosen.primes), chosen.degree // _COLUMN]
        by_prime = tf.transpose(tf.reshape(words, shape), [1, 0, 2])
        return chosen.moduli.once(field_words.unpack(by_prime, chosen.prime_bits, 1))

    @property
    def _row_shape(self) -> list[int]:
        """Of a polynomial, coefficient i in row i // (N / 32)."""
        chosen = self.scheme.parameters
        return [len(chosen.primes), _COLUMN, chosen.degree // _COLUMN]

    def _numbers(self, group: tf.Tensor) -> tf.Tensor:
        """The numbers of a group's blocks in the message: int32 [B]."""
        columns = self.scheme.parameters.columns
        return group * columns + tf.range(columns)

    @property
    def _one(self) -> rlwe.Rlwe:
        """The cipher of one block."""
        return rlwe.Rlwe(dataclasses.replace(self.scheme.parameters, columns=1))
