"""Uploads at the server: what is added, counted, refused, and what is then opened."""

import collections
import functools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

import federated  # noqa: F401
from federated import aggregators
from federated.round import announcement, client, collecting, server
from federated.round.announcement import Announcement
from selenc_tf.lattice import codec, engine, identity_cipher, key_store, message, scales
from selenc_tf.lattice import header as header_lib
from selenc_tf.lattice.refusal import Refusal
from selenc_tf.masks import agreement, policy, wire
from selenc_tf.significance import random

N, M, SUMMANDS = 40, 30, 20
BOUND = 4.0
CODEC = codec.FixedPointCodec(bits=16)
CIPHER = identity_cipher.build_identity_cipher_INSECURE(8, 2**45 + 1, SUMMANDS)
ENGINE = engine.Engine(CODEC, CIPHER)
KEYS = key_store.KeySet("unused", "0123456789abcdef")
# A tuple, so that what is made with it can be kept.
MASK = (True,) * M + (False,) * (N - M)
DROP = collecting.Rules(ENGINE, KEYS, (N,), fail=False)
FAIL = DROP._replace(fail=True)


RUN, KEY_CHECK = 2**62 + 7, -99


def announced(round_number=3, mask=MASK, run=RUN):
    packed = wire.pack(tf.constant(mask))
    return Announcement(
        packed,
        tf.constant(run, tf.int64),
        tf.constant(round_number, tf.int64),
        tf.constant([BOUND]),
    )


def context(keys=KEYS, made_with=ENGINE, key_check=KEY_CHECK, **terms):
    rules = DROP._replace(engine=made_with, keys=keys)
    return announcement.terms_of(announced(**terms), rules, key_check).context


@functools.cache
def upload(seed, weight=1.0, mask=MASK, made_with=ENGINE, **terms):
    vector = np.random.default_rng(seed).uniform(-BOUND, BOUND, N).astype(np.float32)
    return vector, client.protect(
        tf.constant(vector),
        tf.constant(weight),
        tf.constant(mask),
        tf.constant(BOUND),
        context(mask=mask, made_with=made_with, **terms),
        tf.constant("no key"),
        tf.constant(seed, tf.int64),
        made_with,
    )


# One graph each, as in a round: shapes are unknown there.
SPECS = client.Upload(
    tf.TensorSpec([None]),
    tf.TensorSpec([None], tf.string),
    tf.TensorSpec([]),
    tf.TensorSpec([], tf.int64),
    tf.TensorSpec([], tf.bool),
    tf.TensorSpec([], tf.int64),
)
COLLECTED = tf.nest.map_structure(
    lambda part: tf.TensorSpec(part.shape, part.dtype),
    tf.function(collecting.nothing_collected, autograph=False)
    .get_concrete_function()
    .structured_outputs,
)
collect = tf.function(
    lambda so_far, one: collecting.collect(so_far, one, DROP),
    input_signature=[COLLECTED, SPECS],
    autograph=False,
)
add_up = tf.function(
    lambda so_far: server.add_ciphertexts(so_far, context(key_check=0), DROP),
    input_signature=[COLLECTED],
    autograph=False,
)


def gather(uploads):
    so_far = collecting.nothing_collected()
    for one in uploads:
        so_far = collect(so_far, one)
    return so_far


def join(left, right):
    return collecting.join(left, right, DROP)


def opened(total):
    """The sum of the hidden entries, and how many of them saturated."""
    blocks = tf.size(total.ciphertext) - 1
    codes = engine.open_codes(
        ENGINE, "no key", total.ciphertext, context(), tf.size(total.cohort), 0, blocks
    )
    return CODEC.decode(codes[:M], BOUND).numpy(), int(codes[M])


def refused(total):
    return {
        Refusal(reason): int(count)
        for reason, count in enumerate(total.refusals.numpy())
        if count
    }


def check_sum(total, vectors):
    expected = np.sum([vector.astype(np.float64) for vector in vectors], axis=0)
    hidden, saturated = opened(total)
    error = CODEC.max_abs_error(BOUND, len(vectors))
    assert np.max(np.abs(hidden - expected[:M])) <= error
    np.testing.assert_allclose(total.visible_sum, expected[M:], rtol=1e-5, atol=1e-5)
    assert saturated == 0 and len(total.cohort) == len(vectors)


