"""What an encrypted block says of itself, behind the bytes of its ciphertext.

    ciphertext | digest of the parameters | id of the key | kind | how many messages

of which the kind is an upload's or a sum's,

and a key in front of its secret: the digest of the parameters that it was made for, its id.
All of it is public. Only `BlockTails` writes it, inside of the functions of a cipher, and
what it says decides what these functions do: a block that is not a sum, within the bound,
of messages under this key and these parameters is decrypted as if it were a block of
zeros. What such a block would decrypt to tells of the key: a sum of too many wraps around.
So does one that is longer than what the cipher made: an upload with something in front,
as long as a sum, would be read as one. Its tail says that it is none.

None of that is an assertion, which an optimiser may take out of a graph, or whose failure
could itself tell.
"""

import dataclasses
from typing import NamedTuple

import tensorflow as tf

from selenc_tf import validation

DIGEST_DIGITS = 64
"""Of the digest, in hex: a whole SHA-256. Nobody finds two sets that share it."""

KEY_ID_BYTES = 32
"""Of the id of a key, in base64."""

KEY_FRONT_BYTES = DIGEST_DIGITS + KEY_ID_BYTES
"""What stands in front of the secret of a key."""

_DRAWN_BYTES = 3 * KEY_ID_BYTES // 4
"""As many random bytes: nobody makes keys until two have the same id."""

_COUNT_DIGITS = 9
"""Decimal. As many blocks that say as much add up to less than 2^63."""

_UPLOAD, _SUM = "u", "s"
"""The kinds."""

_NOTHING_ADDED = 0
"""In place of the number of messages: this is no sum that opens."""

NUM_BYTES = DIGEST_DIGITS + KEY_ID_BYTES + len(_UPLOAD) + _COUNT_DIGITS


class _Said(NamedTuple):
    """What blocks say, each field of their shape.

    Attributes:
      key_id: string.
      count: int64, 0 of a block that is none of these parameters, is not as long as its
        kind is, or opens to nothing.
    """

    key_id: tf.Tensor
    count: tf.Tensor


