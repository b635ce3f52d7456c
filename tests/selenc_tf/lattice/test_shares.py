"""Shares: together they are the whole message, and each opens by itself."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from selenc_tf.lattice import engine as engine_lib
from selenc_tf.lattice import identity_cipher, message, shares
from selenc_tf.lattice.codec import FixedPointCodec
from selenc_tf.lattice.engine import Engine
from selenc_tf.lattice.key_store import KeySet
from selenc_tf.lattice.refusal import Refusal
from tests.selenc_tf.lattice import ciphers

KEYS = KeySet("nowhere", "00112233445566aa")
SEED = tf.constant([1, 2], tf.int64)
IDENTITY = Engine(
    FixedPointCodec(8),
    identity_cipher.build_identity_cipher_INSECURE(16, 1_099_511_627_791, 4),
    chunk_blocks=2,
)
SHELL = Engine(
    FixedPointCodec(16),
    ciphers.shell(64, 16),
    chunk_blocks=2,
)


@tf.function(input_signature=[tf.TensorSpec([], tf.int32)] * 3, autograph=False)
def cut_points(blocks, rank, clients):
    return tf.stack(shares.share_of(blocks, rank, clients))


def share_of(blocks, rank, clients):
    found = cut_points(blocks, rank, clients).numpy()
    assert found.dtype == np.int32
    return found.tolist()


@pytest.mark.parametrize("clients", [1, 2, 3, 5, 8, 13, 64])
def test_shares_partition_the_blocks(clients):
    for blocks in (0, 1, 2, 3, 7, 12, 13, 64, 65):
        found = [share_of(blocks, rank, clients) for rank in range(clients)]
        position = 0
        for first, size in found:
            assert first == position and size >= 0
            position += size
        assert position == blocks
        sizes = [size for _, size in found]
        assert max(sizes) - min(sizes) <= 1
        if clients > blocks:
            assert sizes.count(1) == blocks and sizes.count(0) == clients - blocks


@pytest.mark.parametrize("clients", [1, 3, 8])
def test_who_is_not_in_the_cohort_has_nothing_to_open(clients):
    for blocks in (0, 1, 10):
        for rank in (clients, clients + 1, 2**31 - 2):
            assert share_of(blocks, rank, clients) == [blocks, 0]


def test_large_numbers():
    blocks, clients = 2**31 - 1, 10_000
    assert share_of(blocks, 0, clients) == [0, 214_748]
    assert share_of(blocks, 9_999, clients) == [2_147_268_898, 214_749]
    assert share_of(blocks, 0, 1) == [0, blocks]


def test_eager_as_in_a_graph():
    for numbers in ((7, 2, 3), (0, 0, 1), (3, 4, 5), (10, 9, 8)):
        share = shares.share_of(*(tf.constant(n) for n in numbers))
        assert share.first_block.dtype == share.blocks.dtype == tf.int32
        assert share_of(*numbers) == [int(number) for number in share]


@functools.cache
def sum_of_two(engine, m):
    """A key, the context, a message with a sum, and the codes in it."""
    key = engine.cipher.keygen()
    context = engine.context(KEYS, tf.constant([1, 2], tf.uint8), tf.constant(3), m)
    rows = np.random.default_rng(m).uniform(-1, 1, [2, m]).astype(np.float32)
    sealed = [
        engine_lib.seal(engine, key, tf.constant(row), tf.constant(1.0), context, SEED)
        for row in rows
    ]
    blocks = engine.cipher.add(tf.stack([message.blocks_of(one) for one in sealed]))
    total = message.assemble(context, tf.constant(2), tf.constant(0), blocks)
    codes = sum(engine.codec.encode(tf.constant(row), 1.0).numpy() for row in rows)
    return key, context, total, codes


DEVICE = Engine(
    FixedPointCodec(16),
    ciphers.device(4, 16),
    chunk_blocks=2,
)
ENGINES = {"identity": IDENTITY, "shell": SHELL, "device": DEVICE}


@pytest.mark.parametrize(
    ("name", "clients"),
    [
        # More blocks than clients, and more clients than blocks.
        *(("shell", 3), ("identity", 9)),
        *(
            pytest.param(name, clients, marks=pytest.mark.slow)
            for name in ENGINES
            for clients in (1, 2, 3, 7, 9)
            if (name, clients) not in (("shell", 3), ("identity", 9))
        ),
    ],
)
@pytest.mark.slow
def test_shares_open_to_their_codes(name, clients):
    engine = ENGINES[name]
    m = 6 * engine.codes_per_block + engine.codes_per_block // 2
    key, context, total, codes = sum_of_two(engine, m)
    blocks = int(engine.num_blocks(context.values))
    assert blocks == 7
    all_codes = [*codes, *[0] * engine.count_codes(m)]
    opened = []
    for rank in range(clients + 1):
        share = shares.share_of(*(tf.constant(n) for n in (blocks, rank, clients)))
        part = shares.cut(total, share)
        assert part.shape == (1 + int(share.blocks),)
        judged = engine_lib.judge(engine, part, context, 2, *share)
        assert Refusal(int(judged)) is Refusal.ACCEPTED
        opened.append(engine_lib.open_codes(engine, key, part, context, 2, *share))
        first = int(share.first_block) * engine.codes_per_block
        end = first + int(share.blocks) * engine.codes_per_block
        np.testing.assert_array_equal(opened[-1], all_codes[first:end])
    assert opened[-1].shape == (0,)
    np.testing.assert_array_equal(tf.concat(opened, 0), all_codes)


def test_a_share_of_another_rank_is_misplaced():
    key, context, total, _ = sum_of_two(IDENTITY, 400)
    blocks = IDENTITY.num_blocks(tf.cast(context.values, tf.int32))
    assert blocks == 7
    all_shares = [
        shares.share_of(blocks, tf.constant(rank), tf.constant(4)) for rank in range(5)
    ]
    for rank, share in enumerate(all_shares):
        part = shares.cut(total, share)
        for other, wanted in enumerate(all_shares):
            verdict = engine_lib.judge(IDENTITY, part, context, 2, *wanted)
            same = rank == other
            assert Refusal(int(verdict)) is (
                Refusal.ACCEPTED if same else Refusal.MISPLACED
            )
        # Neither is it the whole message, nor the whole message a share.
        with pytest.raises(tf.errors.InvalidArgumentError, match="MISPLACED"):
            engine_lib.open_codes(IDENTITY, key, part, context, 2, 0, blocks)
        with pytest.raises(tf.errors.InvalidArgumentError, match="MISPLACED"):
            engine_lib.open_codes(IDENTITY, key, total, context, 2, *share)


def test_a_share_with_a_forged_position_is_garbled():
    key, context, total, _ = sum_of_two(IDENTITY, 400)
    blocks = message.blocks_of(total)
    for first, count in ((0, 3), (1, 3), (4, 3)):
        forged = message.assemble(
            context, tf.constant(2), tf.constant(first), blocks[2 : 2 + count]
        )
        with pytest.raises(tf.errors.InvalidArgumentError, match="GARBLED"):
            engine_lib.open_codes(IDENTITY, key, forged, context, 2, first, count)


def test_a_sum_of_nothing_has_empty_shares():
    key, context, total, _ = sum_of_two(IDENTITY, 0)
    for rank in (0, 2):
        share = shares.share_of(tf.constant(0), tf.constant(rank), tf.constant(2))
        part = shares.cut(total, share)
        assert part.shape == (1,)
        opened = engine_lib.open_codes(IDENTITY, key, part, context, 2, *share)
        assert opened.shape == (0,)
