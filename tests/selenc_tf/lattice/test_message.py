"""Sealed messages: every way in which one can be wrong has its own verdict.

The forgeries here know the format and compute its checksums anew: only what a receiver
knows of the round, or the decryption, can find them out.
"""

import struct

import numpy as np
import pytest
import tensorflow as tf

from selenc_tf.lattice import header as header_lib
from selenc_tf.lattice import message
from selenc_tf.lattice.header import Context
from selenc_tf.lattice.message import Expected
from selenc_tf.lattice.refusal import (
    EXPLANATIONS,
    Refusal,
    describe,
    must_be_accepted,
)

BLOCK_BYTES = 24
BLOCKS = [bytes(range(first, first + BLOCK_BYTES)) for first in (0, 50, 100)]
T = 1_099_511_627_791

# Positions of the header's fields.
MAGIC, PARAMETERS, CODEC, KEY_ID, KEY_NUMBER, KEY_CHECK, MASK, RUN = range(8)
ROUND, VALUES, SUMMANDS, FIRST_BLOCK, NUM_BLOCKS, SEED = range(8, 14)
CHECKSUM, CONTENT = 17, 18


def context(**changes):
    fields = {name: 1000 + index for index, name in enumerate(Context._fields)}
    return Context(
        **{
            name: tf.constant(value, tf.int64)
            for name, value in {**fields, **changes}.items()
        }
    )


def expected(summands=2, first_block=5, blocks=3, **changes):
    numbers = (summands, first_block, blocks)
    return Expected(context(**changes), *(tf.constant(n, tf.int64) for n in numbers))


def sealed(blocks=BLOCKS, summands=2, first_block=5, **changes):
    """A message as its parts."""
    assembled = message.assemble(
        context(**changes),
        tf.constant(summands),
        tf.constant(first_block),
        tf.constant(blocks, tf.string),
    )
    return assembled.numpy().tolist()


def forged(parts, changes):
    """The same with other header fields, by position, and checksums that fit them."""
    fields = list(struct.unpack("<19q", parts[0]))
    for position, value in changes.items():
        fields[position] = value
    hashes = [fingerprint(block) for block in parts[1:]]
    fields[CHECKSUM] = fingerprint(
        struct.pack(f"<{CHECKSUM + len(hashes)}q", *fields[:CHECKSUM], *hashes)
    )
    total = fingerprint(struct.pack("<18q", *fields[:CONTENT])) + sum(hashes)
    fields[CONTENT] = (total + 2**63) % 2**64 - 2**63
    return [struct.pack("<19q", *fields), *parts[1:]]


def fingerprint(octets):
    return int(tf.bitcast(tf.fingerprint([octets]), tf.int64)[0])


@tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
def compiled(parts):
    return message.judge(parts, BLOCK_BYTES, expected())


def judge(parts, wanted=None):
    parts = tf.constant(parts, tf.string)
    # Called by the hundred: in a graph but for a test below.
    verdict = message.judge(parts, BLOCK_BYTES, wanted) if wanted else compiled(parts)
    assert verdict.dtype == tf.int32 and verdict.shape == ()
    return Refusal(int(verdict))


def flipped(octets, at):
    damaged = bytearray(octets)
    damaged[at] ^= 0x20
    return bytes(damaged)


def test_what_was_expected_is_accepted():
    assert judge(sealed()) is Refusal.ACCEPTED


def test_the_forger_knows_the_format():
    assert forged(sealed(), {}) == sealed()
    assert forged(sealed(summands=9), {SUMMANDS: 2}) == sealed()


def test_header_says_what_the_message_is_of():
    found = message.header_of(tf.constant(sealed()))
    assert int(found.magic) == header_lib.MAGIC
    assert [int(field) for field in found.context] == list(range(1000, 1009))
    assert (int(found.summands), int(found.first_block), int(found.blocks)) == (2, 5, 3)
    assert message.blocks_of(tf.constant(sealed())).numpy().tolist() == BLOCKS


