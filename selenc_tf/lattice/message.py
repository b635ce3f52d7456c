"""Encrypted messages: a header and blocks, sealed so that a mix-up is noticed.

A message is a string [1 + b]: the header, then b encrypted blocks. Joined they are the
bytes that cross the wire; `from_bytes` cuts them apart again.

Two things guard it. Whoever receives it, without a key, compares the header with what
the round is about and with the blocks that are there (`judge`). Whoever decrypts it finds
in the last slot of each block a *check value* that depends on the header's context and
on the block's position; in a sum of k messages it stands k times. So a message whose
header was altered to please `judge` still does not open (`tags`).
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from selenc_tf.lattice import header as header_lib
from selenc_tf.lattice.chunks import CHUNKS_AT_ONCE
from selenc_tf.lattice.header import Context, Header, Seed
from selenc_tf.lattice.refusal import Refusal


class Expected(NamedTuple):
    """What a receiver knows that a message must be.

    Attributes:
      context: Of the round.
      summands: int64, how many messages it is the sum of.
      first_block: int64, position of its first block.
      blocks: int64, the number of its blocks.
    """

    context: Context
    summands: tf.Tensor
    first_block: tf.Tensor
    blocks: tf.Tensor


def assemble(
    context: Context, summands: tf.Tensor, first_block: tf.Tensor, blocks: tf.Tensor
) -> tf.Tensor:
    """Puts the header before encrypted blocks. Runs on: any party.

    Args:
      context: What they are of.
      summands: int64, how many messages they are the sum of.
      first_block: int64, the position of the first of them.
      blocks: string [b].

    Returns:
      string [1 + b], the message.
    """
    header = write_header(context, summands, first_block, fingerprints(blocks))
    return tf.concat([[header], blocks], axis=0)


def write_header(
    context: Context, summands: tf.Tensor, first_block: tf.Tensor, hashes: tf.Tensor
) -> tf.Tensor:
    """The header of blocks that have these fingerprints. Runs on: any party.

    Args:
      context: What they are of.
      summands: int64, how many messages they are the sum of.
      first_block: int64, the position of the first of them.
      hashes: int64 [b], from `fingerprints`.

    Returns:
      string, the first element of the message.
    """
    unsealed = Header(
        magic=tf.constant(header_lib.MAGIC, tf.int64),
        context=context,
        summands=tf.cast(summands, tf.int64),
        first_block=tf.cast(first_block, tf.int64),
        blocks=tf.size(hashes, tf.int64),
        seed=Seed(*[tf.constant(0, tf.int64)] * len(Seed._fields)),
        checksum=tf.constant(0, tf.int64),
        content=tf.constant(0, tf.int64),
    )
    ordered = unsealed._replace(checksum=_checksum(unsealed, hashes))
    return header_lib.write(ordered._replace(content=_content(ordered, hashes)))


def in_chunks(
    make: Callable[[tf.Tensor], tf.Tensor], chunks: tf.Tensor, context: Context
) -> tf.Tensor:
    """A header and the blocks `make(0)`, `make(1)`, ..., copied once.

    The header depends on all blocks and stands before them; it goes into the place that
    was kept for it, so that blocks are not joined first and then once more with it.

    Runs on: any party.

    Args:
      make: From the number of a chunk, int32, to string [blocks]. `make(0)` must be
        empty if there are no chunks.
      chunks: int32, how many there are.
      context: What they are of: a message by itself, and all of it.

    Returns:
      string [1 + b], the message.
    """
    chunks = tf.maximum(chunks, 1)
    parts = tf.TensorArray(
        tf.string, chunks + 1, infer_shape=False, element_shape=[None]
    )
    hashes = tf.TensorArray(tf.int64, chunks, infer_shape=False, element_shape=[None])

    def step(
        chunk: tf.Tensor, parts: tf.TensorArray, hashes: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.TensorArray, tf.TensorArray]:
        blocks = make(chunk)
        return (
            chunk + 1,
            parts.write(chunk + 1, blocks),
            hashes.write(chunk, fingerprints(blocks)),
        )

    _, parts, hashes = tf.while_loop(
        lambda chunk, *_: chunk < chunks,
        step,
        (tf.constant(0), parts, hashes),
        parallel_iterations=CHUNKS_AT_ONCE,
    )
    header = write_header(context, tf.constant(1), tf.constant(0), hashes.concat())
    return parts.write(0, [header]).concat()


def fingerprints(blocks: tf.Tensor) -> tf.Tensor:
    """FarmHash64 of each block: string [b] to int64 [b]. Runs on: any party."""
    return tf.bitcast(tf.fingerprint(blocks), tf.int64)


def header_of(message: tf.Tensor) -> Header:
    """The header of a message, unchecked; zeros where there is none."""
    return header_lib.read(_first(message))


def blocks_of(message: tf.Tensor) -> tf.Tensor:
    """The encrypted blocks of a message: string [b]."""
    return message[1:]


def judge(message: tf.Tensor, block_bytes: int, expected: Expected) -> tf.Tensor:
    """Compares a message with what it must be; safe for any strings.

    Runs on: whoever receives it. Needs no key.

    Args:
      message: string [any length].
      block_bytes: Of the cipher: of uploads or of sums.
      expected: What it must be.

    Returns:
      int32, a `Refusal`; `ACCEPTED` if there is none.
    """
    found = header_of(message)
    # Numbers of all that is there, cut: the blocks themselves would be copied.
    hashes = fingerprints(message)[1:]
    intact = tf.equal(found.checksum, _checksum(found, hashes))
    ours = tf.equal(found.magic, header_lib.MAGIC)
    lengths = tf.strings.length(message)[1:]
    missing = (tf.size(hashes, tf.int64) < found.blocks) | tf.reduce_any(
        lengths < block_bytes
    )
    no_header = tf.strings.length(_first(message)) < header_lib.NUM_BYTES
    surplus = tf.reduce_any(lengths > block_bytes) | (
        tf.strings.length(_first(message)) > header_lib.NUM_BYTES
    )
    same_content = tf.equal(found.content, _content(found, hashes))
    findings = {
        # How many blocks there should be, only a header of ours can tell.
        Refusal.TRUNCATED: no_header | (ours & missing),
        Refusal.FOREIGN: ~ours,
        Refusal.REORDERED: ~intact & same_content & (tf.size(hashes) > 1) & ~surplus,
        Refusal.CORRUPTED: ~intact | ~same_content | surplus,
        **differences(found.context, expected.context),
        Refusal.WRONG_SUMMANDS: tf.not_equal(found.summands, expected.summands),
        Refusal.MISPLACED: tf.not_equal(found.first_block, expected.first_block)
        | tf.not_equal(found.blocks, expected.blocks)
        | tf.not_equal(tf.size(hashes, tf.int64), expected.blocks),
    }
    # No cipher of this version sends a seed: the message is of another one.
    findings[Refusal.WRONG_PARAMETERS] |= tf.reduce_any(
        tf.not_equal(tf.stack(found.seed), 0)
    )
    return first_refusal(findings)


def differences(found: Context, expected: Context) -> dict[Refusal, tf.Tensor]:
    """Where a context is not the one of this round, in the order of reporting."""
    same_key = tf.equal(found.key_id, expected.key_id)
    return {
        Refusal.WRONG_PARAMETERS: tf.not_equal(found.parameters, expected.parameters),
        Refusal.WRONG_CODEC: tf.not_equal(found.codec, expected.codec),
        # Of a series, another round has another key: the round is the reason.
        Refusal.WRONG_RUN: same_key & tf.not_equal(found.run, expected.run),
        Refusal.WRONG_ROUND: same_key & tf.not_equal(found.round, expected.round),
        Refusal.WRONG_KEY: ~same_key
        | tf.not_equal(found.key_number, expected.key_number)
        | tf.not_equal(found.key_check, expected.key_check),
        Refusal.WRONG_MASK: tf.not_equal(found.mask, expected.mask),
        Refusal.WRONG_COUNT: tf.not_equal(found.values, expected.values),
    }


def first_refusal(findings: dict[Refusal, tf.Tensor]) -> tf.Tensor:
    """The first reason that holds, int32; `ACCEPTED` if none does.

    Args:
      findings: bool scalars, in the order in which they are to be reported.
    """
    holds = tf.stack([*findings.values(), tf.constant(True)])
    reasons = tf.constant([*findings, Refusal.ACCEPTED], tf.int32)
    return reasons[tf.argmax(tf.cast(holds, tf.int32))]


def tags(
    context: Context,
    first_block: tf.Tensor,
    blocks: tf.Tensor,
    modulus: int,
    count: int = 1,
) -> tf.Tensor:
    """The check values of consecutive blocks.

    Public: they tell whether a message is the right one, they do not authenticate it.

    Args:
      context: What the blocks are of.
      first_block: int64, position of the first.
      blocks: int32 or int64, their number.
      modulus: t.
      count: How many values of each block.

    Returns:
      int64 [blocks, count] in [0, t), a fingerprint of context and position, and its
      further digits to the base t.
    """
    positions = tf.cast(first_block, tf.int64) + tf.range(tf.cast(blocks, tf.int64))
    of_context = header_lib.fingerprint(tf.stack([tf.stack(context)]))
    rows = tf.stack([tf.broadcast_to(of_context, tf.shape(positions)), positions], 1)
    rest, digits = header_lib.fingerprint(rows), []
    for _ in range(count):
        digits.append(tf.math.floormod(rest, modulus))
        rest = tf.math.floordiv(rest, modulus)
    return tf.stack(digits, axis=1)


def from_bytes(text: bytes, block_bytes: int) -> tf.Tensor:
    """Cuts the bytes of a message into header and blocks, whatever they are.

    Args:
      text: Any bytes.
      block_bytes: Of the cipher.

    Returns:
      string [1 + b]; the last element is shorter if bytes are missing.
    """
    body = text[header_lib.NUM_BYTES :]
    blocks = [body[i : i + block_bytes] for i in range(0, len(body), block_bytes)]
    return tf.constant([text[: header_lib.NUM_BYTES], *blocks], tf.string)


def to_bytes(message: tf.Tensor) -> bytes:
    """The bytes of a message as they cross the wire."""
    return b"".join(tf.convert_to_tensor(message).numpy().tolist())


def _first(message: tf.Tensor) -> tf.Tensor:
    """The first element, or an empty string."""
    return tf.strings.reduce_join(message[:1])


def _checksum(header: Header, hashes: tf.Tensor) -> tf.Tensor:
    """Of the fields above it and of the blocks in their order."""
    fields = tf.stack(tf.nest.flatten(header)[:-2])
    return header_lib.fingerprint(tf.concat([fields, hashes], 0)[tf.newaxis])[0]


def _content(header: Header, hashes: tf.Tensor) -> tf.Tensor:
    """Of the fields above it and of the blocks, whatever their order."""
    fields = tf.stack(tf.nest.flatten(header)[:-1])
    return header_lib.fingerprint(fields[tf.newaxis])[0] + tf.reduce_sum(hashes)
