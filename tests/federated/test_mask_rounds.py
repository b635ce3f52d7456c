"""Rounds in which a cohort agrees on a mask, against NumPy on the same scores."""

import inspect

import numpy as np
import pytest
import tensorflow as tf

import federated  # noqa: F401
from federated import key_flow, mask_rounds
from federated.key_flow.labels import Label
from federated.round import local_work, mask_consensus
from federated.runtime import tap
from selenc_tf.lattice import block_tails, header, key_store
from selenc_tf.masks import policy
from selenc_tf.significance import magnitude
from tests.federated.rounds import CIPHER, ENGINE, N, batches, gradient_of, weights_of

M = 6
POLICY = policy.top_fraction(M / N)
MIN_CLIENTS = 3


@pytest.fixture(scope="module")
def cohort():
    return batches(1, 3, 2)


@pytest.fixture(scope="module")
def scoring(model):
    return mask_rounds.Scoring(model, magnitude.magnitude, POLICY, (1, 2))


@pytest.fixture(scope="module")
def score_sum(scoring, keys):
    return mask_rounds.build_score_sum(scoring, ENGINE, keys, MIN_CLIENTS)


def scores_of(model, cohort):
    return [np.abs(gradient_of(model, batch)) for batch in cohort]


def run(mask_round, model, cohort):
    agreed = mask_round.run(weights_of(model), cohort)
    mask = mask_rounds.unpack(agreed, N)
    assert agreed.hidden == np.count_nonzero(mask)
    assert agreed.clients == len(cohort)
    return set(np.flatnonzero(mask))


def best(scores, m=M):
    return np.argsort(-scores, kind="stable")[:m]


@pytest.mark.slow
def test_score_sum(model, score_sum, federation, cohort):
    total = sum(scores / scores.max() for scores in scores_of(model, cohort))
    assert run(score_sum, model, cohort) == set(best(total))


@pytest.mark.slow
def test_score_sum_crosses_encrypted(model, score_sum, federation, cohort):
    run(score_sum, model, cohort)
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


def test_every_score_sum_has_a_number_of_its_own(model, score_sum, federation, cohort):
    """All of them are round 0: what is sent in one is not taken in the next."""
    for _ in range(2):
        run(score_sum, model, cohort)
    told = [
        int(crossing.value["run"])
        for crossing in federation.crossings
        if crossing.direction is tap.Direction.SERVER_TO_CLIENTS
        and "run" in crossing.value
    ]
    assert len(told) == 2 * len(cohort) and len(set(told)) == 2
    sent = [
        header.read(tf.constant(crossing.value["ciphertext"][0])).context
        for crossing in federation.crossings
        if crossing.direction is tap.Direction.CLIENTS_TO_SERVER
        and "ciphertext" in crossing.value
    ]
    assert [int(context.run) for context in sent] == told
    assert {int(context.round) for context in sent} == {0}


def test_interleaved_lists(model, scoring, federation, cohort):
    lists = [best(scores) for scores in scores_of(model, cohort)]
    taken = list(
        dict.fromkeys(index for turn in zip(*lists, strict=True) for index in turn)
    )
    found = run(mask_rounds.build_interleaved_lists(scoring), model, cohort)
    assert found == set(taken[:M])


def test_union(model, scoring, federation, cohort):
    wanted = {index for scores in scores_of(model, cohort) for index in best(scores)}
    found = run(mask_rounds.build_union(scoring), model, cohort)
    assert found == wanted
    assert M < len(found) <= 3 * M


@pytest.mark.parametrize("clients", [1, MIN_CLIENTS - 1])
def test_fewer_clients_are_not_enough(model, score_sum, federation, cohort, clients):
    with pytest.raises(Exception, match="refuses to decrypt"):
        run(score_sum, model, cohort[:clients])


def test_the_sum_of_one_client_is_refused_by_default():
    options = inspect.signature(mask_rounds.build_score_sum).parameters
    assert options["min_clients"].default == 2


@pytest.mark.slow
@pytest.mark.parametrize(("options", "clients"), [({}, 1), ({"min_clients": 4}, 3)])
def test_other_smallest_cohorts(
    model, scoring, keys, federation, cohort, options, clients
):
    built = mask_rounds.build_score_sum(scoring, ENGINE, keys, **options)
    with pytest.raises(Exception, match="refuses to decrypt"):
        run(built, model, cohort[:clients])


NOTHING = local_work.Batch(np.zeros([0, 5], np.float32), np.zeros([0], np.int32))


def test_a_client_without_data_has_no_say(model, score_sum, federation, cohort):
    total = sum(scores / scores.max() for scores in scores_of(model, cohort))
    agreed = score_sum.run(weights_of(model), [cohort[0], NOTHING, *cohort[1:]])
    assert agreed.clients == len(cohort)
    found = np.flatnonzero(mask_rounds.unpack(agreed, N))
    assert set(found) == set(best(total))
    with pytest.raises(Exception, match="refuses to decrypt"):
        run(score_sum, model, [*cohort[1:], NOTHING, NOTHING])


def test_a_client_without_data_has_no_list(model, scoring, federation, cohort):
    built = mask_rounds.build_interleaved_lists(scoring)
    with pytest.raises(Exception, match="has no data"):
        run(built, model, [*cohort, NOTHING])


@pytest.mark.parametrize("few", [1, 0, -1])
def test_the_sum_of_one_client_is_refused_when_built(scoring, keys, few):
    with pytest.raises(ValueError, match="`min_clients` must be at least 2"):
        mask_rounds.build_score_sum(scoring, ENGINE, keys, few)


@pytest.mark.slow
def test_no_key_leaks(score_sum, keys):
    computation = score_sum.run
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
    key = key_store.read(keys, CIPHER, tf.constant(0, tf.int64)).numpy()
    secret = key[block_tails.KEY_FRONT_BYTES :]
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


@pytest.mark.parametrize(
    "build",
    [
        mask_rounds.build_union,
        pytest.param(mask_rounds.build_interleaved_lists, marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_nobody_proposes_nothing(model, scoring, federation, build):
    """An empty cohort is refused: it would agree on encrypting nothing."""
    with pytest.raises(tf.errors.InvalidArgumentError, match="The cohort is empty"):
        build(scoring).run(weights_of(model), [])