@pytest.mark.parametrize(
    "clients", [1, 9, *[pytest.param(n, marks=pytest.mark.slow) for n in (2, 8, 17)]]
)
def test_everything_is_added(clients):
    # Batches of eight: one not full, just full, one over, two and one.
    vectors, uploads = zip(*(upload(seed) for seed in range(clients)), strict=True)
    collected = gather(uploads)
    assert collected.sums[0].held < 8
    total = add_up(collected)
    check_sum(total, vectors)
    assert refused(total) == {}
    np.testing.assert_array_equal(total.cohort, range(clients))


WEIGHTS = {"zero": 0.0, "negative": -1.0, "NaN": np.nan, "infinite": np.inf}


def damage(one, kind):
    """A damaged copy of an upload."""
    text = message.to_bytes(one.ciphertext)
    changed = {
        "truncated": text[:-5],
        "header only": text[: header_lib.NUM_BYTES],
        "empty": b"",
        "flipped": text[:200] + bytes([text[200] ^ 1]) + text[201:],
        "foreign": b"PK\x03\x04" + text[4:],
    }
    if kind in changed:
        cut = message.from_bytes(changed[kind], CIPHER.upload_bytes)
        return one._replace(ciphertext=cut)
    if kind == "reordered":
        order = [0, 2, 1, *range(3, len(one.ciphertext))]
        return one._replace(ciphertext=tf.gather(one.ciphertext, order))
    if kind == "plain bit":
        return one._replace(plain=one.plain + tf.one_hot(2, N - M))
    if kind == "weight":
        return one._replace(weight=one.weight * 100)
    if kind == "plain length":
        short = one.plain[:-1]
        return client.sealed_upload(short, *one[1:-1])
    if kind in WEIGHTS:
        return client.sealed_upload(*one[:2], WEIGHTS[kind], *one[3:-1])
    if kind == "ciphertext of another":
        return one._replace(ciphertext=upload(9, 2.0)[1].ciphertext)
    if kind == "idle bit":
        return one._replace(contributes=False)
    raise AssertionError(kind)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("truncated", Refusal.TRUNCATED),
        ("header only", Refusal.TRUNCATED),
        ("empty", Refusal.TRUNCATED),
        ("flipped", Refusal.CORRUPTED),
        ("foreign", Refusal.FOREIGN),
        ("reordered", Refusal.REORDERED),
        ("plain bit", Refusal.CORRUPTED),
        ("weight", Refusal.CORRUPTED),
        ("plain length", Refusal.WRONG_PLAIN_PART),
        ("idle bit", Refusal.CORRUPTED),
        ("ciphertext of another", Refusal.CORRUPTED),
        *[(kind, Refusal.WRONG_WEIGHT) for kind in WEIGHTS],
    ],
)
@pytest.mark.parametrize("position", [0, 2])
def test_a_damaged_upload_is_left_out(kind, reason, position):
    vectors, uploads = zip(*(upload(seed, 2.0) for seed in range(3)), strict=True)
    sent = list(uploads)
    sent[position] = damage(sent[position], kind)
    total = add_up(gather(sent))
    check_sum(total, [v for i, v in enumerate(vectors) if i != position])
    assert refused(total) == {reason: 1}
    assert total.weight_sum == 4.0
    assert position not in total.cohort
    with pytest.raises(tf.errors.InvalidArgumentError, match=reason.name):
        collecting.collect(collecting.nothing_collected(), sent[position], FAIL)


OTHER_MASK = MASK[::-1]
OTHERS = {
    Refusal.WRONG_RUN: {"run": RUN + 1},
    Refusal.WRONG_ROUND: {"round_number": 2},
    Refusal.WRONG_MASK: {"mask": OTHER_MASK},
    Refusal.WRONG_KEY: {"keys": key_store.KeySet("unused", "ff" * 8)},
    Refusal.WRONG_CODEC: {
        "made_with": engine.Engine(codec.FixedPointCodec(12), CIPHER)
    },
    Refusal.WRONG_PARAMETERS: {
        "made_with": engine.Engine(CODEC, CIPHER._replace(digest="ab" * 8))
    },
}


