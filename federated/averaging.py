"""Federated averaging that averages a model's statistics as well as its weights.

McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized
Data", AISTATS 2017, algorithm 1. TFF's own builders do the same for the weights; their
clients return no change of the statistics of batch normalisation, which therefore stay
what they were at the start.
"""

import collections
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from federated import aggregators, metric_sums
from federated.round import wiring

ModelFn = Callable[[], tff.learning.models.VariableModel]


def build_weighted_fed_avg(
    model_fn: ModelFn,
    client_optimizer_fn: tff.learning.optimizers.Optimizer,
    server_optimizer_fn: tff.learning.optimizers.Optimizer | None = None,
    *,
    client_weighting: tff.learning.ClientWeighting = (
        tff.learning.ClientWeighting.NUM_EXAMPLES
    ),
    model_aggregator: tff.aggregators.WeightedAggregationFactory | None = None,
    metrics_aggregator: (
        aggregators.SelectiveEncryption
        | tff.aggregators.WeightedAggregationFactory
        | Callable[..., tff.Computation]
        | None
    ) = None,
) -> tff.learning.templates.LearningProcess:
    """Builds federated averaging of weights and statistics.

    As `tff.learning.algorithms.build_weighted_fed_avg`, whose results it has for a model
    without statistics. The changes of the statistics are one more part of what clients
    send: the aggregator encrypts them like weights.

    Args:
      model_fn: Of `federated.tff_model`. Its model's variables must be dictionaries.
      client_optimizer_fn: The clients' optimiser.
      server_optimizer_fn: The server's; plain averaging by default. Statistics are
        averaged whatever it is.
      client_weighting: What a client counts.
      model_aggregator: `federated.selective_encryption(...)`, for example; TFF's
        unencrypted mean by default.
      metrics_aggregator: Sums and finalises metrics: what
        `federated.selective_encryption` returned, to encrypt them under its key, or a
        function as TFF's builders take it. By default they are encrypted where
        `model_aggregator` is one of `federated.selective_encryption`, under the same
        key, and summed in the clear where it is something else; if that has encryption
        inside, pass the encryption here by itself.

    Returns:
      A learning process with TFF's state and metrics.

    Raises:
      TypeError: If `model_fn` or an optimiser is something else.
    """
    _check(model_fn, client_optimizer_fn)
    server = server_optimizer_fn or tff.learning.optimizers.build_sgdm(1.0)

    @tff.tensorflow.computation
    def initial_weights() -> Any:
        return tff.learning.models.ModelWeights.from_model(model_fn())

    weights_type = initial_weights.type_signature.result
    update_type = tff.types.to_type(
        collections.OrderedDict(
            (*_items(weights_type.trainable), *_items(weights_type.non_trainable))
        )
    )
    factory = model_aggregator or tff.aggregators.MeanFactory()
    return tff.learning.templates.compose_learning_process(
        initial_weights,
        tff.learning.templates.build_broadcast_process(weights_type),
        _client_work(
            _Training(model_fn, client_optimizer_fn, client_weighting),
            weights_type,
            _metrics(model_fn, metrics_aggregator, factory),
        ),
        factory.create(update_type, tff.TensorType(np.float32)),
        _finalizer(server, weights_type, update_type),
    )


class _Training(NamedTuple):
    """What a client does: with which model, by which optimiser, and what it counts."""

    model_fn: ModelFn
    optimizer: tff.learning.optimizers.Optimizer
    weighting: tff.learning.ClientWeighting


def _metrics(
    model_fn: ModelFn,
    given: Any,
    factory: tff.aggregators.WeightedAggregationFactory,
) -> Callable[[tff.Value, tff.Value], tff.Value]:
    """`(number of the round@SERVER, metrics@CLIENTS) -> metrics@SERVER`, wired."""
    with tf.Graph().as_default():
        finalizers = model_fn().metric_finalizers()
    encryption = aggregators.encryption_of(factory if given is None else given)
    if encryption is not None:
        parts = encryption
        return lambda number, sums: metric_sums.finalize(
            finalizers, metric_sums.encrypted_sums(sums, parts, number)
        )
    aggregate = (given or tff.learning.metrics.sum_then_finalize)(finalizers)
    return lambda number, sums: aggregate(sums)


def _client_work(
    training: _Training,
    weights_type: tff.Type,
    metrics: Callable[[tff.Value, tff.Value], tff.Value],
) -> tff.learning.templates.ClientWorkProcess:
    """Local training: the change of every variable, and what it weighs."""
    with tf.Graph().as_default():
        input_spec = training.model_fn().input_spec
    data_type = tff.SequenceType(tff.types.tensorflow_to_type(input_spec))

    @tff.tensorflow.computation(weights_type, data_type)
    def train(initial: Any, data: Any) -> Any:
        # Whoever times a round finds the graph by this name.
        with tf.name_scope("train"):
            return _train(
                training.model_fn(),
                training.optimizer,
                training.weighting,
                initial,
                data,
            )

    @tff.federated_computation
    def init_fn() -> Any:
        return tff.federated_value(np.int64(0), tff.SERVER)

    @tff.federated_computation(
        init_fn.type_signature.result,
        tff.FederatedType(weights_type, tff.CLIENTS),
        tff.FederatedType(data_type, tff.CLIENTS),
    )
    def next_fn(state: Any, weights: Any, data: Any) -> Any:
        result, sums = tff.federated_map(train, (weights, data))
        measured = tff.federated_zip(
            collections.OrderedDict(train=metrics(state, sums))
        )
        next_state = wiring.apply(lambda number: number + 1, state)
        return tff.templates.MeasuredProcessOutput(next_state, result, measured)

    return tff.learning.templates.ClientWorkProcess(init_fn, next_fn)


