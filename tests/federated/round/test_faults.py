"""Which client fails, how and when: the aggregate is exactly the survivors', bit for bit.

Every run is compared with one of the survivors alone, from the same state.
"""

import functools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

import federated  # noqa: F401
from federated import aggregators, mask_rounds, processes
from federated.round import local_work
from selenc_tf.lattice import codec, engine, identity_cipher, scales
from selenc_tf.lattice.refusal import Refusal
from selenc_tf.masks import agreement, policy
from selenc_tf.significance import magnitude
from tests.federated import rounds
from tests.federated.round import faults
from tests.federated.round.faults import FAULTS, GARBLED

CLIENTS = 4
CODEC = codec.FixedPointCodec(bits=16)
# Few slots, so that every message has several blocks.
CIPHER = identity_cipher.build_identity_cipher_INSECURE(8, 2**45 + 1, 32)
ENGINE = engine.Engine(CODEC, CIPHER)
HISTORY = agreement.previous_aggregate(
    magnitude.magnitude, policy.top_fraction(0.4), (1, 2)
)
N = 40
FEW = (
    ("a block is missing", 0, 0),
    ("an earlier training", 2, 1),
    ("another key of that name", 0, 1),
    ("a weight of zero", 3, 0),
    ("an update that is no number", 1, 1),
)
"""Fault, client and round of what is run by default."""

SOME = ((0, 0), (3, 1))
"""Client and round of what the slow tier runs of every fault."""


def _mark(name, wrong, when):
    """The whole table is long; in the slow tier every fault has some cases."""
    return pytest.mark.slow if (wrong, when) in SOME else pytest.mark.long


TABLE = [
    pytest.param(
        name,
        wrong,
        when,
        marks=[] if (name, wrong, when) in FEW else [_mark(name, wrong, when)],
        id=f"{name}-client {wrong}-round {when}",
    )
    for name in FAULTS
    for wrong in range(CLIENTS)
    for when in range(2)
]


@pytest.fixture(scope="module")
def keys(key_for):
    return key_for(CIPHER)


def survivors(cohort, wrong):
    return [one for at, one in enumerate(cohort) if at != wrong]


def as_bytes(structure):
    leaves = [np.asarray(leaf) for leaf in tf.nest.flatten(structure)]
    return [
        b"".join(leaf.tolist()) if leaf.dtype == object else leaf.tobytes()
        for leaf in leaves
    ]


# --- The server learns the sum -----------------------------------------------------


@pytest.fixture(scope="module")
def revealing(keys):
    """A weighted mean of vectors, under masks that follow the means."""
    parts = aggregators.SelectiveEncryption(
        HISTORY, CODEC, scales.previous_aggregate(4.0), CIPHER, keys
    )
    build = aggregators.selective_encryption(parts).create
    value_type = tff.TensorType(np.float32, [N])
    return faults.traced_with_faults(
        lambda: build(value_type, tff.TensorType(np.float32))
    )


def values(when):
    rng = np.random.default_rng(when)
    return [rng.normal(size=N).astype(np.float32) for _ in range(CLIENTS)]


WEIGHTS = [3.0, 1.0, 2.5, 7.0]


def mean_of(process, state, when, weights):
    """The round, and its outcome without its counts."""
    output = process.next(state, values(when)[: len(weights)], weights)
    return output, as_bytes(output.result) + as_bytes(output.state)


@pytest.mark.parametrize(("name", "wrong", "when"), TABLE)
@pytest.mark.slow
def test_revealed_mean(revealing, federation, name, wrong, when):
    state = revealing.initialize()
    for number in range(2):
        weights = list(WEIGHTS)
        if number == when:
            weights[wrong] = faults.mark(name)
        output = revealing.next(state, values(number), weights)
        if number == when:
            alone = revealing.next(
                state, survivors(values(number), wrong), survivors(WEIGHTS, wrong)
            )
            for found, expected in (
                (output.result, alone.result),
                (output.state, alone.state),
            ):
                assert as_bytes(found) == as_bytes(expected)
        state = output.state
        measured = output.measurements
        verdict = FAULTS[name].verdict if number == when else None
        idle = number == when and verdict is None
        assert measured["idle"] == idle
        assert measured["clients"] == CLIENTS - (number == when)
        expected = np.zeros([len(Refusal)])
        if verdict is not None:
            expected[verdict] = 1
        np.testing.assert_array_equal(measured["refusals"], expected)


