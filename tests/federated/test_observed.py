"""The server's view holds what crossed, bit for bit, and nothing else."""

import numpy as np
import pytest
import tensorflow as tf

import federated  # noqa: F401
from federated import observed, views
from selenc_tf.lattice import engine as engine_lib
from selenc_tf.lattice import key_store
from selenc_tf.lattice import message as message_lib
from selenc_tf.masks import wire
from tests.federated.rounds import (
    BOUND,
    CIPHER,
    CODEC,
    ENGINE,
    HISTORY,
    OWN,
    SEED,
    M,
    N,
    batches,
    gradient_of,
    run,
    weights_of,
)


def opened(upload, keys, view, run_number):
    """What the key's owner finds in a message."""
    key = key_store.read(keys, CIPHER)
    m = int(view.mask.sum())
    packed = wire.pack(tf.constant(view.mask))
    sealed = message_lib.from_bytes(upload.ciphertext, CIPHER.block_bytes)
    context = ENGINE.context(keys, packed, 0, m, run_number, key_store.read_check(keys))
    blocks = tf.size(sealed) - 1
    codes = engine_lib.open_codes(ENGINE, key, sealed, context, 1, 0, blocks)
    return CODEC.decode(codes[:m], BOUND)


@pytest.mark.parametrize(
    ("source", "sizes"),
    [pytest.param(SEED, (1, 2), marks=pytest.mark.slow), (OWN, (1,))],
    ids=["agreed", "own"],
)
def test_view_of_a_blind_server(model, keys, blind, federation, source, sizes):
    cohort = batches(*sizes)
    run_number = run(blind(source), model, cohort).state.run
    view = observed.server_view(federation.crossings, N)
    assert view.aggregate is None
    assert view.mask.dtype == bool and view.mask.shape == (N,)
    assert view.mask.sum() == M and len(view.messages) == len(sizes)
    for found, weight in zip(view.weights, model.initial_weights, strict=True):
        assert found.tobytes() == weight.numpy().tobytes()
    for client, (message, batch) in enumerate(zip(view.messages, cohort, strict=True)):
        gradient = gradient_of(model, batch)
        assert message.plain.tobytes() == gradient[~view.mask].tobytes()
        assert message.weight == 1.0
        hidden = opened(message, keys, view, run_number)
        np.testing.assert_allclose(
            hidden, gradient[view.mask], atol=CODEC.max_abs_error(BOUND, 1)
        )
        picture = views.visible_gradient(view, client)
        assert np.all(picture[view.mask] == 0)
        assert picture[~view.mask].tobytes() == message.plain.tobytes()
    if source is OWN:
        largest = np.argsort(-np.abs(gradient_of(model, cohort[0])), kind="stable")[:M]
        assert set(np.flatnonzero(view.mask)) == set(largest)


def test_view_of_a_revealing_server(model, reveal, federation):
    cohort = batches(1, 3)
    built = reveal(HISTORY)
    state = run(built, model, cohort).state
    # In the second round a part is hidden.
    federation.crossings.clear()
    output = built.next(state, weights_of(model), cohort)
    view = observed.server_view(federation.crossings, N, aggregate=output.result)
    assert view.mask.sum() == M
    assert [message.weight for message in view.messages] == [1.0, 3.0]
    for message, batch, weight in zip(view.messages, cohort, [1, 3], strict=True):
        # A client multiplies by its weight before it sends.
        sent = np.float32(weight) * gradient_of(model, batch)
        assert message.plain.tobytes() == sent[~view.mask].tobytes()
    one, three = (gradient_of(model, batch) for batch in cohort)
    np.testing.assert_allclose(
        view.aggregate, (one + 3 * three) / 4, atol=CODEC.max_abs_error(BOUND, 2)
    )


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
