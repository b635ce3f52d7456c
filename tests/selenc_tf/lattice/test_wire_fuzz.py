"""Mutated messages by the thousand: every one is refused by name, and nothing crashes.

The receiver expects one message: a sum of two, of one round. Mutations change its bytes,
mix it with messages of something else, or forge: they know the format and compute the
checksums anew. A forgery of the header is found out by what the receiver knows, or else
by the check values when it is opened. (A forgery of the blocks of the cipher that
encrypts nothing is not: only blocks under the real cipher are forged here.)
"""

import collections
import dataclasses
import functools
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from selenc_tf.lattice import engine as engine_lib
from selenc_tf.lattice import (
    header,
    identity_cipher,
    message,
    shares,
)
from selenc_tf.lattice.codec import FixedPointCodec
from selenc_tf.lattice.engine import Engine
from selenc_tf.lattice.header import Context
from selenc_tf.lattice.key_store import KeySet
from selenc_tf.lattice.per_client import PerClientKeys
from selenc_tf.lattice.refusal import Refusal
from tests.selenc_tf.lattice import ciphers, either

KEYS = KeySet("nowhere", "00112233445566aa", rotates=True)
PACKED_MASK = tf.constant([1, 2, 3], tf.uint8)
SUMMANDS = 2
NUM_FIELDS = 19
CHECKSUM, CONTENT = 17, 18
FOUND_BY_JUDGE = list(Refusal)[Refusal.TRUNCATED : Refusal.MISPLACED + 1]
NUMBERS = (0, 1, -1, 2**31, 2**32, -(2**31), 2**63 - 1, -(2**63))

IDENTITY = Engine(
    FixedPointCodec(8),
    identity_cipher.build_identity_cipher_INSECURE(16, 1_099_511_627_791, 4),
    chunk_blocks=4,
)
SHELL = Engine(
    FixedPointCodec(16),
    ciphers.shell(64, 16),
    chunk_blocks=2,
)
DEVICE = Engine(
    FixedPointCodec(16),
    ciphers.device(4, 16),
    chunk_blocks=2,
)
PAD = Engine(
    FixedPointCodec(16),
    ciphers.pad(4, 16),
    chunk_blocks=2,
)
PER_CLIENT = Engine(
    FixedPointCodec(16),
    ciphers.per_client(4, 16),
    chunk_blocks=2,
)

Parts = list[bytes]


@functools.lru_cache(maxsize=100_000)
def fingerprint(octets: bytes) -> int:
    found = tf.raw_ops.Fingerprint(data=[octets], method="farmhash64").numpy()
    return int.from_bytes(found.tobytes(), "little", signed=True)


def fields_of(parts: Parts) -> list[int]:
    return list(struct.unpack("<19q", parts[0]))


def sealed(fields: list[int], blocks: Parts) -> Parts:
    """A message with these fields, whose checksums fit."""
    hashes = [fingerprint(block) for block in blocks]
    above = struct.pack("<17q", *fields[:CHECKSUM])
    checksum = fingerprint(above + struct.pack(f"<{len(hashes)}q", *hashes))
    total = fingerprint(above + struct.pack("<q", checksum)) + sum(hashes)
    content = (total + 2**63) % 2**64 - 2**63
    return [above + struct.pack("<2q", checksum, content), *blocks]


@dataclasses.dataclass(frozen=True)
class Wire:
    """A receiver, the message that it expects, and messages of something else."""

    original: Parts
    others: list[Parts]
    codes: np.ndarray
    block_bytes: int
    unopened: Refusal
    judge: Callable[[Any], Any]
    open: Callable[[Any], Any]

    @property
    def blocks(self) -> Parts:
        return self.original[1:]

    @property
    def bytes(self) -> bytes:
        return b"".join(self.original)

    def cut(self, text: bytes) -> Parts:
        return message.from_bytes(text, self.block_bytes).numpy().tolist()


