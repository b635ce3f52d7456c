"""One client with another key under the right name, from the key file to the sum.

Two key holders continue a series of keys, each for itself: the files have the same name,
id and number, and hold different keys.
"""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from federated.round import announcement, client, collecting, server
from federated.round.announcement import Announcement
from selenc_tf.lattice import key_store
from selenc_tf.lattice.refusal import Refusal
from selenc_tf.masks import wire
from tests.federated.rounds import BOUND, CIPHER, CODEC, ENGINE

N, M = 30, 20
ROUND = 1
MASK = tf.constant([True] * M + [False] * (N - M))
ANNOUNCED = Announcement(
    wire.pack(MASK),
    tf.constant(77, tf.int64),
    tf.constant(ROUND, tf.int64),
    tf.constant([BOUND]),
)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """The right series, and one that was continued elsewhere."""
    folder = tmp_path_factory.mktemp("series")
    right = key_store.create_series(folder / "right", CIPHER, 1)
    shutil.copytree(folder / "right", folder / "other")
    key_store.create_series(folder / "right", CIPHER, 1, first_round=ROUND)
    other = key_store.create_series(folder / "other", CIPHER, 1, first_round=ROUND)
    assert other.key_id == right.key_id
    return right, other


def terms(keys):
    rules = collecting.Rules(ENGINE, keys, (N,), fail=False)
    check = key_store.read_check(keys, ROUND)
    return announcement.terms_of(ANNOUNCED, rules, check)


@pytest.mark.parametrize("wrong", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_it_is_left_out_and_the_others_open_their_sum(stores, wrong):
    right, other = stores
    holders = [other if at == wrong else right for at in range(3)]
    rng = np.random.default_rng(3)
    vectors = rng.uniform(-BOUND, BOUND, [3, N]).astype(np.float32)
    rules = collecting.Rules(ENGINE, right, (N,), fail=False)
    collected = collecting.nothing_collected()
    for at, keys in enumerate(holders):
        upload = client.protect(
            tf.constant(vectors[at]),
            tf.constant(1.0),
            *terms(keys),
            key_store.read(keys, CIPHER, ROUND),
            tf.constant(at, tf.int64),
            ENGINE,
        )
        collected = collecting.collect(collected, upload, rules)
    # The server knows no check of a key.
    known = announcement.terms_of(ANNOUNCED, rules)
    total = server.add_ciphertexts(collected, known.context, rules)
    assert total.refusals[Refusal.WRONG_KEY] == 1
    assert tf.reduce_sum(total.refusals) == 1

    opened = server.no_shares()
    for at, keys in enumerate(holders):
        rank = client.find_rank(tf.constant(at, tf.int64), total.cohort, 2)
        share = server.pick_share(total, rank[0])
        key = key_store.read(keys, CIPHER, ROUND)
        opened = server.collect_share(
            opened,
            client.open_share(
                key, share, rank, total.cohort, terms(keys).context, ENGINE
            ),
        )
    codes = server.join_codes(total, opened, ENGINE)
    summed = server.assemble(total, codes, MASK, known.bound, ENGINE)
    exact = np.delete(vectors, wrong, 0).astype(np.float64).sum(axis=0)
    assert np.max(np.abs(summed.vector - exact)) <= CODEC.max_abs_error(BOUND, 2) + 1e-6
    assert summed.clients == 2
