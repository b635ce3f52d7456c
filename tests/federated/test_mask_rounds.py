"""Rounds in which a cohort agrees on a mask, against NumPy on the same scores."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import federated  # noqa: F401
from federated import key_flow, mask_rounds
from federated.key_flow.graph_taint import Label
from federated.round import local_work, mask_consensus
from federated.runtime import tap
from selenc_tf.lattice import codec, key_store, parameters, shell_cipher
from selenc_tf.lattice import engine as engine_lib
from selenc_tf.masks import policy
from selenc_tf.models import functional
from selenc_tf.significance import magnitude

CODEC = codec.FixedPointCodec(bits=24)
CIPHER = shell_cipher.build_shell_cipher(parameters.choose_parameters(4, CODEC.bits))
ENGINE = engine_lib.Engine(CODEC, CIPHER)
N = 57
M = 6
POLICY = policy.top_fraction(M / N)


@pytest.fixture(scope="module")
def model():
    inputs = keras.Input((5,))
    kernel = keras.initializers.GlorotUniform(seed=1)
    hidden = keras.layers.Dense(6, "tanh", kernel_initializer=kernel)(inputs)
    logits = keras.layers.Dense(3, kernel_initializer=kernel)(hidden)
    return functional.from_keras(keras.Model(inputs, logits))


@pytest.fixture(scope="module")
def cohort():
    rng = np.random.default_rng(2)
    return [
        local_work.Batch(
            rng.normal(size=[size, 5]).astype(np.float32),
            rng.integers(0, 3, size).astype(np.int32),
        )
        for size in (1, 3, 2)
    ]


def scores_of(model, cohort):
    return [
        np.abs(
            functional.gradient(
                model,
                model.initial_weights,
                tf.constant(batch.images),
                tf.one_hot(batch.labels, model.num_classes),
            )
        )
        for batch in cohort
    ]


def scoring(model):
    return mask_rounds.Scoring(model, magnitude.magnitude, POLICY, (1, 2))


def score_sum(model, key_for, **options):
    return mask_rounds.build_score_sum(
        scoring(model), ENGINE, key_for(CIPHER), **options
    )


def run(mask_round, model, cohort):
    weights = [weight.numpy() for weight in model.initial_weights]
    agreed = mask_round.run(weights, cohort)
    mask = mask_rounds.unpack(agreed, N)
    assert agreed.hidden == np.count_nonzero(mask)
    assert agreed.clients == len(cohort)
    return set(np.flatnonzero(mask))


def best(scores, m=M):
    return np.argsort(-scores, kind="stable")[:m]


def test_score_sum(model, key_for, federation, cohort):
    total = sum(scores / scores.max() for scores in scores_of(model, cohort))
    assert run(score_sum(model, key_for), model, cohort) == set(best(total))


def test_score_sum_crosses_encrypted(model, key_for, federation, cohort):
    run(score_sum(model, key_for), model, cohort)
    up = [
        crossing
        for crossing in federation.crossings
        if crossing.direction is tap.Direction.CLIENTS_TO_SERVER
    ]
    assert len(up) == 2 * len(cohort)
    for upload in up[: len(cohort)]:
        assert upload.value["plain"].shape == (0,)
    for proposal in up[len(cohort) :]:
        assert proposal.value["packed_mask"].shape == (-(-N // 8),)


def test_interleaved_lists(model, federation, cohort):
    lists = [best(scores) for scores in scores_of(model, cohort)]
    taken = list(
        dict.fromkeys(index for turn in zip(*lists, strict=True) for index in turn)
    )
    found = run(mask_rounds.build_interleaved_lists(scoring(model)), model, cohort)
    assert found == set(taken[:M])


def test_union(model, federation, cohort):
    wanted = {index for scores in scores_of(model, cohort) for index in best(scores)}
    found = run(mask_rounds.build_union(scoring(model)), model, cohort)
    assert found == wanted
    assert M < len(found) <= 3 * M


def test_one_client_is_not_enough(model, key_for, federation, cohort):
    with pytest.raises(Exception, match="refuses to decrypt"):
        run(score_sum(model, key_for), model, cohort[:1])


def test_more_clients_than_the_policy_wants_are_needed(
    model, key_for, federation, cohort
):
    with pytest.raises(Exception, match="refuses to decrypt"):
        run(score_sum(model, key_for, min_clients=4), model, cohort)


def test_a_client_without_data(model, key_for, federation, cohort):
    nothing = local_work.Batch(np.zeros([0, 5], np.float32), np.zeros([0], np.int32))
    with pytest.raises(Exception, match="has no data"):
        run(score_sum(model, key_for), model, [*cohort, nothing])


def test_no_key_leaks(model, key_for):
    keys = key_for(CIPHER)
    computation = score_sum(model, key_for).run
    report = key_flow.check(computation, keys.path)
    assert {source.placement for source in report.sources} == {"clients"}
    labels = {
        field.name: field.labels
        for crossing in report.to_server
        for field in crossing.fields
    }
    assert labels["ciphertext"] == {Label.CIPHERTEXT}
    # Every client's mask is made of the opened sum.
    assert Label.DECRYPTED in labels["packed_mask"]
    assert not any({Label.KEY, Label.OPENED_OWN} & found for found in labels.values())
    secret = key_store.read(keys, CIPHER, tf.constant(0, tf.int64)).numpy()
    assert not key_flow.contains_bytes(computation, secret)


def test_clients_that_disagree_are_refused():
    masks = tf.constant([[1], [3]], tf.uint8)
    with pytest.raises(tf.errors.InvalidArgumentError, match="disagree"):
        mask_consensus.the_only_mask(masks, 8)


def test_interleaving_by_hand():
    lists = tf.constant([[4, 1, 0], [1, 4, 2]])
    # In turn: 4, 1, (1, 4 again,) 0; the budget of three is used up.
    assert set(np.flatnonzero(mask_consensus.interleave(lists, 5))) == {0, 1, 4}


def test_scores_of_zeros():
    np.testing.assert_array_equal(mask_consensus.share_of_largest(tf.zeros([3])), 0)