def wire(engine: Engine, m: int, upload: bool = False) -> Wire:
    """Of a sum, or of a client's own message."""
    expected = 1 if upload else SUMMANDS
    cipher, has_key = engine.cipher, either.has_key(engine.cipher)
    key = cipher.keygen() if has_key else tf.constant("")
    names = KEYS if has_key else PerClientKeys()
    context = engine.context(names, PACKED_MASK, tf.constant(3), m)
    blocks = engine.num_blocks(context.values)
    rng = np.random.default_rng(0)
    seed = tf.constant([0, 0], tf.int64)
    rows = rng.uniform(-1, 1, [SUMMANDS, m]).astype(np.float32)

    @tf.function(autograph=False)
    def seal(key: tf.Tensor, row: tf.Tensor, of: Context) -> tuple[tf.Tensor, ...]:
        """A message and what is released with it."""
        bound = tf.constant(1.0)
        if has_key:
            return engine_lib.seal(engine, key, row, bound, of, seed), tf.constant(0)
        own = engine_lib.seal_own(engine, row, bound, of, seed)
        return own.message, either.released(cipher, own.secret)

    def added(
        of: Context, key: tf.Tensor = key, summands: int = expected
    ) -> tuple[Parts, tf.Tensor]:
        chosen = tf.gather(rows, np.arange(summands) % SUMMANDS)
        sealed, released = zip(*[seal(key, row, of) for row in chosen], strict=True)
        if upload and summands == 1:
            return sealed[0].numpy().tolist(), released[0]
        total = cipher.add(tf.stack([message.blocks_of(one) for one in sealed]))
        made = message.assemble(of, tf.constant(summands), tf.constant(0), total)
        return made.numpy().tolist(), tf.add_n(released)

    def summed(*given: Any, **named: Any) -> Parts:
        return added(*given, **named)[0]

    others = [
        summed(context._replace(**{name: getattr(context, name) + 1}))
        for name in Context._fields
    ]
    # Of a series another round has another number.
    others.append(
        summed(context._replace(round=context.round + 1, key_number=context.round + 1))
    )
    others += [summed(context, summands=count) for count in (3 - expected, 3)]
    original, released = added(context)
    halves = [
        shares.cut(
            tf.constant(original),
            shares.share_of(
                tf.cast(blocks, tf.int32), tf.constant(rank), tf.constant(2)
            ),
        )
        for rank in range(2)
    ]
    others += [half.numpy().tolist() for half in halves]
    # Under another key; without one every message has another secret anyway.
    if not has_key:
        others.append(summed(context))
    elif cipher.name != "identity_INSECURE":
        others.append(summed(context, cipher.keygen()))

    signature = [tf.TensorSpec([None], tf.string)]

    @tf.function(input_signature=signature, autograph=False)
    def judge(parts: tf.Tensor) -> tf.Tensor:
        return engine_lib.judge(engine, parts, context, expected, 0, blocks, upload)

    @tf.function(input_signature=signature, autograph=False)
    def opened(parts: tf.Tensor) -> tf.Tensor:
        if not has_key:
            # Of a client's own message, too: the length is that of a sum.
            return engine_lib.open_released(engine, released, parts, context, expected)
        return engine_lib.open_codes(
            engine, key, parts, context, expected, 0, blocks, upload
        )

    codes = sum(
        engine.codec.encode(tf.constant(row), 1.0).numpy() for row in rows[:expected]
    )
    return Wire(
        original,
        others,
        np.append(codes, [0] * engine.count_codes(m)),
        cipher.upload_bytes if upload else cipher.sum_bytes,
        Refusal.GARBLED if has_key else Refusal.SECRET_MISSING,
        # Called by the thousand: without the search for the right trace.
        judge.get_concrete_function(),
        opened.get_concrete_function(),
    )


# Mutations of bytes.


def flips(rng: np.random.Generator, wire: Wire) -> Parts:
    octets = np.frombuffer(wire.bytes, np.uint8).copy()
    # Half of them in the header, which is but a small part.
    end = 152 if rng.random() < 0.5 else len(octets)
    for _ in range(rng.integers(1, 9)):
        octets[rng.integers(end)] ^= 1 << rng.integers(8)
    return wire.cut(octets.tobytes())


def overwritten(rng: np.random.Generator, wire: Wire) -> Parts:
    octets = bytearray(wire.bytes)
    start = rng.integers(len(octets))
    length = int(min(rng.integers(1, 40), len(octets) - start))
    fill = (b"\x00", b"\xff", b"\x80")[rng.integers(3)] * length
    octets[start : start + length] = rng.bytes(length) if rng.random() < 0.5 else fill
    return wire.cut(bytes(octets))


def inserted_or_deleted(rng: np.random.Generator, wire: Wire) -> Parts:
    octets = bytearray(wire.bytes)
    for _ in range(rng.integers(1, 4)):
        start = int(rng.integers(len(octets)))
        length = int((1, 8, wire.block_bytes, rng.integers(1, 100))[rng.integers(4)])
        if rng.random() < 0.5:
            octets[start:start] = rng.bytes(length)
        else:
            del octets[start : start + length]
        if not octets:
            break
    return wire.cut(bytes(octets))


def cut_short(rng: np.random.Generator, wire: Wire) -> Parts:
    whole = wire.bytes
    kept = rng.integers(len(whole) if rng.random() < 0.5 else 200)
    return wire.cut(whole[:kept])