@pytest.mark.parametrize(
    ("parts", "verdict"),
    [
        ([], Refusal.TRUNCATED),
        ([b""], Refusal.TRUNCATED),
        (sealed()[:1], Refusal.TRUNCATED),
        (sealed()[:3], Refusal.TRUNCATED),
        ([*sealed()[:3], BLOCKS[2][:-1]], Refusal.TRUNCATED),
        ([*sealed()[:3], b""], Refusal.TRUNCATED),
        ([sealed()[0], BLOCKS[0][:-1], *BLOCKS[1:]], Refusal.TRUNCATED),
        ([sealed()[0][:-1], *BLOCKS], Refusal.TRUNCATED),
        (BLOCKS, Refusal.TRUNCATED),
        ([BLOCKS[0] * 7, *BLOCKS], Refusal.FOREIGN),
        ([bytes(152), *BLOCKS[:2], b""], Refusal.FOREIGN),
        (forged(sealed(), {MAGIC: header_lib.MAGIC + (1 << 56)}), Refusal.FOREIGN),
        (forged(sealed(), {MAGIC: header_lib.MAGIC + 1}), Refusal.FOREIGN),
        (forged(sealed(), {MAGIC: 0}), Refusal.FOREIGN),
        ([sealed()[0], BLOCKS[1], BLOCKS[0], BLOCKS[2]], Refusal.REORDERED),
        ([sealed()[0], *reversed(BLOCKS)], Refusal.REORDERED),
        ([sealed()[0], BLOCKS[0], BLOCKS[0], BLOCKS[2]], Refusal.CORRUPTED),
        ([sealed()[0], BLOCKS[0], BLOCKS[1], flipped(BLOCKS[2], 7)], Refusal.CORRUPTED),
        ([*sealed(), BLOCKS[0]], Refusal.CORRUPTED),
        ([sealed()[0], BLOCKS[0] + b"\0", *BLOCKS[1:]], Refusal.CORRUPTED),
        ([sealed()[0] + b"\0", *BLOCKS], Refusal.CORRUPTED),
        (sealed(parameters=0), Refusal.WRONG_PARAMETERS),
        (sealed(codec=0), Refusal.WRONG_CODEC),
        (forged(sealed(), {SEED: 1}), Refusal.WRONG_PARAMETERS),
        (forged(sealed(), {SEED + 3: -1}), Refusal.WRONG_PARAMETERS),
        (sealed(run=1004), Refusal.WRONG_RUN),
        (sealed(run=1004, round=1004, mask=0), Refusal.WRONG_RUN),
        (sealed(round=1004), Refusal.WRONG_ROUND),
        (sealed(round=1004, key_number=7, key_check=7), Refusal.WRONG_ROUND),
        (sealed(key_id=-1), Refusal.WRONG_KEY),
        (sealed(key_id=-1, round=1004, run=1004), Refusal.WRONG_KEY),
        (sealed(key_check=7), Refusal.WRONG_KEY),
        (sealed(key_number=7), Refusal.WRONG_KEY),
        (sealed(mask=0), Refusal.WRONG_MASK),
        (sealed(values=1009), Refusal.WRONG_COUNT),
        (sealed(summands=1), Refusal.WRONG_SUMMANDS),
        (sealed(summands=3), Refusal.WRONG_SUMMANDS),
        (sealed(summands=-2), Refusal.WRONG_SUMMANDS),
        (sealed(first_block=4), Refusal.MISPLACED),
        (sealed(BLOCKS[:2]), Refusal.MISPLACED),
        (sealed([*BLOCKS, BLOCKS[0]]), Refusal.MISPLACED),
        (sealed([]), Refusal.MISPLACED),
        # The header names other blocks than there are, and its checksums fit.
        (forged(sealed(), {NUM_BLOCKS: 4}), Refusal.TRUNCATED),
        (forged(sealed(), {NUM_BLOCKS: 2**63 - 1}), Refusal.TRUNCATED),
        (forged(sealed(), {NUM_BLOCKS: 2}), Refusal.MISPLACED),
        (forged(sealed(), {NUM_BLOCKS: -1}), Refusal.MISPLACED),
        (forged(sealed(BLOCKS[:2]), {NUM_BLOCKS: 3}), Refusal.TRUNCATED),
        (forged([*sealed(), BLOCKS[0]], {NUM_BLOCKS: 3}), Refusal.MISPLACED),
    ],
)
def test_verdicts(parts, verdict):
    assert judge(parts) is verdict


