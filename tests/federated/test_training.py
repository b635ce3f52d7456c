"""Any Keras model in TFF, against plain Keras averaging it by hand."""

import collections
import warnings

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

import federated
from selenc_tf.lattice import scales
from tests.selenc_tf.models import architectures
from tests.selenc_tf.models.architectures import ARCHITECTURES

ROUNDS = 2
EXACT = [name for name, one in ARCHITECTURES.items() if not one.random]
STOCK = tff.learning.algorithms.build_weighted_fed_avg
SGD = tff.learning.optimizers.build_sgdm


def model_fn(name, **options):
    one = ARCHITECTURES[name]
    spec = None if one.says else data_of(name)[0].element_spec
    return federated.tff_model(
        architectures.build(name), one.loss, input_spec=spec, **options
    )


def data_of(name):
    return [
        tf.data.Dataset.from_tensor_slices(client).batch(architectures.BATCH)
        for client in architectures.clients(name)
    ]


def encryption(**options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return federated.selective_encryption(max_clients=2, **options)


def trained(build, name, aggregator=None, rounds=ROUNDS):
    process = build(
        model_fn(name),
        client_optimizer_fn=SGD(architectures.RATE),
        server_optimizer_fn=SGD(1.0),
        model_aggregator=aggregator,
    )
    state, output = process.initialize(), None
    for _ in range(rounds):
        output = process.next(state, data_of(name))
        state = output.state
    return process.get_model_weights(state), output.metrics


def check(found, expected, atol=2e-6):
    assert len(found) == len(expected)
    for ours, right in zip(found.values(), expected, strict=True):
        np.testing.assert_allclose(ours, right, rtol=1e-5, atol=atol)


FEW = ("batch normalisation", "embedding, LSTM")
"""In the slow tier where all would take minutes; all are in the long one."""


def few(name):
    return [pytest.mark.slow if name in FEW else pytest.mark.long]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=few(name)) for name in EXACT]
)
def test_tffs_own_builder_averages_as_keras(federation, name):
    weights, metrics = trained(STOCK, name)
    expected, _ = architectures.averaged(name, ROUNDS, statistics=False)
    check(weights.trainable, expected)
    assert np.isfinite(metrics["client_work"]["train"]["loss"])


@pytest.mark.parametrize(
    "name",
    [
        name if name == "batch normalisation" else pytest.param(name, marks=few(name))
        for name in EXACT
    ],
)
def test_our_builder_averages_statistics_too(federation, name):
    weights, _ = trained(federated.build_weighted_fed_avg, name)
    expected, statistics = architectures.averaged(name, ROUNDS, statistics=True)
    check(weights.trainable, expected)
    model = federated.to_keras(weights, architectures.build(name))
    for variable, right in zip(model.non_trainable_variables, statistics, strict=True):
        if not variable.dtype.startswith("uint"):
            np.testing.assert_allclose(variable, right, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "ratio"),
    [
        pytest.param(name, ratio, marks=few(name) if ratio == 0.1 else pytest.mark.long)
        for name in EXACT
        for ratio in (0.0, 0.1, 1.0)
    ],
)
def test_encrypted(federation, name, ratio):
    build = federated.build_weighted_fed_avg
    # A bound that follows may be too small where clients cancelled in the round before.
    bounds = scales.public_bound(200.0)
    weights, metrics = trained(
        build, name, encryption(ratio=ratio, bits=28, scales=bounds)
    )
    expected, _ = architectures.averaged(name, ROUNDS, statistics=True)
    check(weights.trainable, expected, atol=2e-5)
    assert metrics["aggregator"]["saturated"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n, one in ARCHITECTURES.items() if one.random])
def test_every_batch_of_random_layers_draws_its_own(federation, name):
    once, _ = trained(federated.build_weighted_fed_avg, name)
    again, _ = trained(federated.build_weighted_fed_avg, name)
    calm, _ = architectures.averaged(name, 1, statistics=True)
    for one, two in zip(once.trainable.values(), again.trainable.values(), strict=True):
        np.testing.assert_array_equal(one, two)
    other = federated.build_weighted_fed_avg(
        model_fn(name, seed=(9, 9)), client_optimizer_fn=SGD(architectures.RATE)
    )
    state = other.next(other.initialize(), data_of(name)).state
    moved = other.get_model_weights(state).trainable
    assert any(
        np.any(one != two) for one, two in zip(moved.values(), calm, strict=True)
    )


def test_masks_by_name_need_names(federation):
    by_name = encryption(ratio=0.1, hide=["biases"])
    with pytest.raises(ValueError, match="chooses tensors by their names"):
        by_name.create(
            tff.to_type([(np.float32, (3, 2)), (np.float32, (2,))]),
            tff.TensorType(np.float32),
        )


