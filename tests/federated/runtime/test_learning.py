"""TFF's learning and aggregation libraries, also against TFF's own runtime."""

import collections

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

from federated import runtime
from tests.federated.runtime.cpp_worker import cpp_context

FEATURES = 3
VECTOR = tff.TensorType(np.float32, [4])
STRUCT = tff.to_type(collections.OrderedDict(w=VECTOR, b=np.float32))


def _linear_model():
    """Least squares on [x, y], written without Keras: quick, and easy to redo."""

    @tf.function(autograph=False)
    def predict(weights, x, training=True):
        del training
        (w, b), _ = weights
        return tf.squeeze(x @ w, -1) + b

    @tf.function(autograph=False)
    def loss(output, label, sample_weight=None):
        del sample_weight
        return tf.reduce_mean((output - label) ** 2)

    return tff.learning.models.FunctionalModel(
        initial_weights=(
            (np.zeros([FEATURES, 1], np.float32), np.zeros([], np.float32)),
            (),
        ),
        predict_on_batch_fn=predict,
        loss_fn=loss,
        metrics_fns=(
            lambda: collections.OrderedDict(batches=0.0),
            lambda s, y, o, w=None: collections.OrderedDict(batches=s["batches"] + 1.0),
            lambda s: s,
        ),
        input_spec=(
            tf.TensorSpec([None, FEATURES], tf.float32),
            tf.TensorSpec([None], tf.float32),
        ),
    )