@pytest.mark.parametrize("reason", OTHERS, ids=lambda reason: reason.name)
@pytest.mark.parametrize(
    "position",
    [0, *[pytest.param(place, marks=pytest.mark.slow) for place in (1, 3)]],
)
def test_uploads_of_something_else_are_left_out_wherever_they_stand(reason, position):
    vectors, uploads = zip(*(upload(seed) for seed in range(3)), strict=True)
    sent = list(uploads)
    sent.insert(position, upload(77, **OTHERS[reason])[1])
    total = add_up(gather(sent))
    check_sum(total, vectors)
    assert refused(total) == {reason: 1}


def test_late_uploads_of_a_whole_round():
    """Even more stale uploads than good ones, and the stale ones first."""
    stale = [upload(50 + i, round_number=2)[1] for i in range(10)]
    vectors, uploads = zip(*(upload(seed) for seed in range(3)), strict=True)
    total = add_up(gather([*stale, *uploads]))
    check_sum(total, vectors)
    assert refused(total) == {Refusal.WRONG_ROUND: 10}


def test_an_upload_that_comes_twice_counts_once():
    vectors, uploads = zip(*(upload(seed) for seed in range(3)), strict=True)
    first, second, third = uploads
    total = add_up(gather([first, second, first, third, third]))
    check_sum(total, vectors)
    assert refused(total) == {Refusal.DUPLICATE: 2}


def test_failing_instead_of_dropping():
    stale = upload(50, round_number=2)[1]
    for order in ((stale, upload(1)[1]), (upload(1)[1], stale)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="WRONG_ROUND"):
            server.add_ciphertexts(gather(order), context(key_check=0), FAIL)


def test_nothing_that_can_be_taken():
    damaged = [damage(upload(seed)[1], "flipped") for seed in range(3)]
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="cohort is empty"
    ) as error:
        add_up(gather(damaged))
    assert "3 CORRUPTED" in str(error.value)


def test_more_than_the_parameters_allow():
    uploads = [upload(seed)[1] for seed in range(SUMMANDS + 1)]
    with pytest.raises(tf.errors.InvalidArgumentError, match="more clients than"):
        add_up(gather(uploads))


def test_accumulators_of_two_workers():
    vectors, uploads = zip(*(upload(seed) for seed in range(5)), strict=True)
    stale = upload(9, round_number=2)[1]
    left, right = gather([uploads[0], stale]), gather(uploads[1:])
    for parts in ((left, right), (right, left)):
        total = add_up(join(*parts))
        check_sum(total, vectors)
        assert refused(total) == {Refusal.WRONG_ROUND: 1}
    empty = collecting.nothing_collected()
    check_sum(add_up(join(empty, right)), vectors[1:])
    check_sum(add_up(join(right, empty)), vectors[1:])
    total = add_up(join(gather([stale]), right))
    check_sum(total, vectors[1:])
    assert refused(total) == {Refusal.WRONG_ROUND: 1}


# --- Clients that have nothing to add ----------------------------------------------


@pytest.mark.parametrize(
    ("weight", "broken"),
    [
        (0.0, None),
        *[
            pytest.param(weight, None, marks=pytest.mark.slow)
            for weight in (-0.0, -2.0, np.nan, np.inf, -np.inf)
        ],
        (1.0, 0),
        pytest.param(1.0, N - 1, marks=pytest.mark.slow),
    ],
)
def test_who_does_not_contribute_sends_nothing(weight, broken):
    vector = np.ones([N], np.float32)
    if broken is not None:
        vector[broken] = np.nan
    sent = client.protect(
        tf.constant(vector),
        tf.constant(weight, tf.float32),
        tf.constant(MASK),
        tf.constant(BOUND),
        context(),
        tf.constant("no key"),
        tf.constant(5, tf.int64),
        ENGINE,
    )
    assert not sent.contributes
    assert tf.size(sent.plain) == 0 and tf.size(sent.ciphertext) == 0
    assert sent.weight == 0 and sent.nonce == 0
    vectors, uploads = zip(*(upload(seed) for seed in range(2)), strict=True)
    for fault in (FAIL, DROP):
        so_far = collecting.nothing_collected()
        for one in (sent, uploads[0], sent, uploads[1]):
            so_far = collecting.collect(so_far, one, fault)
        total = server.add_ciphertexts(so_far, context(key_check=0), fault)
        check_sum(total, vectors)
        assert total.idle == 2 and total.weight_sum == 2.0 and refused(total) == {}
    with pytest.raises(tf.errors.InvalidArgumentError, match="cohort is empty"):
        add_up(gather([sent, sent]))


