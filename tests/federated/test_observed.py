"""The server's view holds what crossed, bit for bit, and nothing else."""

from collections.abc import Mapping

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

import federated
from federated import aggregators, mask_rounds, observed, views
from federated.round import client
from federated.runtime.tap import Direction
from selenc_tf.lattice import engine as engine_lib
from selenc_tf.lattice import key_store, scales
from selenc_tf.lattice import message as message_lib
from selenc_tf.masks import wire
from selenc_tf.significance import magnitude
from tests.federated.rounds import (
    BOUND,
    CIPHER,
    CODEC,
    ENGINE,
    HISTORY,
    NOTHING,
    OWN,
    POLICY,
    SEED,
    M,
    N,
    batches,
    gradient_of,
    run,
    weights_of,
)

UNUSED = key_store.KeySet("unused", "ff" * 8)


def opened(upload, keys, view, run_number):
    """What the key's owner finds in a message."""
    key = key_store.read(keys, CIPHER)
    m = int(view.mask.sum())
    packed = wire.pack(tf.constant(view.mask))
    sealed = message_lib.from_bytes(upload.ciphertext, CIPHER.upload_bytes)
    context = ENGINE.context(keys, packed, 0, m, run_number, key_store.read_check(keys))
    blocks = tf.size(sealed) - 1
    codes = engine_lib.open_codes(ENGINE, key, sealed, context, 1, 0, blocks)
    return CODEC.decode(codes[:m], BOUND)


def assert_sent(found, expected):
    """What crossed is the gradient, which another graph may round otherwise."""
    np.testing.assert_array_max_ulp(found, expected, maxulp=64)