def _keras_model():
    keras.utils.set_random_seed(7)
    model = keras.Sequential(
        [
            keras.layers.Input((8, 8, 1)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    weights = [
        tuple(v.numpy() for v in variables)
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]

    @tf.function(autograph=False)
    def predict(weights, x, training=True):
        return model.stateless_call(weights[0], weights[1], x, training=training)[0]

    @tf.function(autograph=False)
    def loss(output, label, sample_weight=None):
        del sample_weight
        return tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(label, output)
        )

    return tff.learning.models.FunctionalModel(
        initial_weights=tuple(weights),
        predict_on_batch_fn=predict,
        loss_fn=loss,
        metrics_fns=(
            lambda: collections.OrderedDict(correct=0.0, seen=0.0),
            lambda s, y, o, w=None: collections.OrderedDict(
                correct=s["correct"]
                + tf.reduce_sum(
                    tf.cast(
                        # `==` compares identities in the plain graphs of TFF.
                        tf.equal(tf.argmax(o.predictions, -1, tf.int32), y),
                        tf.float32,
                    )
                ),
                seen=s["seen"] + tf.cast(tf.shape(y)[0], tf.float32),
            ),
            lambda s: collections.OrderedDict(accuracy=s["correct"] / s["seen"]),
        ),
        input_spec=(
            tf.TensorSpec([None, 8, 8, 1], tf.float32),
            tf.TensorSpec([None], tf.int32),
        ),
    )


def _images(client, examples):
    rng = np.random.default_rng(client)
    return tf.data.Dataset.from_tensor_slices(
        (
            rng.normal(size=(examples, 8, 8, 1)).astype(np.float32),
            rng.integers(0, 3, examples).astype(np.int32),
        )
    ).batch(4)


def _regression(client, examples):
    rng = np.random.default_rng(client)
    return (
        rng.normal(size=(examples, FEATURES)).astype(np.float32),
        rng.normal(size=examples).astype(np.float32),
    )


@pytest.fixture
def context():
    context = runtime.InProcessContext()
    with tff.framework.get_context_stack().install(context):
        yield context


@pytest.mark.slow
def test_federated_averaging_is_the_textbook_formula(context):
    process = tff.learning.algorithms.build_weighted_fed_avg(
        _linear_model(),
        client_optimizer_fn=tff.learning.optimizers.build_sgdm(0.1),
        server_optimizer_fn=tff.learning.optimizers.build_sgdm(1.0),
    )
    sizes = [2, 6, 4]
    data = [_regression(client, size) for client, size in enumerate(sizes)]
    datasets = [tf.data.Dataset.from_tensor_slices(d).batch(2) for d in data]
    state = process.initialize()
    w, b = np.zeros([FEATURES], np.float64), 0.0
    imports = []
    for _ in range(3):
        output = process.next(state, datasets)
        imports.append((context.import_count, context.compile_count))
        state = output.state
        locals_ = []
        for x, y in data:
            local_w, local_b = w.copy(), b
            for start in range(0, len(y), 2):
                error = x[start : start + 2] @ local_w + local_b - y[start : start + 2]
                local_w -= 0.1 * 2 * error @ x[start : start + 2] / 2
                local_b -= 0.1 * 2 * error.mean()
            locals_.append((local_w, local_b))
        w = np.average([local[0] for local in locals_], axis=0, weights=sizes)
        b = np.average([local[1] for local in locals_], weights=sizes)
    assert len(set(imports)) == 1, "nothing is imported after the first round"
    found = process.get_model_weights(state).trainable
    np.testing.assert_allclose(np.ravel(found[0]), w, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[1], b, rtol=1e-4, atol=1e-6)
    assert output.metrics["client_work"]["train"]["batches"] == 6.0
    assert isinstance(output.metrics, collections.OrderedDict)


@pytest.mark.slow
def test_training_with_a_keras_model_learns(context):
    process = tff.learning.algorithms.build_weighted_fed_avg(
        _keras_model(),
        client_optimizer_fn=tff.learning.optimizers.build_sgdm(0.05, momentum=0.9),
    )
    data = [_images(client, 12) for client in range(2)]
    state, losses = process.initialize(), []
    evaluation = tff.learning.algorithms.build_fed_eval(_keras_model())
    evaluation_state = evaluation.initialize()
    for _ in range(4):
        evaluation_state = evaluation.set_model_weights(
            evaluation_state, process.get_model_weights(state)
        )
        metrics = evaluation.next(evaluation_state, data).metrics
        losses.append(
            metrics["client_work"]["eval"]["current_round_metrics"]["accuracy"]
        )
        state = process.next(state, data).state
    assert losses[-1] > losses[0]


def test_aggregators_against_numpy(context):
    values = [np.float32([3, 4, 0, 0]), np.float32([0, 0, 6, 8])]
    mean = tff.aggregators.MeanFactory().create(VECTOR, tff.TensorType(np.float32))
    output = mean.next(mean.initialize(), values, [1.0, 3.0])
    np.testing.assert_allclose(output.result, [0.75, 1.0, 4.5, 6.0])

    clipped = tff.aggregators.clipping_factory(
        5.0, tff.aggregators.SumFactory()
    ).create(VECTOR)
    output = clipped.next(clipped.initialize(), values)
    np.testing.assert_allclose(output.result, [3, 4, 3, 4], rtol=1e-6)
    assert output.measurements["clipped_count"] == 1

    secure = tff.aggregators.SecureSumFactory(8.0, -8.0).create(VECTOR)
    output = secure.next(secure.initialize(), values)
    np.testing.assert_allclose(output.result, [3, 4, 6, 8], atol=1e-5)


def _aggregations():
    """(name, process, arguments after the state, tolerance) of TFF's aggregators."""
    agg, learn = tff.aggregators, tff.learning
    rng = np.random.default_rng(3)
    structs = [
        collections.OrderedDict(
            w=rng.normal(size=4).astype(np.float32), b=np.float32(rng.normal())
        )
        for _ in range(4)
    ]
    weights = [1.0, 2.0, 3.0, 4.0]
    dp = agg.DifferentiallyPrivateFactory
    quantile = agg.PrivateQuantileEstimationProcess.no_noise(1.0, 0.5, 0.2)
    unweighted = {
        "unweighted mean": (agg.UnweightedMeanFactory(), 1e-5),
        "fixed clipping": (agg.clipping_factory(1.0, agg.SumFactory()), 1e-5),
        "adaptive clipping": (agg.clipping_factory(quantile, agg.SumFactory()), 1e-5),
        "zeroing": (agg.zeroing_factory(1.5, agg.SumFactory()), 1e-5),
        "secure sum": (agg.SecureSumFactory(4.0, -4.0), 1e-4),
        "adaptive secure sum": (agg.SecureSumFactory(quantile), 1e-4),
        "noiseless fixed dp": (dp.gaussian_fixed(0.0, 4.0, 1.0), 1e-5),
        "noiseless adaptive dp": (
            dp.gaussian_adaptive(1e-9, 1e6, clipped_count_stddev=1e-9), 1e-3,
        ),
        "hadamard": (
            agg.HadamardTransformFactory(agg.SumFactory()), 1e-4,
        ),
    }  # fmt: skip
    weighted = {
        "weighted mean": (agg.MeanFactory(), 1e-5),
        "robust": (learn.robust_aggregator(), 1e-5),
        "secure": (learn.secure_aggregator(), 1e-3),
        "compression": (learn.compression_aggregator(), 5e-1),
    }
    for name, (factory, tolerance) in unweighted.items():
        yield name, factory.create(STRUCT), (structs,), tolerance
    for name, (factory, tolerance) in weighted.items():
        process = factory.create(STRUCT, tff.TensorType(np.float32))
        yield name, process, (structs, weights), tolerance
    # The clipped count is noisy: a different clipping norm in each run.
    yield "dp", learn.dp_aggregator(1e-9, 4.0).create(STRUCT), (structs,), 0.5


def _learning_processes():
    """(name, process) of TFF's algorithms."""
    optimizers = tff.learning.optimizers
    yield (
        "fed avg, sgdm",
        tff.learning.algorithms.build_weighted_fed_avg(
            _keras_model(),
            client_optimizer_fn=optimizers.build_sgdm(0.05, momentum=0.9),
            server_optimizer_fn=optimizers.build_sgdm(1.0, momentum=0.5),
        ),
    )
    yield (
        "fed avg, adam, robust",
        tff.learning.algorithms.build_weighted_fed_avg(
            _keras_model(),
            client_optimizer_fn=optimizers.build_adam(0.01),
            server_optimizer_fn=optimizers.build_adam(0.1),
            model_aggregator=tff.learning.robust_aggregator(),
        ),
    )
    yield (
        "fed prox",
        tff.learning.algorithms.build_weighted_fed_prox(
            _keras_model(),
            proximal_strength=0.5,
            client_optimizer_fn=optimizers.build_sgdm(0.05),
        ),
    )


def _assert_close(found, expected, tolerance):
    """Equal structures and container types, and values within a tolerance."""
    assert type(found) is type(expected)
    tf.nest.assert_same_structure(found, expected)
    for one, other in zip(
        tf.nest.flatten(found), tf.nest.flatten(expected), strict=True
    ):
        assert np.asarray(one).dtype == np.asarray(other).dtype
        if np.issubdtype(np.asarray(one).dtype, np.floating):
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.slow
def test_aggregators_as_in_the_cpp_runtime():
    ours = runtime.InProcessContext()
    stack = tff.framework.get_context_stack()
    with cpp_context() as theirs:
        for name, process, arguments, tolerance in _aggregations():
            print(name)
            outputs = []
            for context in (ours, theirs):
                with stack.install(context):
                    state = process.initialize()
                    for _ in range(2):
                        output = process.next(state, *arguments)
                        state = output.state
                    outputs.append((output.result, output.measurements))
            _assert_close(*outputs, tolerance)


@pytest.mark.slow
@pytest.mark.long
def test_learning_as_in_the_cpp_runtime():
    ours = runtime.InProcessContext()
    stack = tff.framework.get_context_stack()
    data = [_images(client, 4 + 4 * client) for client in range(3)]
    evaluation = tff.learning.algorithms.build_fed_eval(_keras_model())
    with cpp_context() as theirs:
        for name, process in _learning_processes():
            print(name)
            results = []
            for context in (ours, theirs):
                with stack.install(context):
                    state = process.initialize()
                    for _ in range(3):
                        output = process.next(state, data)
                        state = output.state
                    weights = process.get_model_weights(state)
                    evaluated = evaluation.next(
                        evaluation.set_model_weights(evaluation.initialize(), weights),
                        data,
                    )
                    results.append(
                        (
                            weights.trainable,
                            output.metrics["client_work"],
                            evaluated.metrics["client_work"],
                        )
                    )
            _assert_close(*results, 2e-3)


@pytest.mark.slow
def test_distributed_differential_privacy_has_the_right_types(context):
    process = tff.learning.ddp_secure_aggregator(1e-3, 4).create(STRUCT)
    value = collections.OrderedDict(w=np.ones(4, np.float32), b=np.float32(1))
    output = process.next(process.initialize(), [value] * 4)
    assert list(output.result) == ["w", "b"]
    assert output.result["w"].shape == (4,)
    assert output.result["w"].dtype == np.float32
    assert np.all(np.isfinite(output.result["w"]))