# --- One wrong key -----------------------------------------------------------------


@pytest.mark.parametrize("wrong", range(3))
def test_a_client_with_another_key_is_named_before_anything_is_added(wrong):
    """Its key has the right name, so that only the check of the key tells."""
    vectors, uploads = zip(*(upload(seed) for seed in range(3)), strict=True)
    sent = list(uploads)
    sent[wrong] = upload(wrong, key_check=1234)[1]
    total = add_up(gather(sent))
    check_sum(total, [v for i, v in enumerate(vectors) if i != wrong])
    assert refused(total) == {Refusal.WRONG_KEY: 1}
    header = message.header_of(total.ciphertext)
    assert header.context.key_check == KEY_CHECK and header.summands == 2
    with pytest.raises(tf.errors.InvalidArgumentError, match="WRONG_KEY"):
        server.add_ciphertexts(gather(sent), context(key_check=0), FAIL)


def test_the_key_of_most_clients_is_the_right_one():
    others = [upload(seed, key_check=1)[1] for seed in (5, 6)]
    vectors, uploads = zip(*(upload(seed) for seed in range(3)), strict=True)
    for order in ([*others, *uploads], [*uploads, *others]):
        total = add_up(gather(order))
        check_sum(total, vectors)
        assert refused(total) == {Refusal.WRONG_KEY: 2}


def test_under_a_key_each_nothing_is_summed():
    """Of as many the first; with a sum of one, clients refuse."""
    sent = [upload(seed, key_check=seed)[1] for seed in range(2)]
    total = add_up(gather(sent))
    assert total.cohort.numpy().tolist() == [0]
    assert refused(total) == {Refusal.WRONG_KEY: 1}
    with pytest.raises(tf.errors.InvalidArgumentError, match="refuses to decrypt"):
        client.find_rank(tf.constant(0, tf.int64), total.cohort, 2)


def test_who_is_not_in_the_sum_opens_nothing_whatever_its_key():
    total = add_up(gather([upload(seed)[1] for seed in range(2)]))
    rank = client.find_rank(tf.constant(77, tf.int64), total.cohort, 2)
    share = server.pick_share(total, rank[0])
    opened = client.open_share(
        "no key", share, rank, total.cohort, context(key_check=1234), ENGINE
    )
    assert opened.rank == 2
    assert tf.size(tf.io.parse_tensor(opened.codes, client.sum_dtype(ENGINE))) == 0
    with pytest.raises(tf.errors.InvalidArgumentError, match="WRONG_KEY"):
        client.open_share(
            "no key",
            server.pick_share(total, tf.constant(0)),
            tf.constant([0]),
            total.cohort,
            context(key_check=1234),
            ENGINE,
        )


# --- Memory ------------------------------------------------------------------------


def held_bytes(collected):
    """All that an accumulator holds of messages."""
    return sum(
        sum(len(text) for place in one.pending for text in place.numpy().tolist())
        + 4 * tf.size(one.visible_sum)
        for one in collected.sums
    )


def stale(count):
    """Of seven earlier rounds."""
    return [upload(100 + i, round_number=i % 7 - 4)[1] for i in range(count)]


def wrong(count):
    """Of the round, under five other keys."""
    return [upload(200 + i, key_check=i % 5)[1] for i in range(count)]


ARRIVALS = {
    "one stale, first": lambda good: [upload(100, round_number=2)[1], *good],
    "two rounds": lambda good: [
        *[upload(300 + i, round_number=2)[1] for i in range(20)],
        *good,
    ],
    "good ones first": lambda good: [*good[:7], *stale(30), *wrong(20), *good[7:]],
}


@pytest.mark.parametrize(
    "order",
    [
        name
        if name == "good ones first"
        else pytest.param(name, marks=pytest.mark.slow)
        for name in ARRIVALS
    ],
)
@pytest.mark.slow
def test_memory_does_not_grow_with_what_is_not_taken(order):
    vectors, good = zip(*(upload(seed) for seed in range(SUMMANDS)), strict=True)
    uploads = ARRIVALS[order](good)
    message_bytes = len(message.to_bytes(uploads[0].ciphertext)) + 4 * (N - M)
    so_far, most = collecting.nothing_collected(), 0
    for one in uploads:
        so_far = collect(so_far, one)
        most = max(most, held_bytes(so_far))
    # A batch that was not yet full, and a sum for each of two other contexts.
    assert most <= (8 + 2) * message_bytes
    check_sum(add_up(so_far), vectors)