@pytest.mark.parametrize(
    ("source", "sizes"),
    [pytest.param(SEED, (1, 2), marks=pytest.mark.slow), (OWN, (1,))],
    ids=["agreed", "own"],
)
@pytest.mark.slow
def test_view_of_a_blind_server(model, keys, blind, federation, source, sizes):
    cohort = batches(*sizes)
    run_number = run(blind(source), model, cohort).state.run
    view = observed.server_view(federation.crossings, N)
    assert view.aggregate is None
    assert view.mask.dtype == bool and view.mask.shape == (N,)
    assert view.mask.sum() == M and len(view.messages) == len(sizes)
    for found, weight in zip(view.weights, model.initial_weights, strict=True):
        assert found.tobytes() == weight.numpy().tobytes()
    for number, (message, batch) in enumerate(zip(view.messages, cohort, strict=True)):
        gradient = gradient_of(model, batch)
        assert_sent(message.plain, gradient[~view.mask])
        assert message.weight == 1.0
        hidden = opened(message, keys, view, run_number)
        np.testing.assert_allclose(
            hidden, gradient[view.mask], atol=CODEC.max_abs_error(BOUND, 1)
        )
        picture = views.visible_gradient(view, number)
        assert np.all(picture[view.mask] == 0)
        assert picture[~view.mask].tobytes() == message.plain.tobytes()
    if source is OWN:
        largest = np.argsort(-np.abs(gradient_of(model, cohort[0])), kind="stable")[:M]
        assert set(np.flatnonzero(view.mask)) == set(largest)
        # The mask travels too: a bit for each entry.
        (sent,) = [
            one.value["packed_mask"]
            for one in federation.crossings
            if one.direction is not Direction.SERVER_TO_CLIENTS
            and isinstance(one.value, Mapping)
            and "packed_mask" in one.value
        ]
        assert sent.nbytes == -(-N // 8)


@pytest.mark.slow
def test_view_of_a_revealing_server(model, reveal, federation):
    cohort = batches(1, 3)
    built = reveal(HISTORY)
    state = run(built, model, cohort).state
    # In the second round a part is hidden.
    federation.crossings.clear()
    output = built.next(state, weights_of(model), cohort)
    view = observed.server_view(
        federation.crossings,
        N,
        output.result,
        measurements=output.measurements,
        hidden_weights=True,
    )
    assert view.mask.sum() == M
    # Numbers of examples are among what is encrypted.
    assert np.isnan([message.weight for message in view.messages]).all()
    assert view.measurements["saturated"] == 0 and view.measurements["clients"] == 2
    assert view.bounds.tolist() == [BOUND] and view.round == 1
    check_complete(view, federation.crossings)
    for message, batch, weight in zip(view.messages, cohort, [1, 3], strict=True):
        # A client multiplies by its weight before it sends.
        sent = np.float32(weight) * gradient_of(model, batch)
        assert_sent(message.plain, sent[~view.mask])
    one, three = (gradient_of(model, batch) for batch in cohort)
    np.testing.assert_allclose(
        view.aggregate, (one + 3 * three) / 4, atol=CODEC.max_abs_error(BOUND, 2)
    )


def as_bytes(leaf):
    array = np.asarray(leaf)
    return (
        b"".join(array.ravel().tolist()) if array.dtype == object else array.tobytes()
    )


def leaves_of(view):
    """All that is in a view, as the bytes in which it could have crossed."""
    found = {b"", np.packbits(view.mask, bitorder="little").tobytes()}
    plain = view._replace(measurements=())
    for leaf in tf.nest.flatten([list(plain), [one.value for one in view.others]]):
        if isinstance(leaf, bool):
            found.add(np.bool_(leaf).tobytes())
        elif isinstance(leaf, int):
            found |= {np.int64(leaf).tobytes()}
            found |= {np.int32(leaf).tobytes()} if abs(leaf) < 2**31 else set()
        elif isinstance(leaf, float):
            found.add(np.float32(leaf).tobytes())
        elif isinstance(leaf, bytes):
            found.add(leaf)
        elif leaf is not None:
            found.add(as_bytes(leaf))
    # A weight that says nothing.
    return found | {np.float32(1).tobytes(), np.float32(0).tobytes()}


def check_complete(view, crossings):
    """Nothing on the wire that is not in the view."""
    known = leaves_of(view)
    seen = [crossing for crossing in crossings if crossing.seen_by_server]
    assert len(seen) > len(view.messages)
    for crossing in seen:
        for leaf in tf.nest.flatten(crossing.value):
            assert as_bytes(leaf) in known, (crossing.intrinsic, crossing.type)


def test_nothing_on_the_wire_is_missing(model, blind, federation):
    run(blind(SEED), model, batches(1, 2))
    view = observed.server_view(federation.crossings, N)
    check_complete(view, federation.crossings)
    assert view.others == () and len(view.messages) == 2
    assert view.encrypted_sum[:6] == b"SELENC" and view.visible_sum.shape == (N - M,)
    assert sorted(one.nonce for one in view.messages) == view.cohort.tolist()
    # The check can fail: a number that crossed and is in no field.
    crossing = federation.crossings[-1]
    told = {**crossing.value, "loss": np.float32(3.14)}
    with pytest.raises(AssertionError):
        check_complete(view, [*federation.crossings, crossing._replace(value=told)])
    others = observed.server_view(
        [*federation.crossings, crossing._replace(value=told)], N
    ).others
    assert [one.value for one in others] == [told]


@pytest.mark.slow
def test_refused_and_idle_messages_are_told_apart(model, reveal, federation):
    cohort = batches(2, 1, 0, 3)
    built = reveal(HISTORY)
    output = run(built, model, cohort)
    crossings = list(federation.crossings)
    uploads = [
        at
        for at, one in enumerate(crossings)
        if isinstance(one.value, Mapping) and "plain" in one.value
    ]
    view = observed.server_view(crossings, N, output.result)
    assert [one.client for one in view.messages] == [0, 1, 3]
    assert [one.client for one in view.idle] == [2] and view.refused == ()
    # As if the server had not taken the second one: it is not in the cohort.
    changed = crossings[uploads[1]]
    nonce = changed.value["nonce"] + 1
    crossings[uploads[1]] = changed._replace(value={**changed.value, "nonce": nonce})
    view = observed.server_view(crossings, N, output.result)
    assert [one.client for one in view.messages] == [0, 3]
    assert [one.client for one in view.refused] == [1]
    places = view.cohort.tolist()
    assert [view.ranks[at] for at in (0, 2, 3)] == [
        places.index(view.messages[0].nonce),
        3,
        places.index(view.messages[1].nonce),
    ]
    assert [one.rank for one in view.opened] == list(view.ranks)
    assert len(view.shares) == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    "protocol",
    [
        "score_sum",
        pytest.param("interleaved_lists", marks=pytest.mark.long),
        pytest.param("union", marks=pytest.mark.long),
    ],
)
def test_the_view_of_a_mask_round(protocol, model, keys, federation):
    scoring = mask_rounds.Scoring(model, magnitude.magnitude, POLICY, (1, 2))
    built = (
        mask_rounds.build_score_sum(scoring, ENGINE, keys)
        if protocol == "score_sum"
        else getattr(mask_rounds, f"build_{protocol}")(scoring)
    )
    agreed = built.run(weights_of(model), batches(1, 3))
    view = observed.server_view(
        federation.crossings, N, agreed=mask_rounds.unpack(agreed, N)
    )
    check_complete(view, federation.crossings)
    assert len(view.messages) == (2 if protocol == "score_sum" else 0)
    assert len(view.others) == (0 if protocol == "score_sum" else 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "builder", ["ours", pytest.param("TFF's", marks=pytest.mark.long)]
)
def test_the_view_of_a_training(builder, model, keys, federation, averaging):
    """Our builder sums metrics under encryption, TFF's in the clear."""
    process, factory = averaging, aggregators.selective_encryption
    if builder == "ours":
        parts = aggregators.SelectiveEncryption(
            NOTHING, CODEC, scales.public_bound(BOUND), CIPHER, keys
        )
        process = federated.build_weighted_fed_avg(
            federated.tff_model(model.task),
            tff.learning.optimizers.build_sgdm(0.3),
            model_aggregator=factory(parts),
        )
    data = [
        tf.data.Dataset.from_tensor_slices((one.examples, one.labels)).batch(4)
        for one in batches(5, 7)
    ]
    state = process.initialize()
    federation.crossings.clear()
    output = process.next(state, data)
    view = observed.server_view(
        federation.crossings,
        N,
        measurements=output.metrics["aggregator"],
        hidden_weights=True,
    )
    check_complete(view, federation.crossings)
    assert len(view.messages) == len(view.opened) == 2 and view.bounds is not None
    sent = [one.value for one in view.others if one.to_server]
    names = {name for value in sent if isinstance(value, Mapping) for name in value}
    if builder == "ours":
        assert "loss" not in names and "ciphertext" in names
    else:
        assert "loss" in names


