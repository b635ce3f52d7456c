"""Ring-LWE by groups of blocks: a polynomial each, of its own `a`, in words as it is sent.

The functions of a group have one shape, so that XLA compiles each of them once a process.
Nothing depends on how many blocks are in use.
"""

import dataclasses
from typing import NamedTuple

import tensorflow as tf

from selenc_tf.lattice.device import chacha20, entropy, rlwe

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
        words = self._masked(
            secret, self.scheme.publics(seeds), noise_seed, group, codes
        )
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
        publics = self.scheme.publics_from(
            round_seed, group * self.scheme.parameters.columns
        )
        return self._masked(secret, publics, noise_seed, group, codes)

    def _masked(
        self,
        secret: tf.Tensor,
        publics: tf.Tensor,
        noise_seed: tf.Tensor,
        group: tf.Tensor,
        codes: tf.Tensor,
    ) -> tf.Tensor:
        """The c of a group: uint32 [B, `half_words`]."""
        chosen = self.scheme.parameters
        largest = chosen.max_abs_plaintext
        codes = tf.clip_by_value(codes, -largest, largest)
        fields = tf.reshape(codes, [chosen.columns, chosen.fields, chosen.degree])
        ciphertext = self.scheme.encrypt(
            secret, publics, noise_seed, group, tf.transpose(fields, [1, 2, 0])
        )
        return self.pack(ciphertext)

    def open(
        self, secret: tf.Tensor, publics: tf.Tensor, words: tf.Tensor
    ) -> tf.Tensor:
        """Opens a group of ciphertexts, or of their sums.

        Runs on: client.

        Args:
          secret: uint32 [P, N], from `Rlwe.secret_values`.
          publics: uint32 [P, N, B], the a or their sums, below p.
          words: uint32 [B, `half_words`], c.

        Returns:
          int64 [B, v N].
        """
        fields = self.scheme.open(secret, publics, self.unpack(words))
        return tf.reshape(tf.transpose(fields, [2, 0, 1]), [-1, self.num_slots])

    def mixed(
        self, seeds: tf.Tensor, by_seed: tf.Tensor, words: tf.Tensor
    ) -> tf.Tensor:
        """The a of blocks, some of which have a seed for it and others the residues.

        Args:
          seeds: uint32 [B, 8].
          by_seed: bool [B].
          words: uint32 [B, `half_words`].

        Returns:
          uint32 [P, N, B], below p.
        """
        return tf.where(by_seed, self.scheme.publics(seeds), self.unpack(words))

    def pack(self, polynomials: tf.Tensor) -> tf.Tensor:
        """Polynomials as they are sent: uint32 [P, N, B] below p to [B, `half_words`]."""
        columns = self.scheme.parameters.columns
        words = tf.reshape(self.scheme.pack(polynomials), [-1, columns])
        return tf.transpose(words)

    def unpack(self, words: tf.Tensor) -> tf.Tensor:
        """The inverse of `pack`; what is no residue is made one."""
        chosen = self.scheme.parameters
        shape = [chosen.prime_bits, len(chosen.primes), -1]
        return self.scheme.unpack(tf.reshape(tf.transpose(words), shape))
