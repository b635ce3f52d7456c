"""Sums of metrics that no server sees a summand of, and that are what TFF's sums are."""

import collections

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

import federated
from federated import aggregators, key_flow
from federated.runtime import tap
from selenc_tf.lattice import identity_cipher, key_store, scales
from selenc_tf.lattice.codec import FixedPointCodec
from selenc_tf.lattice.key_store import KeySet
from tests.federated.rounds import NOTHING, batches, small_model
from tests.selenc_tf.lattice import ciphers

CIPHER = ciphers.shell(4, 16)
IDENTITY = identity_cipher.build_identity_cipher_INSECURE(8, 2**40 + 15, 4)
SGD = tff.learning.optimizers.build_sgdm
TYPE = tff.FederatedType(
    collections.OrderedDict(
        loss=[np.float32, np.float32],
        examples=[np.int64],
        histogram=[(np.int32, (3,))],
    ),
    tff.CLIENTS,
)


def encryption(keys, cipher=CIPHER, **more):
    return aggregators.SelectiveEncryption(
        NOTHING, FixedPointCodec(16), scales.public_bound(4.0), cipher, keys, **more
    )


def mean(sums):
    return sums[0] / sums[1]


FINALIZERS = collections.OrderedDict(
    loss=tf.function(mean),
    examples=tf.function(lambda sums: sums[0]),
    histogram=tf.function(lambda sums: sums[0]),
)


def metrics(loss, count, examples=2**40 + 1, histogram=(1, 0, -3)):
    return collections.OrderedDict(
        loss=[np.float32(loss), np.float32(count)],
        examples=[np.int64(examples)],
        histogram=[np.array(histogram, np.int32)],
    )


def summing(factory):
    """The aggregator as a computation of metrics of one type."""
    built = factory(FINALIZERS)
    return tff.federated_computation(lambda values: built(values), TYPE)


@pytest.fixture(scope="module")
def insecure(key_for):
    return summing(federated.encrypted_metrics(encryption(key_for(IDENTITY), IDENTITY)))


def sent(crossings):
    """What clients sent, by the names of its fields."""
    return [
        crossing.value
        for crossing in crossings
        if crossing.direction is tap.Direction.CLIENTS_TO_SERVER
    ]


def check_hidden(crossings, *numbers):
    """No message to the server has one of the numbers, or a field of its own for any."""
    for value in sent(crossings):
        fields = set(value) if isinstance(value, collections.abc.Mapping) else set()
        assert fields in (
            {"plain", "ciphertext", "weight", "nonce", "contributes", "checksum"},
            {"rank", "codes"},
            set(),
        )
        for leaf in tf.nest.flatten(value):
            assert not any(np.any(np.asarray(leaf) == number) for number in numbers)


@pytest.mark.slow
def test_they_are_the_sums_in_the_clear(insecure, federation):
    cohort = [
        metrics(3.25, 8),
        metrics(-1e9, 5, 3),
        metrics(2.0**-12, 64, 0, (7, 7, 7)),
    ]
    found = insecure(cohort)
    plain = summing(lambda f: tff.learning.metrics.sum_then_finalize(f))(cohort)
    assert found["loss"].dtype == np.float32 and found["examples"].dtype == np.int64
    assert found["examples"] == 2**40 + 4 == plain["examples"]
    np.testing.assert_array_equal(found["histogram"], [9, 7, 1])
    np.testing.assert_allclose(found["loss"], plain["loss"], rtol=1e-6)


def test_a_loss_that_is_no_number_stays_one(insecure, federation):
    found = insecure([metrics(np.nan, 8), metrics(1.0, 8)])
    assert np.isnan(found["loss"]) and found["examples"] == 2**41 + 2


@pytest.mark.slow
def test_under_a_key_the_server_sees_no_summand(key_for, federation):
    process = summing(federated.encrypted_metrics(encryption(key_for(CIPHER))))
    key_flow.check(process)
    federation.crossings.clear()
    found = process([metrics(3.25, 8), metrics(4.5, 56)])
    assert found["loss"] == np.float32(7.75 / 64)
    check_hidden(federation.crossings, 3.25, 4.5, 2**40 + 1)


def test_a_sum_of_too_few_is_refused(insecure, federation):
    nothing = metrics(0, 0, 0, (0, 0, 0))
    with pytest.raises(tf.errors.InvalidArgumentError, match="refuses to decrypt"):
        insecure([metrics(3.25, 8), nothing, nothing])
    assert insecure([metrics(1, 8), metrics(2, 8), nothing])["loss"] == 3 / 16


def test_what_cannot_be_summed(key_for):
    with pytest.raises(TypeError, match=r"numbers of static shape.*str"):
        built = federated.encrypted_metrics(encryption(key_for(IDENTITY), IDENTITY))
        tff.federated_computation(
            lambda values: built(FINALIZERS)(values),
            tff.FederatedType(collections.OrderedDict(a=np.str_), tff.CLIENTS),
        )
    with pytest.raises(TypeError, match="inside another factory"):
        federated.encrypted_metrics(tff.aggregators.MeanFactory())
    series = KeySet("nowhere", "00112233445566aa", rotates=True)
    with pytest.raises(ValueError, match="one key for all rounds"):
        federated.encrypted_metrics(encryption(series))


@pytest.fixture(scope="module")
def model():
    return small_model()


def data(*sizes):
    return [
        tf.data.Dataset.from_tensor_slices((one.examples, one.labels)).batch(4)
        for one in batches(*sizes)
    ]


def averaging(model, encryption, **more):
    return federated.build_weighted_fed_avg(
        federated.tff_model(model.task),
        SGD(0.1),
        model_aggregator=federated.selective_encryption(encryption),
        **more,
    )


@pytest.mark.slow
def test_our_builder_encrypts_them_by_default(model, tmp_path, federation):
    """A key a round, which only our builder can follow."""
    series = key_store.create_series(tmp_path / "series", IDENTITY, 2)
    process = averaging(model, encryption(series, IDENTITY))
    state = process.initialize()
    federation.crossings.clear()
    for _ in range(2):
        output = process.next(state, data(5, 7))
        state = output.state
    check_hidden(federation.crossings)
    clear = federated.build_weighted_fed_avg(federated.tff_model(model.task), SGD(0.1))
    plain = clear.next(clear.initialize(), data(5, 7))
    again = process.next(process.initialize(), data(5, 7))
    check_same(again.metrics, plain.metrics)


def check_same(ours, plain):
    ours, plain = (one["client_work"]["train"] for one in (ours, plain))
    assert list(ours) == list(plain) and "loss" in ours
    for name, value in plain.items():
        np.testing.assert_allclose(ours[name], value, rtol=1e-6)


@pytest.mark.slow
def test_tffs_builder_takes_it(model, key_for, federation):
    aggregator = federated.selective_encryption(encryption(key_for(CIPHER)))
    process = tff.learning.algorithms.build_weighted_fed_avg(
        federated.tff_model(model.task),
        SGD(0.1),
        model_aggregator=aggregator,
        metrics_aggregator=federated.encrypted_metrics(aggregator),
    )
    key_flow.check(process.next)
    federation.crossings.clear()
    output = process.next(process.initialize(), data(5, 7))
    check_hidden(federation.crossings)
    assert output.metrics["client_work"]["train"]["loss"] > 0