@pytest.mark.parametrize(
    ("position", "verdict"),
    [
        (PARAMETERS, Refusal.WRONG_PARAMETERS),
        (CODEC, Refusal.WRONG_CODEC),
        (KEY_ID, Refusal.WRONG_KEY),
        (KEY_NUMBER, Refusal.WRONG_KEY),
        (KEY_CHECK, Refusal.WRONG_KEY),
        (RUN, Refusal.WRONG_RUN),
        (MASK, Refusal.WRONG_MASK),
        (ROUND, Refusal.WRONG_ROUND),
        (VALUES, Refusal.WRONG_COUNT),
        (SUMMANDS, Refusal.WRONG_SUMMANDS),
        (FIRST_BLOCK, Refusal.MISPLACED),
    ],
)
@pytest.mark.parametrize("value", [0, -1, -(2**63), 2**63 - 1])
def test_extreme_numbers(position, verdict, value):
    assert judge(forged(sealed(), {position: value})) is verdict


def test_every_byte_is_guarded():
    whole = b"".join(sealed())
    for at in range(len(whole)):
        verdict = judge(message.from_bytes(flipped(whole, at), BLOCK_BYTES))
        if at < 8:
            assert verdict is Refusal.FOREIGN
        elif 96 <= at < 104:
            # More blocks than there are, or fewer.
            assert verdict in (Refusal.TRUNCATED, Refusal.CORRUPTED)
        else:
            assert verdict is Refusal.CORRUPTED, at


def test_every_length_is_guarded():
    whole = b"".join(sealed())
    for kept in range(len(whole)):
        parts = message.from_bytes(whole[:kept], BLOCK_BYTES)
        assert judge(parts) is Refusal.TRUNCATED
    for surplus in (1, BLOCK_BYTES - 1):
        parts = message.from_bytes(whole + bytes(surplus), BLOCK_BYTES)
        assert judge(parts) is Refusal.TRUNCATED
    parts = message.from_bytes(whole + bytes(BLOCK_BYTES), BLOCK_BYTES)
    assert judge(parts) is Refusal.CORRUPTED


def test_other_cuts_of_the_same_bytes():
    whole = b"".join(sealed())
    cuts = np.random.default_rng(0).integers(0, len(whole), [200, 3])
    cuts = [sorted(row) for row in cuts.tolist()]
    for first, second, third in [*cuts, [152, 176, 201], [151, 176, 200]]:
        parts = [whole[:first], whole[first:second], whole[second:third], whole[third:]]
        if [len(part) for part in parts] != [152, 24, 24, 24]:
            assert judge(parts) in (Refusal.TRUNCATED, Refusal.CORRUPTED)


def test_the_first_reason_is_the_one_that_is_reported():
    """Everything is wrong; each repair uncovers the next reason."""
    wrong = {
        MAGIC: 0,
        PARAMETERS: 0,
        CODEC: 0,
        RUN: 0,
        ROUND: 0,
        KEY_NUMBER: 0,
        MASK: 0,
        VALUES: 0,
        SUMMANDS: 0,
        FIRST_BLOCK: 0,
    }
    parts = forged(sealed(), wrong)
    header, first, second, third = parts
    seen = [judge([header[:-1], second, first, third])]
    seen.append(judge([header, second, first, third]))
    header = forged(parts, {MAGIC: header_lib.MAGIC})[0]
    assert judge([header, second, first, third[:-1]]) is Refusal.TRUNCATED
    seen.append(judge([header, second, first, third]))
    seen.append(judge([header, second, first, flipped(third, 0)]))
    right = struct.unpack("<19q", sealed()[0])
    repaired = {}
    for position in wrong:
        repaired[position] = right[position]
        seen.append(judge(forged(parts, repaired)))
    reasons = list(Refusal)[Refusal.TRUNCATED : Refusal.MISPLACED + 1]
    assert seen == [*reasons, Refusal.ACCEPTED]