def test_more_rounds_than_are_kept_apart_crowd_each_other_out():
    others = [upload(100 + i, round_number=10 + i)[1] for i in range(6)]
    vectors, uploads = zip(*(upload(seed) for seed in range(2)), strict=True)
    total = add_up(gather([*others[:2], *uploads, *others[2:]]))
    check_sum(total, vectors)
    assert refused(total) == {Refusal.WRONG_ROUND: 2, Refusal.CROWDED_OUT: 4}
    with pytest.raises(tf.errors.InvalidArgumentError, match="cohort is empty"):
        add_up(gather([*others, *uploads]))


# --- In a round --------------------------------------------------------------------

VALUE_TYPE = tff.to_type(
    collections.OrderedDict(a=tff.TensorType(np.float32, [3, 4]), b=np.float32)
)


def damaged_if_b_is_5(real):
    """Clients whose value has b = 5 send a damaged upload."""

    def protect(vector, *rest):
        one = real(vector, *rest)
        wrong = tf.tensor_scatter_nd_update(one.ciphertext, [[1]], ["not a block"])
        sent = tf.where(tf.equal(vector[-1], 5.0), wrong, one.ciphertext)
        return one._replace(ciphertext=sent)

    return protect


@pytest.fixture(scope="module")
def damaged_means(key_for):
    """`damaged_means(name)`: a process whose clients may send a damaged upload."""

    def parts(ratio=1.0, **more):
        return aggregators.SelectiveEncryption(
            agreement.public_seed(random.random, policy.top_fraction(ratio), (1, 2)),
            CODEC,
            scales.public_bound(20.0),
            CIPHER,
            key_for(CIPHER),
            **more,
        )

    failing = parts(damaged=aggregators.Damaged.FAIL)
    weight_type = tff.TensorType(np.float32)
    builders = {
        "weighted": lambda: aggregators.selective_encryption(parts(0.5)).create(
            VALUE_TYPE, weight_type
        ),
        "unweighted": lambda: aggregators.selective_encryption_unweighted(
            parts()
        ).create(VALUE_TYPE),
        "failing": lambda: aggregators.selective_encryption_sum(failing).create(
            VALUE_TYPE
        ),
    }

    @functools.cache
    def build(name):
        # Clients are traced here, and once.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(client, "protect", damaged_if_b_is_5(client.protect))
            return builders[name]()

    return build


def cohort(*last):
    rng = np.random.default_rng(0)
    return [
        collections.OrderedDict(
            a=rng.normal(size=[3, 4]).astype(np.float32), b=np.float32(b)
        )
        for b in last
    ]


@pytest.mark.slow
def test_a_round_goes_on_without_the_damaged_client(damaged_means, federation):
    process = damaged_means("weighted")
    values, weights = cohort(1.0, 5.0, 2.0), [1.0, 1.0, 2.0]
    output = process.next(process.initialize(), values, weights)
    # The weights, too, are those of the clients that are in the sum.
    expected = (values[0]["a"] + 2 * values[2]["a"]) / 3
    np.testing.assert_allclose(output.result["a"], expected, atol=2e-3)
    np.testing.assert_allclose(output.result["b"], 5 / 3, atol=2e-3)
    measured = output.measurements
    assert measured["clients"] == 2 and measured["refused"] == 1
    assert measured["refusals"][Refusal.TRUNCATED] == 1


@pytest.mark.slow
def test_unweighted_mean_counts_the_clients_in_the_sum(damaged_means, federation):
    process = damaged_means("unweighted")
    output = process.next(process.initialize(), cohort(1.0, 5.0, 2.0))
    np.testing.assert_allclose(output.result["b"], 1.5, atol=2e-3)


@pytest.mark.slow
def test_a_round_fails_if_it_is_to(damaged_means, federation):
    process = damaged_means("failing")
    with pytest.raises(tf.errors.InvalidArgumentError, match="TRUNCATED"):
        process.next(process.initialize(), cohort(1.0, 5.0, 2.0))


@pytest.mark.slow
def test_too_few_are_left(damaged_means, federation):
    process = damaged_means("unweighted")
    with pytest.raises(tf.errors.InvalidArgumentError, match="min_clients"):
        process.next(process.initialize(), cohort(1.0, 5.0))