def _train(
    model: tff.learning.models.VariableModel,
    optimizer: tff.learning.optimizers.Optimizer,
    weighting: tff.learning.ClientWeighting,
    initial: Any,
    data: tf.data.Dataset,
) -> Any:
    """One client's pass over its data."""
    weights, statistics = model.trainable_variables, model.non_trainable_variables

    @tf.function(autograph=False)
    def run(initial: Any, data: tf.data.Dataset) -> Any:
        for variables, values in (
            (weights, initial.trainable),
            (statistics, initial.non_trainable),
        ):
            for key, variable in variables.items():
                variable.assign(values[key])
        listed = tuple(weights.values())

        def step(carried: Any, batch: Any) -> Any:
            examples, state = carried
            with tf.GradientTape() as tape:
                output = model.forward_pass(batch, training=True)
            gradients = tape.gradient(
                output.loss, listed, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            state, moved = optimizer.next(
                state, tuple(v.read_value() for v in listed), tuple(gradients)
            )
            for variable, value in zip(listed, moved, strict=True):
                variable.assign(value)
            return examples + tf.cast(output.num_examples, tf.int64), state

        specs = tuple(tf.TensorSpec(v.shape, v.dtype) for v in listed)
        examples, _ = _over(
            data, (tf.constant(0, tf.int64), optimizer.initialize(specs)), step
        )
        update = collections.OrderedDict(
            (key, before - variables[key].read_value())
            for variables, values in (
                (weights, initial.trainable),
                (statistics, initial.non_trainable),
            )
            for key, before in values.items()
        )
        finite = tf.reduce_all(
            [tf.reduce_all(tf.math.is_finite(part)) for part in update.values()]
        )
        # As TFF: a client whose training diverged counts for nothing.
        update = collections.OrderedDict(
            (key, tf.where(finite, part, tf.zeros_like(part)))
            for key, part in update.items()
        )
        uniform = weighting is tff.learning.ClientWeighting.UNIFORM
        weight = tf.constant(1.0) if uniform else tf.cast(examples, tf.float32)
        sums = tf.cond(
            finite, model.report_local_unfinalized_metrics, lambda: _none(model)
        )
        return update, tf.where(finite, weight, 0.0), sums

    update, weight, sums = run(initial, data)
    return tff.learning.templates.ClientResult(update, weight), sums


@tf.function
def _over(data: tf.data.Dataset, carried: Any, step: Callable[[Any, Any], Any]) -> Any:
    """`data.reduce(carried, step)`, which is far slower where there are few steps.

    AutoGraph makes one loop of the graph of it, as in TFF's `DATASET_ITERATOR`.
    """
    for batch in iter(data):
        carried = step(carried, batch)
    return carried


def _none(model: tff.learning.models.VariableModel) -> Any:
    model.reset_metrics()
    return model.report_local_unfinalized_metrics()


def _finalizer(
    optimizer: tff.learning.optimizers.Optimizer,
    weights_type: tff.Type,
    update_type: tff.Type,
) -> tff.learning.templates.FinalizerProcess:
    """The server's step: the optimiser moves weights, statistics become their mean."""
    keys = [key for key, _ in _items(weights_type.trainable)]
    shapes = tuple(
        tf.TensorSpec(part.shape, part.dtype)
        for _, part in _items(weights_type.trainable)
    )

    @tff.tensorflow.computation
    def initialize() -> Any:
        return optimizer.initialize(shapes)

    @tff.tensorflow.computation(
        initialize.type_signature.result, weights_type, update_type
    )
    def move(state: Any, weights: Any, update: Any) -> Any:
        state, moved = optimizer.next(
            state,
            tuple(weights.trainable[key] for key in keys),
            tuple(update[key] for key in keys),
        )
        statistics = collections.OrderedDict(
            (key, value - update[key]) for key, value in weights.non_trainable.items()
        )
        named = collections.OrderedDict(zip(keys, moved, strict=True))
        return state, tff.learning.models.ModelWeights(named, statistics)

    @tff.federated_computation
    def init_fn() -> Any:
        return tff.federated_eval(initialize, tff.SERVER)

    @tff.federated_computation(
        init_fn.type_signature.result,
        tff.FederatedType(weights_type, tff.SERVER),
        tff.FederatedType(update_type, tff.SERVER),
    )
    def next_fn(state: Any, weights: Any, update: Any) -> Any:
        state, moved = tff.federated_map(move, (state, weights, update))
        return tff.templates.MeasuredProcessOutput(
            state, moved, tff.federated_value((), tff.SERVER)
        )

    return tff.learning.templates.FinalizerProcess(init_fn, next_fn)


def _items(struct_type: Any) -> list[tuple[str, Any]]:
    """Names and types of the parts of a TFF structure."""
    return list(tff.structure.iter_elements(struct_type))


def _check(model_fn: Any, optimizer: Any) -> None:
    if not callable(model_fn):
        raise TypeError(
            "`model_fn` must be what `federated.tff_model` returns, got "
            f"{type(model_fn).__name__}. Write federated.tff_model(keras_model)."
        )
    if not isinstance(optimizer, tff.learning.optimizers.Optimizer):
        raise TypeError(
            "`client_optimizer_fn` must be an optimiser of tff.learning.optimizers, got "
            f"{type(optimizer).__name__}. For example tff.learning.optimizers.build_sgdm."
        )