def test_empty_vectors():
    parts = sealed([], first_block=0)
    assert len(parts) == 1 and len(parts[0]) == 152
    wanted = expected(first_block=0, blocks=0)
    assert judge(parts, wanted) is Refusal.ACCEPTED
    assert judge([flipped(parts[0], 148)], wanted) is Refusal.CORRUPTED
    assert judge([*parts, BLOCKS[0]], wanted) is Refusal.CORRUPTED
    assert judge(sealed(), wanted) is Refusal.MISPLACED
    assert judge([], wanted) is Refusal.TRUNCATED


def test_graph_and_eager_agree():
    for parts in (
        sealed(),
        [],
        sealed()[:2],
        [sealed()[0], *reversed(BLOCKS)],
        forged(sealed(), {MAGIC: 5}),
        sealed(key_id=5),
        sealed(summands=5),
        sealed([]),
        [*sealed(), b"x"],
    ):
        assert judge(parts) is judge(parts, expected())
    assert compiled.experimental_get_tracing_count() == 1

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def assembled(blocks):
        return message.assemble(context(), tf.constant(2), tf.constant(5), blocks)

    for blocks in (BLOCKS, BLOCKS[:1], []):
        found = assembled(tf.constant(blocks, tf.string))
        assert found.numpy().tolist() == sealed(blocks)


@pytest.mark.parametrize("blocks", [BLOCKS, BLOCKS[:1], []])
def test_bytes_and_back(blocks):
    parts = sealed(blocks)
    text = message.to_bytes(tf.constant(parts))
    assert text == b"".join(parts)
    cut = message.from_bytes(text, BLOCK_BYTES)
    assert cut.dtype == tf.string and cut.numpy().tolist() == parts


@pytest.mark.parametrize("text", [b"", b"x", bytes(152), bytes(153), b"y" * 500])
def test_any_bytes_and_back(text):
    assert message.to_bytes(message.from_bytes(text, BLOCK_BYTES)) == text


def test_check_values_depend_on_context_and_position():
    def tags(changes=None, first=0, blocks=20, t=T):
        made = context(**(changes or {}))
        return message.tags(made, tf.constant(first, tf.int64), blocks, t).numpy()[:, 0]

    base = tags()
    assert base.dtype == np.int64 and len(set(base.tolist())) == 20
    assert base.min() >= 0 and base.max() < T
    np.testing.assert_array_equal(tags(first=7, blocks=13), base[7:])
    assert tags(blocks=0).shape == (0,)
    seen = set(base.tolist())
    for name in Context._fields:
        for value in (0, -1, 5000):
            seen.update(tags({name: value}).tolist())
    assert len(seen) == 20 * (1 + 3 * len(Context._fields))
    # Not zero either, which would stand for sums of nothing.
    assert 0 not in seen
    # They fill a small modulus, and the graph makes the same ones.
    small = tags(t=257, blocks=5000)
    assert small.min() == 0 and small.max() == 256
    run = tf.function(
        lambda first: message.tags(context(), first, 20, T)[:, 0], autograph=False
    )
    np.testing.assert_array_equal(run(tf.constant(0, tf.int64)), base)


def test_every_refusal_is_explained():
    assert [refusal.value for refusal in Refusal] == list(range(len(Refusal)))
    assert set(EXPLANATIONS) == set(Refusal)
    assert (
        describe(Refusal.WRONG_KEY) == "WRONG_KEY: it was encrypted under another key"
    )


@pytest.mark.parametrize("refusal", list(Refusal))
@pytest.mark.parametrize("graph", [False, True])
def test_errors_name_the_refusal(refusal, graph):
    def check(verdict):
        with tf.control_dependencies([must_be_accepted(verdict)]):
            return tf.identity(verdict)

    run = tf.function(check, autograph=False) if graph else check
    verdict = tf.constant(int(refusal))
    if refusal is Refusal.ACCEPTED:
        assert run(verdict) == verdict
    else:
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"{refusal.name}: "):
            run(verdict)