def extended(rng: np.random.Generator, wire: Wire) -> Parts:
    length = (int(rng.integers(1, 300)), wire.block_bytes)[rng.integers(2)]
    tail = rng.bytes(length) if rng.random() < 0.5 else wire.blocks[0][:length]
    return wire.cut(wire.bytes + tail)


def spliced(rng: np.random.Generator, wire: Wire) -> Parts:
    other = b"".join(wire.others[rng.integers(len(wire.others))])
    first, second = (wire.bytes, other) if rng.random() < 0.5 else (other, wire.bytes)
    at = 152 + wire.block_bytes * rng.integers(len(wire.blocks))
    if rng.random() < 0.5:
        at = rng.integers(1, min(len(first), len(second)))
    return wire.cut(first[:at] + second[at:])


def shuffled(rng: np.random.Generator, wire: Wire) -> Parts:
    return [wire.original[0], *other_order(rng, wire.blocks)]


def recut(rng: np.random.Generator, wire: Wire) -> Parts:
    """The same bytes with other ends of the strings, or in another order."""
    if rng.random() < 0.3:
        return [wire.original[i] for i in rng.permutation(len(wire.original))]
    whole = wire.bytes
    ends = np.sort(rng.integers(0, len(whole) + 1, rng.integers(0, 12))).tolist()
    return [
        whole[a:b] for a, b in zip([0, *ends], [*ends, len(whole)], strict=True)
    ] + [b""] * int(rng.integers(0, 2))


def garbage(rng: np.random.Generator, wire: Wire) -> Parts:
    length = (0, rng.integers(300), len(wire.bytes), 152)[rng.integers(4)]
    text = rng.bytes(length)
    kind = rng.random()
    if kind < 0.3:
        text = header.MAGIC.to_bytes(8, "little") + text[8:]
    elif kind < 0.5:
        text = bytes(length)
    return [] if kind > 0.95 else wire.cut(text)


# Messages of something else, and forgeries.


def of_something_else(rng: np.random.Generator, wire: Wire) -> Parts:
    return wire.others[rng.integers(len(wire.others))]


def forged_field(rng: np.random.Generator, wire: Wire) -> Parts:
    fields = fields_of(wire.original)
    for _ in range(rng.integers(1, 3)):
        at = rng.integers(CHECKSUM)
        fields[at] = (
            fields[at] + int(rng.integers(-1, 2)),
            NUMBERS[rng.integers(len(NUMBERS))],
            int(rng.integers(-(2**63), 2**63 - 1)),
        )[rng.integers(3)]
    fields = [(int(field) + 2**63) % 2**64 - 2**63 for field in fields]
    return sealed(fields, wire.blocks)


def forged_header(rng: np.random.Generator, wire: Wire) -> Parts:
    """Blocks of something else under the header that is expected."""
    blocks = wire.others[rng.integers(len(wire.others))][1:]
    if rng.random() < 0.3:
        blocks = (blocks * len(wire.blocks))[: len(wire.blocks)]
    return sealed(fields_of(wire.original), blocks)


def forged_order(rng: np.random.Generator, wire: Wire) -> Parts:
    blocks = other_order(rng, wire.blocks)
    fields = fields_of(wire.original)
    if rng.random() < 0.3:
        fields[12] = len(blocks)
    return sealed(fields, blocks)


def forged_mixture(rng: np.random.Generator, wire: Wire) -> Parts:
    """Some blocks in the places of the right ones."""
    blocks = list(wire.blocks)
    other = wire.others[rng.integers(len(wire.others))][1:]
    for _ in range(rng.integers(1, 3)):
        at = rng.integers(min(len(blocks), len(other)))
        blocks[at] = other[at]
    return sealed(fields_of(wire.original), blocks)


def forged_blocks(rng: np.random.Generator, wire: Wire) -> Parts:
    """Other coefficients under the header that is expected."""
    blocks = list(wire.blocks)
    at = rng.integers(len(blocks))
    octets = np.frombuffer(blocks[at], np.uint8).copy()
    kind = rng.integers(4)
    if kind == 0:
        octets[rng.integers(len(octets))] ^= 1 << rng.integers(8)
    elif kind == 1:
        octets = np.frombuffer(rng.bytes(len(octets)), np.uint8)
    elif kind == 2:
        octets[rng.integers(len(octets)) :] = 0xFF
    else:
        octets[:] = (0, 0xFF)[rng.integers(2)]
    blocks[at] = octets.tobytes()
    return sealed(fields_of(wire.original), blocks)


