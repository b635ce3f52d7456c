"""From a real vector to an encrypted message and back: codec, packing, cipher, header.

```
values -> codes -> slots of several codes -> blocks of slots and check values
                                                   -> encrypt -> header + blocks
```

The work is done in chunks of blocks, so that only ciphertexts grow with the vector:
codes, slots and noise of one chunk are gone before the next but one begins.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from selenc_tf import validation
from selenc_tf.lattice import digits, exact_numbers, groups, message
from selenc_tf.lattice import header as header_lib
from selenc_tf.lattice.chunks import in_chunks
from selenc_tf.lattice.cipher import Cipher
from selenc_tf.lattice.codec import (
    Encodable,
    FixedPointCodec,
    can_be_encoded,
    must_be_encodable,
)
from selenc_tf.lattice.header import Context
from selenc_tf.lattice.key_store import KeySet
from selenc_tf.lattice.packing import Packing
from selenc_tf.lattice.per_client import PerClientCipher, PerClientKeys
from selenc_tf.lattice.refusal import Refusal, must_be_accepted

_CHUNK_BLOCKS = 40

_CHECK_BITS = 60
"""Of the check values of a block where one slot alone is too small for one."""


@dataclasses.dataclass(frozen=True)
class Engine:
    """What turns vectors into messages.

    Attributes:
      codec: Makes integers of values.
      cipher: Encrypts blocks of integers.
      more_codes: How many codes each message has behind its values and their count, for
        numbers of another kind: `with_number`.
      chunk_blocks: Blocks that are worked on at a time. More need more memory, fewer
        leave threads idle. None for a group of a cipher that has groups, else 40.
    """

    codec: FixedPointCodec
    cipher: Cipher | PerClientCipher
    chunk_blocks: int | None = None
    more_codes: int = 0

    def __post_init__(self) -> None:
        """Checks that sums of codes fit into a slot.

        Raises:
          ValueError: If they do not.
        """
        validation.check_at_least("chunk_blocks", self.blocks_at_a_time, 1)
        validation.check_at_least("more_codes", self.more_codes, 0)
        cipher = self.cipher
        if cipher.plaintext_modulus * cipher.max_summands >= 2**62:
            raise ValueError(
                f"`cipher` must add fewer summands or have a smaller plaintext modulus: "
                f"{cipher.max_summands} times {cipher.plaintext_modulus} leaves int64."
            )
        largest = self.packing.max_abs_slot  # Refuses codes whose sums do not fit.
        if largest > cipher.max_abs_plaintext:
            raise ValueError(
                f"`codec` must make codes that fit into the slots of the cipher, up to "
                f"{cipher.max_abs_plaintext}, but packs them to {largest}. Choose the "
                "parameters for as many bits as the codec has."
            )

    @property
    def keyed_cipher(self) -> Cipher:
        """The cipher, for those who need one with a key that clients share.

        Raises:
          TypeError: If it has none.
        """
        if isinstance(self.cipher, PerClientCipher):
            raise TypeError(
                "`engine.cipher` must have a key that clients share where clients open "
                "a sum, but its messages have secrets of their own. Take "
                "`catalog.cipher`."
            )
        return self.cipher

    @property
    def own_cipher(self) -> PerClientCipher:
        """The cipher, for those who need one without a shared key.

        Raises:
          TypeError: If it has one.
        """
        if not isinstance(self.cipher, PerClientCipher):
            raise TypeError(
                "`engine.cipher` must be a `PerClientCipher` where there is no key, got "
                f"{self.cipher.name} with a shared one. Take "
                "`catalog.per_client_cipher`."
            )
        return self.cipher

    @property
    def blocks_at_a_time(self) -> int:
        """`chunk_blocks`, or what is taken where nobody said it."""
        if self.chunk_blocks is not None:
            return self.chunk_blocks
        group = self.cipher.group_blocks
        return _CHUNK_BLOCKS if group == 1 else group

    @property
    def packing(self) -> Packing:
        """How codes share a slot."""
        return Packing(
            max_abs_code=self.codec.max_abs_code,
            max_summands=self.cipher.max_summands,
            plaintext_modulus=self.cipher.plaintext_modulus,
        )

    @property
    def codes_per_block(self) -> int:
        """Codes in one block, whose last slots are the check values."""
        return self.slots_per_block * self.packing.values_per_slot

    @property
    def check_slots(self) -> int:
        """The check values of a block: as many as tell messages apart."""
        choices = 2 * self.cipher.max_abs_plaintext + 1
        if choices == self.cipher.plaintext_modulus:
            return 1
        return -(-_CHECK_BITS // (choices.bit_length() - 1))

    @property
    def slots_per_block(self) -> int:
        """Slots of codes in one block."""
        return self.cipher.num_slots - self.check_slots

    def num_blocks(self, codes: tf.Tensor) -> tf.Tensor:
        """The blocks that so many codes fill, in the dtype of the argument."""
        return -(-codes // self.codes_per_block)

    def num_codes(self, hidden: tf.Tensor) -> tf.Tensor:
        """Codes of a message with so many hidden entries, in the dtype of the argument.

        One for each entry, those that carry how many of them saturate, and `more_codes`.
        """
        counted = digits.num_digits_of(hidden, self.codec.max_abs_code)
        return hidden + counted + self.more_codes

    def count_codes(self, hidden: int) -> int:
        """Those of `num_codes` that are no entries."""
        return digits.num_digits(hidden, self.codec.max_abs_code) + self.more_codes

    def with_number(self) -> "Engine":
        """This engine for messages that carry one number beside the vector, exactly."""
        more = exact_numbers.num_codes(self.codec.max_abs_code)
        return dataclasses.replace(self, more_codes=more)

    def number_codes(self, number: tf.Tensor) -> tf.Tensor:
        """The number as codes: a scalar to int64 [more_codes]. See `with_number`."""
        numbers = tf.cast(number, tf.float64)[tf.newaxis]
        return exact_numbers.encode(numbers, self.codec.max_abs_code)[0]

    def number_of(self, codes: tf.Tensor, hidden: tf.Tensor) -> tf.Tensor:
        """The sum of the numbers of all messages in an opened sum: float64.

        Args:
          codes: Integers [`num_codes(hidden)`] of a whole vector.
          hidden: m.
        """
        first = self.num_codes(hidden) - self.more_codes
        sums = tf.cast(codes[first : first + self.more_codes], tf.int64)
        rows = tf.reshape(sums, [1, self.more_codes])
        return exact_numbers.decode(rows, self.codec.max_abs_code)[0]

    def count_saturated(self, codes: tf.Tensor, hidden: tf.Tensor) -> tf.Tensor:
        """How many entries saturated, of all messages in an opened sum: int64.

        Args:
          codes: Integers [`num_codes(hidden)`] of a whole vector.
          hidden: m.
        """
        behind = self.num_codes(hidden) - self.more_codes
        sums = tf.cast(codes[hidden:behind], tf.int64)
        return digits.from_digits(sums, self.codec.max_abs_code)

    def context(
        self,
        keys: KeySet | PerClientKeys,
        packed_mask: tf.Tensor,
        round_number: tf.Tensor,
        hidden: tf.Tensor,
        run: tf.Tensor | int = 0,
        key_check: tf.Tensor | int = 0,
    ) -> Context:
        """What all messages of a round are of; every party computes it for itself.

        Args:
          keys: The public name of the keys, or that there are none.
          packed_mask: uint8 [ceil(n / 8)].
          round_number: int64.
          hidden: m, the number of hidden entries.
          run: int64, drawn when the training began.
          key_check: int64, of the key, from `key_store.read_check`.

        Returns:
          The context.
        """
        number = tf.cast(round_number, tf.int64)
        return Context(
            parameters=_constant(self.cipher.digest),
            codec=_constant(self.codec.digest()),
            key_id=_constant(keys.key_id),
            key_number=keys.number(number),
            key_check=tf.cast(key_check, tf.int64),
            mask=tf.bitcast(tf.fingerprint(packed_mask[tf.newaxis]), tf.int64)[0],
            run=tf.cast(run, tf.int64),
            round=number,
            values=self.num_codes(tf.cast(hidden, tf.int64)),
        )


def seal(
    engine: Engine,
    secret_key: tf.Tensor,
    values: tf.Tensor,
    bound: tf.Tensor,
    context: Context,
    seed: tf.Tensor,
    more: tf.Tensor | None = None,
) -> tf.Tensor:
    """Encodes and encrypts a vector, and how many of its entries saturate.

    Runs on: client. Sees: its own vector.

    Args:
      engine: The engine.
      secret_key: string.
      values: float32 [m].
      bound: float32 [] or [m], the public bound of each value.
      context: Of the round.
      seed: int64 [2], for stochastic rounding; not a secret.
      more: int64 [more_codes], what goes behind them; None if there is none.

    Returns:
      string [1 + b], the message.

    Raises:
      InvalidArgumentError: When run, if a value is not finite or a bound not positive.
    """
    rows, chunks = _rows_in_chunks(engine, values, bound, context, seed, more)
    cipher = engine.keyed_cipher
    return message.in_chunks(
        lambda chunk: cipher.encrypt(secret_key, rows(chunk)), chunks, context
    )


class Own(NamedTuple):
    """A message under a secret of its own.

    Attributes:
      message: string [1 + b].
      secret: int32 [N], for `PerClientCipher.release` and nothing else.
    """

    message: tf.Tensor
    secret: tf.Tensor


def seal_own(
    engine: Engine,
    values: tf.Tensor,
    bound: tf.Tensor,
    context: Context,
    seed: tf.Tensor,
    more: tf.Tensor | None = None,
    there: tf.Tensor | None = None,
) -> Own:
    """Encodes and encrypts a vector as `seal`, under a secret that is drawn for it.

    Runs on: client. Sees: its own vector.

    Args:
      engine: The engine, with a `PerClientCipher`.
      values: As for `seal`, and the next four.
      bound: Likewise.
      context: Likewise.
      seed: Likewise.
      more: Likewise.
      there: bool, whether there is something to encrypt; True by default. If not, the
        message is empty, and the secret that of no message.

    Returns:
      The message and its secret.

    Raises:
      InvalidArgumentError: As `seal`.
    """
    cipher, slots = engine.own_cipher, engine.cipher.num_slots
    there = tf.constant(True) if there is None else there

    def all_rows() -> tf.Tensor:
        rows, chunks = _rows_in_chunks(engine, values, bound, context, seed, more)
        # The narrowest integers: all of them are there at once, a whole message.
        flat = in_chunks(
            lambda chunk: tf.cast(tf.reshape(rows(chunk), [-1]), cipher.code_dtype),
            chunks,
            cipher.code_dtype,
        )
        return tf.reshape(flat, [-1, slots])

    none = tf.zeros([0, slots], cipher.code_dtype)
    sealed, secret = cipher.encrypt(
        tf.stack(context), tf.cond(there, all_rows, lambda: none)
    )
    return Own(tf.cond(there, lambda: sealed, lambda: tf.zeros([0], tf.string)), secret)


def judge(
    engine: Engine,
    sealed: tf.Tensor,
    context: Context,
    summands: tf.Tensor,
    first_block: tf.Tensor,
    blocks: tf.Tensor,
    upload: bool = False,
) -> tf.Tensor:
    """Compares a message with what it must be: int32, a `Refusal`. Needs no key.

    Args:
      engine: The engine.
      sealed: string [any length].
      context: Of the round.
      summands: Integer, how many messages it must be the sum of.
      first_block: Integer, the position where it must begin.
      blocks: Integer, how many blocks it must have.
      upload: Whether it must be as a client sends it, not as the server adds it up.
    """
    expected = message.Expected(
        context, *(tf.cast(n, tf.int64) for n in (summands, first_block, blocks))
    )
    cipher = engine.cipher
    length = cipher.upload_bytes if upload else cipher.sum_bytes
    return message.judge(sealed, length, expected)


def open_codes(
    engine: Engine,
    secret_key: tf.Tensor,
    sealed: tf.Tensor,
    context: Context,
    summands: tf.Tensor,
    first_block: tf.Tensor,
    blocks: tf.Tensor,
    upload: bool = False,
) -> tf.Tensor:
    """Decrypts a message, or a part of one, after judging it.

    Runs on: client. Sees: the sum that the message is of.

    Args:
      engine: The engine.
      secret_key: string.
      sealed: string [1 + b].
      context: Of the round.
      summands: Integer, how many messages it must be the sum of.
      first_block: Integer, the position where it must begin.
      blocks: Integer, how many blocks it must have.
      upload: Whether it is a client's own message, not a sum.

    Returns:
      int64 [codes in these blocks], sums of codes; the padding of the vector's last
      block is cut off.

    Raises:
      InvalidArgumentError: When run, if the message is refused; the text holds the
        name of the `Refusal`. Nothing is decrypted then, or, for `GARBLED`, nothing of
        what was decrypted is given out.
    """
    cipher = engine.keyed_cipher
    return _open_in_chunks(
        lambda part, _: cipher.decrypt(secret_key, part),
        engine,
        sealed,
        context,
        summands,
        first_block,
        blocks,
        judge(engine, sealed, context, summands, first_block, blocks, upload),
    )


def open_released(
    engine: Engine,
    released: tf.Tensor,
    sealed: tf.Tensor,
    context: Context,
    summands: tf.Tensor,
) -> tf.Tensor:
    """Opens a whole sum by the sum of what its clients released, after judging it.

    Runs on: server. Sees: the sum that the message is of.

    Args:
      engine: The engine, with a `PerClientCipher`.
      released: int32 [N], the sum.
      sealed: string [1 + b].
      context: Of the round.
      summands: int32, how many messages it must be the sum of.

    Returns:
      int64 [codes], sums of codes, without the padding of the last block.

    Raises:
      InvalidArgumentError: When run, as `open_codes`; `SECRET_MISSING` if what was
        released does not open the sum.
    """
    cipher, first = engine.own_cipher, tf.constant(0)
    known, blocks = tf.stack(context), engine.num_blocks(context.values)
    return _open_in_chunks(
        lambda part, at: cipher.open(known, released, summands, at, part),
        engine,
        sealed,
        context,
        summands,
        first,
        blocks,
        judge(engine, sealed, context, summands, first, blocks),
        Refusal.SECRET_MISSING,
    )


def _open_in_chunks(
    decrypt: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    engine: Engine,
    sealed: tf.Tensor,
    context: Context,
    summands: tf.Tensor,
    first_block: tf.Tensor,
    blocks: tf.Tensor,
    verdict: tf.Tensor,
    unless: Refusal = Refusal.GARBLED,
) -> tf.Tensor:
    """Opens a judged message by a function of some blocks and the first one's place."""
    with tf.control_dependencies([must_be_accepted(verdict)]):
        to_open = message.blocks_of(tf.identity(sealed))
    first = tf.cast(first_block, tf.int32)
    size, slots = engine.blocks_at_a_time, engine.slots_per_block

    def codes_of(chunk: tf.Tensor) -> tf.Tensor:
        part, at = to_open[chunk * size : (chunk + 1) * size], first + chunk * size
        rows = decrypt(part, at)
        checks = _check_values(engine, context, at, tf.size(part), summands)
        fits = tf.reduce_all(tf.equal(rows[:, slots:], checks))
        found = tf.where(fits, int(Refusal.ACCEPTED), int(unless))
        with tf.control_dependencies([must_be_accepted(found)]):
            packed = tf.identity(rows[:, :slots])
        return engine.packing.unpack(tf.reshape(packed, [-1]))

    # Judged to be as many as there are.
    chunks = -(-tf.cast(blocks, tf.int32) // size)
    codes = in_chunks(codes_of, chunks, tf.int64)
    left = tf.cast(context.values, tf.int32) - first * engine.codes_per_block
    return codes[: tf.maximum(left, 0)]


def _rows_in_chunks(
    engine: Engine,
    values: tf.Tensor,
    bound: tf.Tensor,
    context: Context,
    seed: tf.Tensor,
    more: tf.Tensor | None,
) -> tuple[Callable[[tf.Tensor], tf.Tensor], tf.Tensor]:
    """What of a vector is encrypted.

    Returns:
      From the number of a chunk, int32, to int64 [blocks, `num_slots`]: codes with the
      check values behind them. And how many chunks there are.
    """
    m = tf.size(values)
    total = engine.num_codes(m)
    per_chunk = engine.codes_per_block * engine.blocks_at_a_time
    counted = digits.to_digits(
        engine.codec.saturated(values, bound), engine.codec.max_abs_code
    )[: total - m - engine.more_codes]
    none = tf.zeros([0], tf.int64)
    others = tf.concat([counted, none if more is None else more], axis=0)

    def any_rows(chunk: tf.Tensor) -> tf.Tensor:
        first, end = chunk * per_chunk, (chunk + 1) * per_chunk
        codes = engine.codec.encode(
            values[first:end],
            bound if bound.shape.rank == 0 else bound[first:end],
            seed + tf.stack([tf.constant(0, tf.int64), tf.cast(chunk, tf.int64)]),
        )
        behind = others[tf.maximum(first - m, 0) : tf.maximum(end - m, 0)]
        padding = -(tf.size(codes) + tf.size(behind)) % engine.codes_per_block
        codes = tf.concat([codes, behind, tf.zeros([padding], tf.int64)], axis=0)
        packed = tf.reshape(engine.packing.pack(codes), [-1, engine.slots_per_block])
        checks = _check_values(
            engine,
            context,
            chunk * engine.blocks_at_a_time,
            tf.shape(packed)[0],
            1,
        )
        return tf.concat([packed, checks], axis=1)

    chunks = -(-total // per_chunk)
    if engine.codec.rounding != "nearest" or engine.cipher.group_blocks == 1:
        return any_rows, chunks
    of_values = _compiled_rows(engine, bound.shape.rank == 1)

    def full_rows(chunk: tf.Tensor) -> tf.Tensor:
        first, size = chunk * per_chunk, engine.blocks_at_a_time
        part = tf.ensure_shape(values[first : first + per_chunk], [per_chunk])
        limits = bound[first : first + per_chunk] if bound.shape.rank else bound
        checks = _check_values(engine, context, chunk * size, size, 1)
        limits = tf.ensure_shape(limits, [per_chunk] if bound.shape.rank else [])
        found, made = of_values(part, limits, checks)
        return must_be_encodable(found, made)

    def rows(chunk: tf.Tensor) -> tf.Tensor:
        full = (chunk + 1) * per_chunk <= m
        made = tf.cond(full, lambda: full_rows(chunk), lambda: any_rows(chunk))
        return tf.ensure_shape(made, [None, engine.cipher.num_slots])

    return rows, chunks


def _compiled_rows(engine: Engine, bound_each: bool) -> Callable[..., Any]:
    """Of a chunk that is full of values: in one pass, where XLA compiles anyway.

    Returns:
      From float32 [n], its bound and its check values, int64 [blocks, c], to whether it
      can be encoded and int64 [blocks, `num_slots`].
    """
    blocks, slots = engine.blocks_at_a_time, engine.slots_per_block
    length = blocks * engine.codes_per_block

    def rows(
        values: tf.Tensor, bound: tf.Tensor, checks: tf.Tensor
    ) -> tuple[Encodable, tf.Tensor]:
        codes = engine.codec.rounded(values, bound)
        packed = tf.reshape(engine.packing.pack(codes), [blocks, slots])
        return can_be_encoded(values, bound), tf.concat([packed, checks], axis=1)

    return groups.compiled(
        rows,
        tf.TensorSpec([length], tf.float32),
        tf.TensorSpec([length] if bound_each else [], tf.float32),
        tf.TensorSpec([blocks, engine.check_slots], tf.int64),
    )


def _check_values(
    engine: Engine,
    context: Context,
    first_block: tf.Tensor,
    blocks: tf.Tensor,
    summands: tf.Tensor | int,
) -> tf.Tensor:
    """The check values of each block in a sum, as they open: int64 [blocks, c]."""
    t, largest = engine.cipher.plaintext_modulus, engine.cipher.max_abs_plaintext
    first = tf.cast(first_block, tf.int64)
    tags = message.tags(context, first, blocks, 2 * largest + 1, engine.check_slots)
    once = tf.where(tags > largest, tags - (2 * largest + 1), tags)
    total = tf.math.floormod(once * tf.cast(summands, tf.int64), t)
    return tf.where(total > (t - 1) // 2, total - t, total)


def _constant(digest: str) -> tf.Tensor:
    return tf.constant(header_lib.digest_number(digest), tf.int64)