@dataclasses.dataclass(frozen=True)
class BlockTails:
    """The tails of one parameter set.

    Attributes:
      digest: Of all that a ciphertext depends on, hex digits.
      ciphertext_bytes: What stands before the tail of what was just encrypted.
      max_summands: How many messages may be added.
      sum_ciphertext_bytes: What stands before the tail of a sum; None if it is as much.
    """

    digest: str
    ciphertext_bytes: int
    max_summands: int
    sum_ciphertext_bytes: int | None = None

    def __post_init__(self) -> None:
        """Checks that the digest fills its place and all counts fit into theirs.

        Raises:
          ValueError: If they do not.
        """
        if len(self.digest) != DIGEST_DIGITS:
            raise ValueError(
                f"`digest` must have {DIGEST_DIGITS} hex digits, got {self.digest!r}."
            )
        validation.check_at_least("max_summands", self.max_summands, 1)
        if self.max_summands >= 10**_COUNT_DIGITS:
            raise ValueError(
                f"`max_summands` must have at most {_COUNT_DIGITS} digits, got "
                f"{self.max_summands}."
            )

    @property
    def upload_bytes(self) -> int:
        """The bytes of a message that was just encrypted, with its tail."""
        return self.ciphertext_bytes + NUM_BYTES

    @property
    def sum_bytes(self) -> int:
        """The bytes of a sum with its tail."""
        return self._sum_ciphertext_bytes + NUM_BYTES

    @property
    def _sum_ciphertext_bytes(self) -> int:
        if self.sum_ciphertext_bytes is None:
            return self.ciphertext_bytes
        return self.sum_ciphertext_bytes

    def of_one(self, secret_key: tf.Tensor, ciphertexts: tf.Tensor) -> tf.Tensor:
        """Puts tails behind messages that were just encrypted.

        Args:
          secret_key: string, the key with what stands in front of it.
          ciphertexts: string [b].

        Returns:
          string [b].
        """
        ones = tf.ones(tf.shape(ciphertexts), tf.int64)
        return self._join(ciphertexts, key_id_of(secret_key), _UPLOAD, ones)

    def of_sum(
        self,
        summands: tf.Tensor,
        ciphertexts: tf.Tensor,
        whole: tf.Tensor | bool = True,
    ) -> tf.Tensor:
        """Puts tails behind sums.

        Args:
          summands: string [k, b], the blocks that were added.
          ciphertexts: string [b], their sums.
          whole: bool [b], what else tells whether it is a sum that opens.

        Returns:
          string [b]. What sums up other things than messages under one key and these
          parameters opens to nothing, and so does every sum with it.
        """
        said = self._read(summands)
        key_id = said.key_id[0]
        together = tf.equal(said.key_id, key_id) & (said.count >= 1)
        # More would be too many whatever they say, and their total might wrap around.
        few = tf.less_equal(tf.shape(summands)[0], self.max_summands)
        total = tf.reduce_sum(said.count, axis=0)
        nothing = tf.constant(_NOTHING_ADDED, tf.int64)
        count = tf.where(few & whole & tf.reduce_all(together, axis=0), total, nothing)
        return self._join(ciphertexts, key_id, _SUM, count)

    def new_key(self, secret: tf.Tensor, random: tf.Tensor) -> tf.Tensor:
        """Makes a key of its secret: puts the digest and a new id in front.

        Args:
          secret: string scalar.
          random: string scalar, made for this alone, whose last 24 bytes are uniform and
            do not depend on the secret: the end of a ciphertext is.

        Returns:
          string scalar.
        """
        drawn = tf.strings.substr(random, -_DRAWN_BYTES, _DRAWN_BYTES)
        return tf.strings.join([self.digest, tf.io.encode_base64(drawn), secret])

    def readable(self, secret_key: tf.Tensor, blocks: tf.Tensor) -> tf.Tensor:
        """Puts zeros in the place of blocks that must not be decrypted with a key.

        Args:
          secret_key: string, the key with what stands in front of it.
          blocks: string [b], whatever they are.

        Returns:
          string [b], ciphertexts with a tail behind them, or zeros of a sum's length
          without one.
        """
        said = self._read(blocks)
        ours = tf.equal(said.key_id, key_id_of(secret_key)) & (said.count >= 1)
        return tf.where(ours, blocks, tf.constant(bytes(self._sum_ciphertext_bytes)))

    def counts(self, blocks: tf.Tensor) -> tf.Tensor:
        """Of how many messages blocks say that they are the sum.

        Args:
          blocks: string [...], whatever they are.

        Returns:
          int64 [...], from 0 to `max_summands`; 0 of a block that is none of these
          parameters or opens to nothing.
        """
        return self._read(blocks).count

    def _join(
        self, ciphertexts: tf.Tensor, key_id: tf.Tensor, kind: str, count: tf.Tensor
    ) -> tf.Tensor:
        within = self._within(count)
        counted = tf.strings.as_string(within, width=_COUNT_DIGITS, fill="0")
        return tf.strings.join([ciphertexts, self.digest, key_id, kind, counted])

    def _read(self, blocks: tf.Tensor) -> _Said:
        lengths = tf.strings.length(blocks)
        start = tf.maximum(lengths - NUM_BYTES, 0)
        tails = tf.strings.substr(blocks, start, tf.fill(tf.shape(blocks), NUM_BYTES))
        ours = self._of_kind(_UPLOAD, self.upload_bytes, lengths, tails)
        ours |= self._of_kind(_SUM, self.sum_bytes, lengths, tails)
        legible = tf.where(ours, tails, "0" * NUM_BYTES)
        key_id = tf.strings.substr(legible, DIGEST_DIGITS, KEY_ID_BYTES)
        counted = tf.strings.substr(legible, NUM_BYTES - _COUNT_DIGITS, _COUNT_DIGITS)
        count = tf.strings.to_number(counted, tf.int64)
        return _Said(key_id, self._within(count))

    def _of_kind(
        self, kind: str, num_bytes: int, lengths: tf.Tensor, tails: tf.Tensor
    ) -> tf.Tensor:
        """Whether blocks have the length of a kind and a tail that says it."""
        key_id, count = f"[A-Za-z0-9_-]{{{KEY_ID_BYTES}}}", f"[0-9]{{{_COUNT_DIGITS}}}"
        legible = tf.strings.regex_full_match(
            tails, f"{self.digest}{key_id}{kind}{count}"
        )
        return tf.equal(lengths, num_bytes) & legible

    def _within(self, count: tf.Tensor) -> tf.Tensor:
        # `federated.key_flow` finds the bound here.
        nothing = tf.constant(_NOTHING_ADDED, tf.int64)
        return tf.where(tf.less_equal(count, self.max_summands), count, nothing)


def key_id_of(secret_key: tf.Tensor) -> tf.Tensor:
    """The public id in front of a key: string scalar to string scalar."""
    return tf.strings.substr(secret_key, DIGEST_DIGITS, KEY_ID_BYTES)