@pytest.mark.slow
@pytest.mark.long
def test_names_come_with_the_model(federation):
    process = federated.build_weighted_fed_avg(
        model_fn("dense"),
        client_optimizer_fn=SGD(0.1),
        model_aggregator=encryption(ratio=0, significance="random", hide=["biases"]),
    )
    output = process.next(process.initialize(), data_of("dense"))
    assert output.metrics["aggregator"]["hidden"] == 7 + 3


@pytest.mark.parametrize("bad", [3, pytest.param(-1, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_labels_out_of_range_fail_the_round_in_a_sentence(federation, bad):
    process = STOCK(model_fn("dense"), client_optimizer_fn=SGD(0.1))
    inputs, labels = architectures.clients("dense")[0]
    labels = labels.copy()
    labels[1] = bad
    data = tf.data.Dataset.from_tensor_slices((inputs, labels)).batch(4)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        process.next(process.initialize(), [data])
    assert caught.value.message.startswith("`labels` must be integers in [0, 3)")


def test_weights_of_another_model(federation):
    values = architectures.build("dense").get_weights()
    weights = tff.learning.models.ModelWeights(values, [])
    with pytest.raises(ValueError, match="must have the trainable weights of"):
        federated.to_keras(weights, architectures.build("convolution"))


@pytest.mark.slow
def test_bounds_count_for_a_weight_of_one(federation):
    """Clients of very different sizes: nothing saturates, and the mean is right."""
    inputs, labels = architectures.numbers(np.random.default_rng(0), 300)
    data = [
        tf.data.Dataset.from_tensor_slices((inputs[part], labels[part])).batch(50)
        for part in (slice(0, 1), slice(1, 300))
    ]
    made = []
    for aggregator in (None, encryption(ratio=1.0, bits=24)):
        process = STOCK(
            model_fn("dense"),
            client_optimizer_fn=SGD(0.1),
            server_optimizer_fn=SGD(1.0),
            model_aggregator=aggregator,
        )
        output = process.next(process.initialize(), data)
        made.append(process.get_model_weights(output.state).trainable)
    assert output.metrics["aggregator"]["saturated"] == 0
    for plain, ours in zip(*[one.values() for one in made], strict=True):
        np.testing.assert_allclose(ours, plain, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ValueError, "`ratio` must be given"),
        ({"ratio": 0.1, "cypher": 1}, TypeError, "has no part 'cypher'"),
        ({"ratio": 0.1, "agreement": 1}, TypeError, "`ratio` would do nothing"),
        ({"bits": 8, "codec": 1, "ratio": 0.1}, TypeError, "`bits` would do nothing"),
        ({"encryption": 1, "bits": 8}, TypeError, "nothing else may be given"),
        (
            {"ratio": 0.1, "significance": "label_sensitivity"},
            ValueError,
            "looks at batch",
        ),
    ],
)
def test_one_line_that_says_too_little(options, error, message):
    with pytest.raises(error, match=message):
        federated.selective_encryption(**options)


def test_a_key_of_this_process_is_announced():
    with pytest.warns(UserWarning, match="In a deployment the key holder"):
        federated.selective_encryption(ratio=0.1, max_clients=2)


@pytest.mark.parametrize("turned", [pytest.param(False, marks=pytest.mark.slow), True])
@pytest.mark.slow
def test_fields_are_taken_by_name(federation, turned):
    """Dictionaries in any order, as plain ones too."""
    order = (lambda one: dict(reversed(one.items()))) if turned else dict
    data = [
        tf.data.Dataset.from_tensor_slices((order(inputs), labels)).batch(4)
        for inputs, labels in architectures.clients("two inputs")
    ]
    process = STOCK(
        model_fn("two inputs"),
        client_optimizer_fn=SGD(architectures.RATE),
        server_optimizer_fn=SGD(1.0),
    )
    state = process.next(process.initialize(), data).state
    expected, _ = architectures.averaged("two inputs", 1, statistics=False)
    check(process.get_model_weights(state).trainable, expected)


@pytest.mark.parametrize(
    "kind", ["mapping", pytest.param("named", marks=pytest.mark.slow), "three"]
)
@pytest.mark.slow
def test_batches_in_other_containers(federation, kind):
    inputs, labels = architectures.clients("dense")[0]
    batches = {
        "mapping": {"x": inputs, "y": labels},
        "named": collections.namedtuple("Batch", ["seen", "told"])(inputs, labels),
        "three": (inputs, labels, labels),
    }
    data = tf.data.Dataset.from_tensor_slices(batches[kind]).batch(4)
    model = architectures.build("dense")
    if kind == "three":
        with pytest.raises(ValueError, match="got a tuple of 3"):
            federated.tff_model(model, input_spec=data.element_spec)
        return
    process = STOCK(
        federated.tff_model(model, input_spec=data.element_spec),
        client_optimizer_fn=SGD(0.1),
    )
    metrics = process.next(process.initialize(), [data]).metrics
    assert 0 < metrics["client_work"]["train"]["loss"] < 10