def other_order(rng: np.random.Generator, blocks: Parts) -> Parts:
    """Swapped, duplicated or dropped."""
    changed = list(blocks)
    for _ in range(rng.integers(1, 3)):
        first, second = rng.integers(len(changed), size=2)
        kind = rng.integers(4)
        if kind == 0:
            changed[first], changed[second] = changed[second], changed[first]
        elif kind == 1:
            changed[first] = changed[second]
        elif kind == 2:
            changed.insert(first, changed[second])
        elif len(changed) > 1:
            del changed[first]
    return changed


MUTATIONS = (
    flips,
    overwritten,
    inserted_or_deleted,
    cut_short,
    extended,
    spliced,
    shuffled,
    recut,
    garbage,
    of_something_else,
    forged_field,
    forged_header,
    forged_order,
    forged_mixture,
)


def verdict_on(wire: Wire, parts: Parts, always_open: bool = True) -> Refusal:
    """What becomes of a message; fails if it is taken and is not the original.

    Whatever `judge` accepts is opened; what it refuses, only if `always_open`.
    """
    tensor = tf.constant(parts, tf.string, [len(parts)])
    judged = Refusal(int(wire.judge(tensor)))
    if judged is not Refusal.ACCEPTED and not always_open:
        return judged
    try:
        codes = wire.open(tensor)
    except tf.errors.InvalidArgumentError as error:
        named = [refusal for refusal in Refusal if f"{refusal.name}: " in str(error)]
    else:
        assert parts == wire.original
        np.testing.assert_array_equal(codes, wire.codes)
        named = [Refusal.ACCEPTED]
    if judged is Refusal.ACCEPTED:
        assert named in ([Refusal.ACCEPTED], [wire.unopened])
    else:
        assert named == [judged]
    return named[0]


def count_verdicts(
    wire: Wire, mutations: tuple[Callable[..., Parts], ...], times: int
) -> collections.Counter[Refusal]:
    counts: collections.Counter[Refusal] = collections.Counter()
    for number, mutate in enumerate(mutations):
        rng = np.random.default_rng([20_240_601, number])
        for index in range(times):
            parts = mutate(rng, wire)
            # An error takes much longer than a verdict.
            verdict = verdict_on(wire, parts, always_open=index % 8 == 0)
            assert (verdict is Refusal.ACCEPTED) == (parts == wire.original), mutate
            counts[verdict] += 1
    assert set(counts) - {Refusal.ACCEPTED} == {*FOUND_BY_JUDGE, wire.unopened}
    return counts


@pytest.mark.slow
@pytest.mark.parametrize("times", [200, pytest.param(800, marks=pytest.mark.long)])
def test_small_blocks(times):
    small = wire(IDENTITY, m=330)
    assert len(small.blocks) == 6
    assert verdict_on(small, small.original) is Refusal.ACCEPTED
    assert sealed(fields_of(small.original), small.blocks) == small.original
    counts = count_verdicts(small, MUTATIONS, times)
    assert counts.total() - counts[Refusal.ACCEPTED] >= 12 * times
    assert min(counts[refusal] for refusal in FOUND_BY_JUDGE) >= times // 16
    assert counts[Refusal.GARBLED] >= times


@pytest.mark.slow
def test_encrypted_blocks():
    real = wire(SHELL, m=18_000)
    assert len(real.blocks) == 3
    assert verdict_on(real, real.original) is Refusal.ACCEPTED
    counts = count_verdicts(real, (*MUTATIONS, forged_blocks, forged_blocks), 50)
    assert counts.total() - counts[Refusal.ACCEPTED] >= 700


@pytest.mark.slow
@pytest.mark.parametrize("upload", [True, False])
@pytest.mark.parametrize(
    ("engine", "m"),
    [(DEVICE, 45_000), (PAD, 20_000), (PER_CLIENT, 45_000)],
    ids=lambda given: either.name_of(given.cipher) if isinstance(given, Engine) else "",
)
def test_blocks_that_xla_makes(engine, m, upload):
    """One number is changed unseen there: the header's checksum alone is of it."""
    real = wire(engine, m, upload)
    assert len(real.blocks) == 3
    assert verdict_on(real, real.original) is Refusal.ACCEPTED
    counts = count_verdicts(real, MUTATIONS, 50)
    assert counts.total() - counts[Refusal.ACCEPTED] >= 600


def test_what_the_receiver_knows_is_part_of_every_message():
    """Nothing that is accepted for one round is accepted for another."""
    small = wire(IDENTITY, m=330)
    for other in small.others:
        assert verdict_on(small, other) not in (Refusal.ACCEPTED, Refusal.GARBLED)
    names = {verdict_on(small, other) for other in small.others}
    assert names == set(FOUND_BY_JUDGE) - {
        Refusal.TRUNCATED,
        Refusal.FOREIGN,
        Refusal.REORDERED,
        Refusal.CORRUPTED,
    }
