"""An additive pad: the cheapest additively homomorphic cipher under a shared key.

A value becomes itself plus a pseudorandom number modulo 2^w. Sums of ciphertexts are sums
of values plus sums of pads, and who has the key makes the pads of all summands again and
takes them away. There is no lattice, and no byte more than a sum needs: w bits a value.

    c = (m + F(key, message seed, position)) mod 2^w,      w = ceil(log2(k 2^b))

Pads are added to packed words: of the key stream w bits a value are used.

F is ChaCha20 under a key that is derived from the shared key and the message's seed, so
that the pads of two messages are independent as long as their seeds differ; those come
from the operating system, 256 bits each. The seed is public. Two messages under one seed
would show their difference: no function here takes a seed twice by itself, and who
encrypts must draw one for each message (`entropy.py`).

A vector is cut into chunks of one shape (`layout.py`). Pads belong to words in rows and
columns, and packing to columns alone (`field_words.py`), so that a short chunk is a full
one without its last columns.

References:
  Castelluccia, Mykletun, Tsudik, "Efficient aggregation of encrypted data in wireless
  sensor networks", MobiQuitous 2005. Jiang, Wang, Liu, "FLASHE: Additively symmetric
  homomorphic encryption for cross-silo federated learning", arXiv 2109.00675, 2021.
"""

import dataclasses

import tensorflow as tf

from selenc_tf import validation
from selenc_tf.lattice.device import chacha20, entropy, field_words
from selenc_tf.lattice.device.layout import Layout

MAX_WIDTH = 62
"""Sums of two stay positive in int64."""

TAG = 0x50414453
"""In nonces, "PADS": what the key stream is for."""

_NARROW = 32