@pytest.mark.slow
def test_all_faults_at_once(revealing, federation):
    """Uploads that are seen through alone, in between those of a whole cohort."""
    names = [
        name for name, one in FAULTS.items() if one.verdict is not Refusal.WRONG_MASK
    ]
    vectors, weights = [], []
    for at, name in enumerate(names):
        if at % 5 == 1:
            vectors.append(values(0)[at // 5 % CLIENTS])
            weights.append(WEIGHTS[at // 5 % CLIENTS])
        vectors.append(np.ones([N], np.float32))
        weights.append(faults.mark(name))
    state = revealing.initialize()
    output = revealing.next(state, vectors, weights)
    good = [at for at, weight in enumerate(weights) if weight < faults.MARK]
    assert len(good) >= CLIENTS
    alone = revealing.next(
        state, [vectors[at] for at in good], [weights[at] for at in good]
    )
    assert as_bytes(output.result) == as_bytes(alone.result)
    assert output.measurements["refused"] + output.measurements["idle"] == len(names)


@pytest.mark.slow
def test_what_no_header_shows_fails_the_round(revealing, federation):
    weights = [*WEIGHTS[:2], faults.mark(GARBLED), WEIGHTS[3]]
    with pytest.raises(tf.errors.InvalidArgumentError, match="GARBLED"):
        revealing.next(revealing.initialize(), values(0), weights)


# --- The server stays blind --------------------------------------------------------


def marked(batches, wrong, name):
    """The cohort, of which one client has the fault."""
    changed = list(batches)
    images = np.array(changed[wrong].examples)
    images[:, 0] = faults.mark(name)
    changed[wrong] = local_work.Batch(images, changed[wrong].labels)
    return changed


@pytest.fixture(scope="module")
def built(model, keys):
    """`built(name, fail)`: the other two kinds of rounds, as functions of a cohort."""

    @functools.cache
    def trace(name, fail):
        if name == "blind":
            return faults.traced_with_faults(
                lambda: processes.build_server_blind_round(
                    model, rounds.SEED, ENGINE, 4.0, keys, fail=fail
                )
            )
        scoring = mask_rounds.Scoring(
            model, magnitude.magnitude, policy.top_fraction(0.1), (1, 2)
        )
        return faults.traced_with_faults(
            lambda: mask_rounds.build_score_sum(scoring, ENGINE, keys, fail=fail)
        )

    return trace


@pytest.mark.slow
@pytest.mark.parametrize(("name", "wrong", "when"), TABLE)
def test_blind_mean(model, built, federation, name, wrong, when):
    process, weights = built("blind", False), rounds.weights_of(model)
    cohort = rounds.batches(1, 3, 2, 2)
    state = process.initialize()
    if when:
        state = process.next(state, weights, cohort).state
    result = process.next(state, weights, marked(cohort, wrong, name))
    alone = process.next(state, weights, survivors(cohort, wrong))
    assert len(result.gradient) == CLIENTS
    # Who is left out receives the mean of the others.
    expected = as_bytes(alone.gradient[0])
    assert all(as_bytes(one) == expected for one in result.gradient)
    assert as_bytes(result.visible_sum) == as_bytes(alone.visible_sum)
    assert as_bytes(result.ciphertext) == as_bytes(alone.ciphertext)
    assert as_bytes(result.state) == as_bytes(alone.state)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize(
    "wrong",
    [
        client if client == 1 else pytest.param(client, marks=pytest.mark.long)
        for client in range(CLIENTS)
    ],
)
def test_mask_of_the_scores(model, built, federation, name, wrong):
    process, weights = built("score_sum", False), rounds.weights_of(model)
    cohort = rounds.batches(1, 3, 2, 2)
    agreed = process.run(weights, marked(cohort, wrong, name))
    alone = process.run(weights, survivors(cohort, wrong))
    assert agreed.clients == alone.clients == CLIENTS - 1
    assert as_bytes(agreed.packed_mask) == as_bytes(alone.packed_mask)


@pytest.mark.slow
def test_every_client_counts_in_the_mask(model, built, federation):
    """Or the test above would show little."""
    process, weights = built("score_sum", False), rounds.weights_of(model)
    cohort = rounds.batches(1, 3, 2, 2)
    masks = {as_bytes(process.run(weights, cohort).packed_mask)[0]}
    for left_out in range(CLIENTS):
        kept = survivors(cohort, left_out)
        masks.add(as_bytes(process.run(weights, kept).packed_mask)[0])
    assert len(masks) == 1 + CLIENTS


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["blind", "score_sum"])
@pytest.mark.parametrize("name", [*FAULTS, GARBLED])
def test_rounds_that_are_to_fail_name_the_reason(model, built, federation, kind, name):
    process, weights = built(kind, True), rounds.weights_of(model)
    cohort = marked(rounds.batches(1, 3, 2, 2), 1, name)
    run = (
        process.run
        if kind == "score_sum"
        else functools.partial(process.next, process.initialize())
    )
    verdict = Refusal.GARBLED if name == GARBLED else FAULTS[name].verdict
    if verdict is None:
        run(weights, cohort)
        return
    with pytest.raises(tf.errors.InvalidArgumentError, match=verdict.name):
        run(weights, cohort)
