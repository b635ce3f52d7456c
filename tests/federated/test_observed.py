"""The server's view holds what crossed, bit for bit, and nothing else."""

import numpy as np
import pytest
import tensorflow as tf

import federated  # noqa: F401
from federated import aggregators, observed, processes, views
from federated.round import local_work
from selenc_tf.lattice import codec, key_store, parameters, scales, shell_cipher
from selenc_tf.lattice import engine as engine_lib
from selenc_tf.lattice import message as message_lib
from selenc_tf.masks import agreement, policy, wire
from selenc_tf.models import functional, lenet
from selenc_tf.significance import magnitude, random

BOUND = 4.0
CODEC = codec.FixedPointCodec(bits=20)
CIPHER = shell_cipher.build_shell_cipher(parameters.choose_parameters(4, CODEC.bits))
ENGINE = engine_lib.Engine(CODEC, CIPHER)
POLICY = policy.top_fraction(0.2)
SEED = agreement.public_seed(random.random, POLICY, (1, 2))
OWN = agreement.OwnMask(magnitude.magnitude, POLICY, (1, 2))


@pytest.fixture(scope="module")
def model():
    return lenet.lenet((8, 8, 1), 4, seed=0)


def batches(*sizes):
    rng = np.random.default_rng(5)
    return [
        local_work.Batch(
            rng.uniform(size=[size, 8, 8, 1]).astype(np.float32),
            rng.integers(0, 4, size).astype(np.int32),
        )
        for size in sizes
    ]


def gradient_of(model, batch):
    return functional.gradient(
        model,
        model.initial_weights,
        tf.constant(batch.images),
        tf.one_hot(batch.labels, 4),
    ).numpy()


def run(build_round, model, cohort):
    weights = [weight.numpy() for weight in model.initial_weights]
    return build_round.next(build_round.initialize(), weights, cohort)


def blind(model, source, key_for):
    return processes.build_server_blind_round(
        model, source, ENGINE, BOUND, key_for(CIPHER)
    )


def opened(upload, key_for, view):
    """What the key's owner finds in a message."""
    key = key_store.read(key_for(CIPHER), CIPHER)
    m = int(view.mask.sum())
    packed = wire.pack(tf.constant(view.mask))
    sealed = message_lib.from_bytes(upload.ciphertext, CIPHER.block_bytes)
    context = ENGINE.context(key_for(CIPHER), packed, 0, m)
    blocks = tf.size(sealed) - 1
    codes = engine_lib.open_codes(ENGINE, key, sealed, context, 1, 0, blocks)
    return CODEC.decode(codes[:m], BOUND)


@pytest.mark.parametrize(
    ("source", "sizes"), [(SEED, (1, 2)), (OWN, (1,))], ids=["agreed", "own"]
)
def test_view_of_a_blind_server(model, key_for, federation, source, sizes):
    cohort = batches(*sizes)
    run(blind(model, source, key_for), model, cohort)
    view = observed.server_view(federation.crossings, model.spec.size)
    n, m = model.spec.size, policy.hidden_count(0.2, model.spec.size)
    assert view.aggregate is None
    assert view.mask.dtype == bool and view.mask.shape == (n,)
    assert view.mask.sum() == m and len(view.messages) == len(sizes)
    for found, weight in zip(view.weights, model.initial_weights, strict=True):
        assert found.tobytes() == weight.numpy().tobytes()
    for client, (message, batch) in enumerate(zip(view.messages, cohort, strict=True)):
        gradient = gradient_of(model, batch)
        assert message.plain.tobytes() == gradient[~view.mask].tobytes()
        assert message.weight == 1.0
        hidden = opened(message, key_for, view)
        np.testing.assert_allclose(
            hidden, gradient[view.mask], atol=CODEC.max_abs_error(BOUND, 1)
        )
        picture = views.visible_gradient(view, client)
        assert np.all(picture[view.mask] == 0)
        assert picture[~view.mask].tobytes() == message.plain.tobytes()
    if source is OWN:
        largest = np.argsort(-np.abs(gradient_of(model, cohort[0])), kind="stable")[:m]
        assert set(np.flatnonzero(view.mask)) == set(largest)


def test_view_of_a_revealing_server(model, key_for, federation):
    cohort = batches(1, 3)
    encryption = aggregators.SelectiveEncryption(
        SEED, CODEC, scales.public_bound(BOUND), CIPHER, key_for(CIPHER)
    )
    build_round = processes.build_reveal_round(
        model, aggregators.selective_encryption(encryption)
    )
    output = run(build_round, model, cohort)
    view = observed.server_view(
        federation.crossings, model.spec.size, aggregate=output.result
    )
    assert [message.weight for message in view.messages] == [1.0, 3.0]
    for message, batch, weight in zip(view.messages, cohort, [1, 3], strict=True):
        # A client multiplies by its weight before it sends.
        sent = np.float32(weight) * gradient_of(model, batch)
        assert message.plain.tobytes() == sent[~view.mask].tobytes()
    one, three = (gradient_of(model, batch) for batch in cohort)
    np.testing.assert_allclose(
        view.aggregate, (one + 3 * three) / 4, atol=CODEC.max_abs_error(BOUND, 2)
    )


def test_ciphertexts_are_bytes_without_the_hidden_entries(model, key_for, federation):
    (batch,) = batches(1)
    run(blind(model, SEED, key_for), model, [batch])
    (message,) = observed.server_view(federation.crossings, model.spec.size).messages
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
def test_crossings_of_something_else(model, key_for, federation, drop, words):
    run(blind(model, SEED, key_for), model, batches(1))
    kept = [c for c in federation.crossings if drop not in c.value]
    assert len(kept) < len(federation.crossings)
    with pytest.raises(ValueError, match=words):
        observed.server_view(kept, model.spec.size)


def test_no_crossings(model):
    with pytest.raises(ValueError, match="none of the 0 does"):
        observed.server_view([], model.spec.size)