@dataclasses.dataclass(frozen=True)
class Pad:
    """The shape of a chunk and the width of its sums; constructing one checks them.

    Attributes:
      bits: b of the codec: codes lie within +-(2^(b-1) - 1).
      max_summands: k, at most so many messages are added.
      columns: Of a chunk; even.
      groups_at_once: Of `chacha20.words`: how, not what, is computed.
    """

    bits: int
    max_summands: int
    columns: int = 4096
    groups_at_once: int = 1

    def __post_init__(self) -> None:
        """Checks that sums fit.

        Raises:
          ValueError: If a number is out of range, or the sums need too many bits.
        """
        validation.check_at_least("bits", self.bits, 2)
        validation.check_at_least("max_summands", self.max_summands, 1)
        if self.columns < 2 or self.columns % 2:
            raise ValueError(
                f"`columns` must be even and at least 2, got {self.columns}."
            )
        if self.width > MAX_WIDTH:
            raise ValueError(
                f"`bits` = {self.bits} with `max_summands` = {self.max_summands} need "
                f"{self.width} bits for a sum, and there are at most {MAX_WIDTH}. Take "
                f"{self.width - MAX_WIDTH} bits fewer, or fewer summands."
            )

    @property
    def width(self) -> int:
        """w: the bits of a sum, and of everything that is sent."""
        return ((self.max_summands << self.bits) - 1).bit_length()

    @property
    def dtype(self) -> tf.DType:
        """Of the words: uint32, or uint64 if w > 32."""
        return tf.uint32 if self.width <= _NARROW else tf.uint64

    @property
    def rows(self) -> int:
        """Of a chunk of values; a chunk of words has w."""
        return 8 * int(self.dtype.size)

    @property
    def chunk_values(self) -> int:
        """The values of one chunk."""
        return self.rows * self.columns

    @property
    def layout(self) -> Layout:
        """How vectors are cut into chunks."""
        return Layout(self.rows, self.columns, self.width)

    @property
    def bytes_per_value(self) -> float:
        """An eighth of w, without seed and header."""
        return self.width / 8

    @property
    def stream_words(self) -> int:
        """The words of the key stream for one chunk."""
        return self.width * self.columns * int(self.dtype.size) // 4

    def pads(self, message_key: tf.Tensor, chunk: tf.Tensor) -> tf.Tensor:
        """The pads of a chunk of one message, packed.

        Args:
          message_key: uint32 [8], from `message_key`.
          chunk: int32 scalar, the number of the chunk in the message.

        Returns:
          The words' dtype, [w, columns]; uniform.
        """
        number = tf.cast(chunk, tf.uint32)
        nonce = tf.stack([tf.constant(TAG, tf.uint32), number, tf.zeros_like(number)])
        stream = chacha20.words(
            message_key, nonce, 0, self.stream_words, self.groups_at_once
        )
        return self.words_of(stream)

    def words_of(self, stream: tf.Tensor) -> tf.Tensor:
        """The key stream as packed pads.

        Args:
          stream: uint32 [..., `stream_words`]; of wide words the lower halves come first.

        Returns:
          The words' dtype, [..., w, columns].
        """
        shape = [*stream.shape[:-1], self.width, self.columns]
        if self.dtype == tf.uint32:
            return tf.reshape(stream, shape)
        low, high = (
            tf.cast(tf.reshape(half, shape), tf.uint64)
            for half in tf.split(stream, 2, axis=-1)
        )
        return low + tf.bitwise.left_shift(high, tf.constant(32, tf.uint64))

    def encrypt(
        self, message_key: tf.Tensor, chunk: tf.Tensor, codes: tf.Tensor
    ) -> tf.Tensor:
        """Packs and adds the pads.

        Runs on: client.

        Args:
          message_key: uint32 [8], of a seed that no other message has.
          chunk: int32 scalar.
          codes: int32 or int64 [rows, columns], within +-(2^(b-1) - 1).

        Returns:
          The words' dtype, [w, columns].
        """
        return self.add(self.packed(codes), self.pads(message_key, chunk))

    def packed(self, codes: tf.Tensor, axis: int = 0) -> tf.Tensor:
        """Codes modulo 2^w, packed.

        Args:
          codes: int32 or int64 [rows, ...].
          axis: Where the rows stand, if not in front.

        Returns:
          The words' dtype, [w, ...].
        """
        # A cast from signed to unsigned is modulo a power of two.
        fields = field_words.lowest(tf.cast(codes, self.dtype), self.width)
        return field_words.pack(fields, self.width, axis)

    def add(self, one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
        """The sum of two encrypted chunks, or of their sums.

        Runs on: server, which needs no key.

        Args:
          one: The words' dtype, [w, columns], or any number of columns.
          other: Likewise.

        Returns:
          The same.
        """
        return field_words.add(one, other, self.width)

    def open(
        self, message_keys: tf.Tensor, chunk: tf.Tensor, total: tf.Tensor
    ) -> tf.Tensor:
        """Takes the pads of all summands away.

        Runs on: client. The work of opening is that of encrypting k messages; clients
        share chunks out among themselves.

        Args:
          message_keys: uint32 [k, 8], of exactly the messages that were added.
          chunk: int32 scalar.
          total: The words' dtype, [w, columns].

        Returns:
          int64 [rows, columns], the sums of codes. Under other keys: uniform numbers.
        """
        pads = tf.foldl(
            lambda so_far, key: self.add(so_far, self.pads(key, chunk)),
            message_keys,
            tf.zeros_like(total),
        )
        return self.opened(total, pads)

    def opened(self, total: tf.Tensor, pads: tf.Tensor, axis: int = 0) -> tf.Tensor:
        """Takes the sum of pads away.

        Args:
          total: The words' dtype, [w, ...].
          pads: Likewise, of all summands together.
          axis: Where w stands, if not in front.

        Returns:
          int64 [rows, ...], the sums of codes.
        """
        padded, taken = (
            field_words.unpack(one, self.width, axis) for one in (total, pads)
        )
        bare = padded - taken
        # Up, and down again with the sign.
        unused = self.rows - self.width
        shift = tf.constant(unused, self.dtype)
        signed = tf.int32 if self.dtype == tf.uint32 else tf.int64
        high = tf.bitcast(tf.bitwise.left_shift(bare, shift), signed)
        sums = tf.bitwise.right_shift(high, tf.constant(unused, signed))
        return tf.cast(sums, tf.int64)


def message_key(shared_key: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """The key of one message.

    Runs on: client.

    Args:
      shared_key: uint32 [8], the cohort's secret.
      seed: uint32 [8], public, of this message alone.

    Returns:
      uint32 [8], a secret.
    """
    return chacha20.derive(shared_key, tf.ensure_shape(seed, [entropy.SEED_WORDS]))