def test_shares_are_what_the_server_can_know_of_weights():
    def view_of(*weights):
        messages = [views.ClientMessage(np.zeros(0), b"", one) for one in weights]
        return views.ServerView((), np.ones(3, bool), tuple(messages), None)

    told, hidden = view_of(1.0, 3.0), view_of(np.nan, np.nan)
    assert views.shares(told).tolist() == [0.25, 0.75]
    assert views.shares(told, (5, 5)).tolist() == [0.25, 0.75]
    assert views.shares(hidden, (2, 6)).tolist() == [0.25, 0.75]
    assert views.shares(hidden).tolist() == [0.5, 0.5]


def test_ciphertexts_are_bytes_without_the_hidden_entries(model, blind, federation):
    (batch,) = batches(1)
    run(blind(SEED), model, [batch])
    (message,) = observed.server_view(federation.crossings, N).messages
    assert isinstance(message.ciphertext, bytes)
    gradient = gradient_of(model, batch)
    mask, _ = SEED.mask(model.spec, SEED.init(model.spec))
    hidden = gradient[mask.numpy()]
    hidden = hidden[hidden != 0]  # Eight zero bytes stand in any header.
    assert not any(
        value.tobytes() in message.ciphertext
        for value in (hidden[at : at + 2] for at in range(0, hidden.size - 1, 2))
    )


@pytest.mark.parametrize(
    ("drop", "words"),
    [
        ("weights", "the broadcast model"),
        ("packed_mask", "the mask"),
        ("ciphertext", "an upload"),
    ],
)
def test_crossings_of_something_else(model, blind, federation, drop, words):
    run(blind(SEED), model, batches(1))
    kept = [c for c in federation.crossings if drop not in c.value]
    assert len(kept) < len(federation.crossings)
    with pytest.raises(ValueError, match=words):
        observed.server_view(kept, N)


def test_no_crossings():
    with pytest.raises(ValueError, match="none of the 0 does"):
        observed.server_view([], N)


def test_visible_entries_give_a_whole_weight_away():
    """Why docs/threat-model.md says that a weight is hidden where everything is."""
    rng = np.random.default_rng(0)
    vector, weight = rng.normal(size=1000).astype(np.float32), 37
    sent = client.protect(
        tf.constant(weight * vector),
        tf.constant(float(weight)),
        tf.zeros([1000], tf.bool),
        tf.constant(BOUND),
        ENGINE.context(UNUSED, tf.zeros([125], tf.uint8), 0, 0),
        CIPHER.keygen(),
        tf.constant(1, tf.int64),
        ENGINE,
    )
    seen = sent.plain.numpy()

    def explains(candidate):
        """Whether every visible entry is a float32 number times the candidate."""
        near = (seen / np.float32(candidate)).astype(np.float32)
        around = [near, np.nextafter(near, np.inf, dtype=np.float32)]
        around.append(np.nextafter(near, -np.inf, dtype=np.float32))
        return np.all(np.any([one * candidate == seen for one in around], axis=0))

    # Up to the power of two, which is announced, and which explains everything.
    assert [k for k in range(33, 65) if explains(np.float32(k))] == [weight, 64]
