"""The additive pad by groups of blocks: of its own seed each, in words as it is sent.

The functions of a group have one shape, so that XLA compiles each of them once a process.
Nothing depends on how many blocks are in use. A block is a chunk of `pad.Pad`, the first
of a message that has no other.
"""

import dataclasses
from typing import NamedTuple

import tensorflow as tf

from selenc_tf.lattice.device import chacha20, entropy, field_words, pad
from selenc_tf.lattice.device.pad_parameters import PadParameters

_SEEDS = 0x53454544  # "SEED": what the key stream is for.
_CACHED_BLOCKS = 1500


class Encrypted(NamedTuple):
    """What is sent of each block of a group.

    Attributes:
      words: uint32 [B, `num_words`].
      seeds: uint32 [B, 8].
    """

    words: tf.Tensor
    seeds: tf.Tensor


@dataclasses.dataclass(frozen=True)
class PadBlocks:
    """Groups of B blocks.

    Attributes:
      parameters: A checked parameter set; B are its `group_blocks`.
    """

    parameters: PadParameters

    @property
    def num_words(self) -> int:
        """The words of 32 bits of one block, without its seed."""
        scheme = self.parameters.scheme
        return scheme.stream_words

    def encrypt(
        self, shared_key: tf.Tensor, root: tf.Tensor, group: tf.Tensor, codes: tf.Tensor
    ) -> Encrypted:
        """Encrypts a group.

        Runs on: client.

        Args:
          shared_key: uint32 [8], the cohort's secret.
          root: uint32 [8], fresh, for this message alone. The blocks' seeds come from it.
          group: int32 scalar, the number of the group in the message.
          codes: int64 [B, `num_slots`]. Those beyond `max_abs_plaintext` are taken for the
            nearest that is not.

        Returns:
          What is sent.
        """
        chosen, scheme = self.parameters, self.parameters.scheme
        largest = chosen.max_abs_plaintext
        codes = tf.cast(tf.clip_by_value(codes, -largest, largest), tf.int32)
        number = tf.cast(group, tf.uint32)
        tag = tf.constant(_SEEDS, tf.uint32)
        nonce = tf.stack([tag, number, tf.zeros_like(number)])
        shape = [chosen.group_blocks, entropy.SEED_WORDS]
        seeds = tf.reshape(chacha20.words(root, nonce, 0, shape[0] * shape[1]), shape)
        chunks = tf.reshape(codes, [-1, scheme.rows, scheme.columns])
        # One by one: as a part of the sum XLA would pack several times.
        packed = tf.map_fn(scheme.packed, chunks, fn_output_signature=scheme.dtype)
        words = self._sum(packed, self.pads(shared_key, seeds))
        return Encrypted(self._sent(words), seeds)

    def add(self, one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
        """Adds ciphertexts, or their sums, without their seeds.

        Runs on: server, which needs no key.

        Args:
          one: uint32 [B, `num_words`].
          other: Likewise.

        Returns:
          The same.
        """
        return self._sent(self._sum(self._received(one), self._received(other)))

    def open(
        self,
        shared_key: tf.Tensor,
        words: tf.Tensor,
        seeds: tf.Tensor,
        counts: tf.Tensor,
    ) -> tf.Tensor:
        """Takes the pads of all summands away.

        Runs on: client.

        Args:
          shared_key: uint32 [8], the cohort's secret.
          words: uint32 [B, `num_words`], sums.
          seeds: uint32 [B, k, 8], of the messages that were added.
          counts: int32 [B], how many these are of each block: as many pads are made and
            taken away. At most k.

        Returns:
          int64 [B, `num_slots`]; zeros of a block of none.
        """
        scheme = self.parameters.scheme
        nothing = tf.zeros([], scheme.dtype)
        total = self._received(words)

        def one_more(index: tf.Tensor, so_far: tf.Tensor) -> tuple[tf.Tensor, ...]:
            pads = self.pads(shared_key, tf.gather(seeds, index, axis=1))
            used = (index < counts)[:, tf.newaxis, tf.newaxis]
            return index + 1, self._sum(so_far, tf.where(used, pads, nothing))

        most = tf.reduce_max(counts)
        _, pads = tf.while_loop(
            lambda index, _: index < most,
            one_more,
            (tf.constant(0), tf.zeros_like(total)),
        )
        # Where no pad was taken away, the words would come out as they are.
        there = tf.where((counts > 0)[:, tf.newaxis, tf.newaxis], total, nothing)
        return tf.reshape(scheme.opened(there, pads, 1), [-1, scheme.chunk_values])

    def pads(self, shared_key: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
        """The pads of a group: of each block those of `Pad.pads` for its first chunk.

        Args:
          shared_key: uint32 [8].
          seeds: uint32 [B, 8], of the blocks.

        Returns:
          The words' dtype, [B, w, columns].
        """
        scheme = self.parameters.scheme
        b = seeds.shape[0]
        length = -(-scheme.stream_words // chacha20.BLOCK_WORDS)
        # So many blocks at a time that their key stream stays in a cache.
        together = next(s for s in range(b, 0, -1) if b % s == 0 and _fits(s, length))
        counters = tf.tile(tf.cast(tf.range(length), tf.uint32), [together])
        nonce = tf.constant([pad.TAG, 0, 0], tf.uint32)
        keys = tf.transpose(chacha20.derive_all(shared_key, tf.transpose(seeds)))

        def of_some(some: tf.Tensor) -> tf.Tensor:
            of_each = tf.repeat(tf.transpose(some), length, axis=1)
            made = chacha20.blocks(of_each, nonce, counters)
            by_word = tf.reshape(made, [chacha20.BLOCK_WORDS, together, length])
            return tf.transpose(by_word, [1, 0, 2])

        turns = tf.reshape(keys, [b // together, together, chacha20.KEY_WORDS])
        stream = tf.map_fn(of_some, turns, fn_output_signature=tf.uint32)
        whole = tf.reshape(stream, [b, chacha20.BLOCK_WORDS * length])
        return scheme.words_of(whole[:, : scheme.stream_words])

    def _sum(self, one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
        """The words' dtype, [B, w, columns]."""
        return field_words.add(one, other, self.parameters.width, axis=1)

    def _sent(self, words: tf.Tensor) -> tf.Tensor:
        """The words' dtype [B, w, columns] to uint32 [B, `num_words`]."""
        return tf.reshape(tf.bitcast(words, tf.uint32), [-1, self.num_words])

    def _received(self, sent: tf.Tensor) -> tf.Tensor:
        """The inverse of `_sent`."""
        scheme = self.parameters.scheme
        shape = [sent.shape[0], scheme.width, scheme.columns]
        if scheme.dtype == tf.uint32:
            return tf.reshape(sent, shape)
        return tf.bitcast(tf.reshape(sent, [*shape, 2]), scheme.dtype)


def _fits(blocks: int, length: int) -> bool:
    """Whether the key stream of so many blocks, each so long, stays in a cache."""
    return blocks == 1 or blocks * length <= _CACHED_BLOCKS
