"""Rounds of federated SGD: published, and with a blind server."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

import federated  # noqa: F401
from federated import processes
from federated.runtime import tap
from selenc_tf.lattice import engine as engine_lib
from selenc_tf.lattice import key_store
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

TO_SERVER = tap.Direction.CLIENTS_TO_SERVER


def test_types(blind, reveal):
    tensors = "<float32[5,6],float32[6],float32[6,3],float32[3]>"
    batch = "{<examples=float32[?,5],labels=int32[?]>}@CLIENTS"
    parameter = reveal(HISTORY).next.type_signature.parameter
    assert parameter.compact_representation() == (
        "<state=<agreement=<has_history=bool,previous=float32[57],policy=<>>,scales=<>,"
        f"run=int64,round=int64>@SERVER,weights={tensors}@SERVER,batch={batch}>"
    )
    result = blind(SEED).next.type_signature.result
    assert result.compact_representation() == (
        "<state=<agreement=<policy=<>>,run=int64,round=int64>@SERVER,"
        "visible_sum=float32[?]@SERVER,ciphertext=str[?]@SERVER,"
        "gradient={float32[57]}@CLIENTS,saturated={int64}@CLIENTS>"
    )


def test_revealed_mean_weighs_by_examples(model, reveal, federation):
    cohort = batches(1, 3, 2)
    build_round = reveal(HISTORY)
    # In the second round a part is hidden.
    state = run(build_round, model, cohort).state
    output = build_round.next(state, weights_of(model), cohort)
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


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(SEED, id="seed"),
        pytest.param(HISTORY, id="history", marks=pytest.mark.slow),
    ],
)
def test_blind_mean(model, blind, federation, source):
    cohort = batches(1, 3, 2)
    result = run(blind(source), model, cohort)
    exact = np.mean([gradient_of(model, batch) for batch in cohort], axis=0)
    assert len(result.gradient) == 3
    for found in result.gradient:
        assert np.max(np.abs(found - exact)) <= CODEC.max_abs_error(BOUND, 3) / 3 + 1e-6
    for other in result.gradient[1:]:
        assert other.tobytes() == result.gradient[0].tobytes()
    hidden = N if source is HISTORY else M
    assert result.visible_sum.shape == (N - hidden,)
    assert list(result.saturated) == [0, 0, 0]


@pytest.mark.slow
def test_own_mask_hides_the_largest(model, blind, federation):
    (batch,) = batches(2)
    result = run(blind(OWN), model, [batch])
    direct = gradient_of(model, batch)
    (found,) = result.gradient
    assert np.max(np.abs(found - direct)) <= CODEC.max_abs_error(BOUND, 1)
    order = np.argsort(-np.abs(direct), kind="stable")
    visible = np.sort(order[M:])
    np.testing.assert_allclose(result.visible_sum, direct[visible], rtol=1e-5)
    np.testing.assert_allclose(found[visible], direct[visible], rtol=1e-5)


def test_blind_server_gets_no_opened_share(model, blind, federation):
    run(blind(SEED), model, batches(1, 2))
    sent = [c for c in federation.crossings if c.direction is TO_SERVER]
    assert len(sent) == 2
    for crossing in sent:
        assert list(crossing.value) == [
            "plain",
            "ciphertext",
            "weight",
            "nonce",
            "contributes",
            "checksum",
        ]


def test_the_kept_ciphertext_is_the_sum(model, blind, keys, federation):
    cohort = batches(1, 2)
    result = run(blind(SEED), model, cohort)
    key = key_store.read(keys, CIPHER)
    mask, _ = SEED.mask(model.spec, SEED.init(model.spec))
    context = ENGINE.context(
        keys, wire.pack(mask), 0, M, result.state.run, key_store.read_check(keys)
    )
    codes = engine_lib.open_codes(
        ENGINE, key, tf.constant(result.ciphertext), context, 2, 0, 1
    )[:M]
    exact = np.sum([gradient_of(model, batch) for batch in cohort], axis=0)
    np.testing.assert_allclose(
        CODEC.decode(codes, BOUND),
        exact[mask.numpy()],
        atol=CODEC.max_abs_error(BOUND, 2) + 1e-6,
    )


def test_own_masks_of_two_clients(model, blind, federation):
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be one client"):
        run(blind(OWN), model, batches(1, 1))


def test_client_without_data_is_not_in_the_mean(model, reveal, federation):
    cohort = batches(1, 0, 2)
    output = run(reveal(HISTORY), model, cohort)
    one, two = (gradient_of(model, batch) for batch in (cohort[0], cohort[2]))
    found = np.concatenate([np.ravel(tensor) for tensor in output.result])
    np.testing.assert_allclose(found, (one + 2 * two) / 3, atol=1e-5)
    assert output.measurements["idle"] == 1
    with pytest.raises(tf.errors.InvalidArgumentError, match="min_clients"):
        run(reveal(HISTORY), model, batches(2, 0))


def test_client_without_data_receives_a_blind_mean(model, blind, federation):
    cohort = batches(1, 0, 2)
    result = run(blind(SEED), model, cohort)
    exact = np.mean([gradient_of(model, cohort[at]) for at in (0, 2)], axis=0)
    for found in result.gradient:
        assert np.max(np.abs(found - exact)) <= CODEC.max_abs_error(BOUND, 2) + 1e-6


@pytest.mark.parametrize("source", [SEED, OWN], ids=["agreed", "own"])
def test_a_lone_client_without_data(model, blind, federation, source):
    with pytest.raises(tf.errors.InvalidArgumentError, match="cohort is empty"):
        run(blind(source), model, batches(0))


def test_reveal_refuses_a_lone_client(model, reveal, federation):
    with pytest.raises(tf.errors.InvalidArgumentError, match="min_clients"):
        run(reveal(HISTORY), model, batches(2))


def test_rounds_follow_each_other(model, reveal, federation):
    build_round = reveal(HISTORY)
    state = build_round.initialize()
    for hidden in (N, M, M):
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
