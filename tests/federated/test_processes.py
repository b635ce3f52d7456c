"""Rounds of federated SGD: published, and with a blind server."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

import federated  # noqa: F401
from federated import aggregators, processes
from federated.round import local_work
from federated.runtime import tap
from selenc_tf.lattice import codec, parameters, scales, shell_cipher
from selenc_tf.lattice import engine as engine_lib
from selenc_tf.masks import agreement, policy, wire
from selenc_tf.models import functional
from selenc_tf.significance import magnitude, random

BOUND = 4.0
CODEC = codec.FixedPointCodec(bits=24)
CIPHER = shell_cipher.build_shell_cipher(parameters.choose_parameters(4, CODEC.bits))
ENGINE = engine_lib.Engine(CODEC, CIPHER)
RATIO = 0.4
POLICY = policy.top_fraction(RATIO)
SEED = agreement.public_seed(random.random, POLICY, (1, 2))
HISTORY = agreement.previous_aggregate(magnitude.magnitude, POLICY, (1, 2))
OWN = agreement.OwnMask(magnitude.magnitude, POLICY, (1, 2))
TO_SERVER = tap.Direction.CLIENTS_TO_SERVER


@pytest.fixture(scope="module")
def model():
    inputs = keras.Input((5,))
    kernel = keras.initializers.GlorotUniform(seed=1)
    hidden = keras.layers.Dense(6, "tanh", kernel_initializer=kernel)(inputs)
    logits = keras.layers.Dense(3, kernel_initializer=kernel)(hidden)
    return functional.from_keras(keras.Model(inputs, logits))


def batches(*sizes):
    rng = np.random.default_rng(2)
    return [
        local_work.Batch(
            rng.normal(size=[size, 5]).astype(np.float32),
            rng.integers(0, 3, size).astype(np.int32),
        )
        for size in sizes
    ]


def gradient_of(model, batch):
    return functional.gradient(
        model,
        model.initial_weights,
        tf.constant(batch.images),
        tf.one_hot(batch.labels, model.num_classes),
    ).numpy()


def weights_of(model):
    return [weight.numpy() for weight in model.initial_weights]


def run(build_round, model, cohort):
    return build_round.next(build_round.initialize(), weights_of(model), cohort)


def blind(model, source, key_for):
    return processes.build_server_blind_round(
        model, source, ENGINE, BOUND, key_for(CIPHER)
    )


def reveal(model, source, key_for):
    encryption = aggregators.SelectiveEncryption(
        source, CODEC, scales.public_bound(BOUND), CIPHER, key_for(CIPHER)
    )
    return processes.build_reveal_round(
        model, aggregators.selective_encryption(encryption)
    )


def test_types(model, key_for):
    tensors = "<float32[5,6],float32[6],float32[6,3],float32[3]>"
    batch = "{<images=float32[?,5],labels=int32[?]>}@CLIENTS"
    assert reveal(
        model, SEED, key_for
    ).next.type_signature.parameter.compact_representation() == (
        f"<state=<agreement=<policy=<>>,scales=<>,round=int64>@SERVER,"
        f"weights={tensors}@SERVER,batch={batch}>"
    )
    result = blind(model, SEED, key_for).next.type_signature.result
    assert result.compact_representation() == (
        "<state=<agreement=<policy=<>>,round=int64>@SERVER,"
        "visible_sum=float32[?]@SERVER,ciphertext=str[?]@SERVER,gradient={float32[57]}@CLIENTS>"
    )


def test_revealed_mean_weighs_by_examples(model, key_for, federation):
    cohort = batches(1, 3, 2)
    output = run(reveal(model, SEED, key_for), model, cohort)
    exact = (
        sum(
            len(batch.labels) * gradient_of(model, batch).astype(np.float64)
            for batch in cohort
        )
        / 6
    )
    found = np.concatenate([np.ravel(tensor) for tensor in output.result])
    assert [np.size(tensor) for tensor in output.result] == [30, 6, 18, 3]
    assert np.max(np.abs(found - exact)) <= CODEC.max_abs_error(BOUND, 3) / 6 + 1e-6


@pytest.mark.parametrize("source", [SEED, HISTORY], ids=["seed", "history"])
def test_blind_mean(model, key_for, federation, source):
    cohort = batches(1, 3, 2)
    result = run(blind(model, source, key_for), model, cohort)
    exact = np.mean([gradient_of(model, batch) for batch in cohort], axis=0)
    assert len(result.gradient) == 3
    for found in result.gradient:
        assert np.max(np.abs(found - exact)) <= CODEC.max_abs_error(BOUND, 3) / 3 + 1e-6
    for other in result.gradient[1:]:
        assert other.tobytes() == result.gradient[0].tobytes()
    hidden = 57 if source is HISTORY else 23  # 0.4 * 57 = 22.8
    assert result.visible_sum.shape == (57 - hidden,)


def test_own_mask_hides_the_largest(model, key_for, federation):
    (batch,) = batches(2)
    result = run(blind(model, OWN, key_for), model, [batch])
    direct = gradient_of(model, batch)
    (found,) = result.gradient
    assert np.max(np.abs(found - direct)) <= CODEC.max_abs_error(BOUND, 1)
    order = np.argsort(-np.abs(direct), kind="stable")
    visible = np.sort(order[23:])
    np.testing.assert_allclose(result.visible_sum, direct[visible], rtol=1e-5)
    np.testing.assert_allclose(found[visible], direct[visible], rtol=1e-5)


def test_blind_server_gets_no_opened_share(model, key_for, federation):
    run(blind(model, SEED, key_for), model, batches(1, 2))
    sent = [c for c in federation.crossings if c.direction is TO_SERVER]
    assert len(sent) == 2
    for crossing in sent:
        assert list(crossing.value) == [
            "plain",
            "ciphertext",
            "weight",
            "nonce",
            "checksum",
        ]


def test_the_kept_ciphertext_is_the_sum(model, key_for, federation):
    from selenc_tf.lattice import key_store

    cohort = batches(1, 2)
    result = run(blind(model, SEED, key_for), model, cohort)
    key = key_store.read(key_for(CIPHER), CIPHER)
    mask, _ = SEED.mask(model.spec, SEED.init(model.spec))
    context = ENGINE.context(key_for(CIPHER), wire.pack(mask), 0, 23)
    codes = engine_lib.open_codes(
        ENGINE, key, tf.constant(result.ciphertext), context, 2, 0, 1
    )[:23]
    exact = np.sum([gradient_of(model, batch) for batch in cohort], axis=0)
    np.testing.assert_allclose(
        CODEC.decode(codes, BOUND),
        exact[mask.numpy()],
        atol=CODEC.max_abs_error(BOUND, 2) + 1e-6,
    )


def test_own_masks_of_two_clients(model, key_for, federation):
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be one client"):
        run(blind(model, OWN, key_for), model, batches(1, 1))


@pytest.mark.parametrize("build", [reveal, blind])
def test_client_without_data(model, key_for, federation, build):
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least one example"):
        run(build(model, SEED, key_for), model, batches(2, 0))


def test_reveal_refuses_a_lone_client(model, key_for, federation):
    with pytest.raises(tf.errors.InvalidArgumentError, match="min_clients"):
        run(reveal(model, SEED, key_for), model, batches(2))


def test_rounds_follow_each_other(model, key_for, federation):
    build_round = reveal(model, HISTORY, key_for)
    state = build_round.initialize()
    for hidden in (57, 23, 23):
        output = build_round.next(state, weights_of(model), batches(1, 2))
        measured = output.measurements["hidden"]
        assert measured == hidden
        state = output.state


def test_any_weighted_factory_will_do(model, federation):
    build_round = processes.build_reveal_round(model, tff.aggregators.MeanFactory())
    cohort = batches(1, 3)
    output = run(build_round, model, cohort)
    found = np.concatenate([np.ravel(tensor) for tensor in output.result])
    one, three = (gradient_of(model, batch) for batch in cohort)
    np.testing.assert_allclose(found, (one + 3 * three) / 4, atol=1e-6)
