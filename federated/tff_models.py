"""A learning task as a model of `tff.learning`."""

import collections
import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
import tensorflow as tf
import tensorflow_federated as tff

from federated import tensor_names
from selenc_tf import eager_tracing
from selenc_tf.models import labels, meters
from selenc_tf.models import task as task_lib
from selenc_tf.models.labels import Rule
from selenc_tf.models.task import LearningTask
from selenc_tf.types import Seed

_SEED = (0, 0)


def tff_model(
    model: keras.Model | LearningTask,
    loss: Any = None,
    *,
    metrics: Any = None,
    input_spec: Any = None,
    training: bool = True,
    seed: Seed = _SEED,
) -> Callable[[], tff.learning.models.VariableModel]:
    """Makes of a Keras 3 model what `tff.learning` takes.

    With TFF's own builders the statistics of batch normalisation stay what they were:
    their clients return changes of weights alone. `federated.build_weighted_fed_avg`
    averages them too. `tff.learning.algorithms.build_fed_sgd` of TFF 0.87.0 adds up
    lists of gradients only, and these have names: for gradients in place of updates
    take `build_weighted_fed_avg` with one batch a client and a server rate.

    Args:
      model: A Keras model, or a learning task made of one.
      loss: The name of a Keras loss, a Keras loss or any function of labels and outputs;
        by default that of a compiled model, or what the outputs suggest.
      metrics: Keras metrics or their names; by default the compiled ones.
      input_spec: `(inputs, labels)` as the clients' data have them
        (`dataset.element_spec`), where model and loss do not say it.
      training: Whether clients train in Keras' training mode (batch statistics,
        dropout) or in inference mode. Evaluation is always in inference mode.
      seed: Of dropout and noise. Each batch draws its own: the seed is mixed with its
        bits and those of the weights.

    Returns:
      A `model_fn` for `tff.learning.algorithms`, e.g. `build_weighted_fed_avg`.

    Raises:
      ValueError: If the model cannot be computed as Keras computes it, with the layer.
    """
    task = (
        model
        if isinstance(model, LearningTask)
        else task_lib.from_keras(
            model, loss, inputs=_spec_of(input_spec, 0), training=training
        )
    )
    measured = meters.of_task(task, metrics)
    spec = _like_batches(
        input_spec,
        _ordered(task.inputs),
        _label_spec(task, _spec_of(input_spec, 1)),
    )

    @functools.cache
    def passes(mode: bool) -> Any:
        one = functools.partial(tf.nest.map_structure, tf.type_spec_from_value)
        return eager_tracing.traced(
            _forward(task, measured, seed, mode),
            one(task.initial_weights),
            one(task.initial_state),
            [one([tf.constant(value) for value in m.initial]) for m in measured],
            *_parts(spec),
        )

    passes(task.training)  # What is wrong shows now, and not in a round.
    return lambda: _TaskModel(task, measured, spec, passes)


class _Pass(NamedTuple):
    """What one batch leaves.

    Attributes:
      loss: A scalar.
      outputs: As the model nests them.
      state: The moving state.
      sums: Of each meter.
      examples: int32.
    """

    loss: tf.Tensor
    outputs: Any
    state: Any
    sums: Any
    examples: tf.Tensor


def _forward(
    task: LearningTask, measured: tuple[meters.Meter, ...], seed: Seed, training: bool
) -> Callable[..., _Pass]:
    """What a model of TFF does with a batch, as a pure function."""

    def forward(weights: Any, state: Any, sums: Any, inputs: Any, known: Any) -> _Pass:
        own = None
        if training and task.places.seeds:
            own = _seed_of(seed, weights, (inputs, known))
        step = task_lib.step(
            task, weights, state, inputs, known, training=training, seed=own
        )
        known = labels.checked(task.objective.rules, known)
        updated = [
            meter.update(list(one), step.loss, known, step.outputs)
            for meter, one in zip(measured, sums, strict=True)
        ]
        return _Pass(step.loss, step.outputs, step.state, updated, meters.count(known))

    return forward


def _seed_of(seed: Seed, weights: Any, batch: Any) -> tf.Tensor:
    """A seed for this batch at these weights, so that no two draw the same."""
    mixed = tf.constant(seed, tf.int32)
    for tensors in (weights, batch):
        bits = tf.add_n([_bits(one) for one in tf.nest.flatten(tensors)])
        mixed = tf.random.experimental.stateless_fold_in(mixed, bits)
    return mixed


class _TaskModel(tff.learning.models.VariableModel):
    """Variables for what the task's functions take and return."""

    def __init__(
        self,
        task: LearningTask,
        measured: tuple[meters.Meter, ...],
        input_spec: Any,
        passes: Callable[[bool], Any],
    ):
        self._task, self._meters, self._spec = task, measured, input_spec
        self._passes = passes
        self._weights = _variables(task.spec.names, task.initial_weights)
        names = task.state_spec.names if task.state_spec else ()
        self._state = _variables(names, task.initial_state)
        self._sums = [
            [tf.Variable(value, trainable=False) for value in meter.initial]
            for meter in measured
        ]

    @property
    def trainable_variables(self) -> Any:
        return self._weights

    @property
    def non_trainable_variables(self) -> Any:
        return self._state

    @property
    def local_variables(self) -> Any:
        return [variable for sums in self._sums for variable in sums]

    @property
    def input_spec(self) -> Any:
        return self._spec

    @tf.function(autograph=False)
    def forward_pass(self, batch_input: Any, training: bool = True) -> Any:
        inputs, known = _parts(batch_input)
        mode = training and self._task.training
        found = self._passes(mode)(
            _values(self._weights),
            tuple(variable.read_value() for variable in self._state.values()),
            [[variable.read_value() for variable in sums] for sums in self._sums],
            inputs,
            known,
        )
        if mode:
            _assign(list(self._state.values()), found.state)
        for variables, sums in zip(self._sums, found.sums, strict=True):
            _assign(variables, sums)
        return tff.learning.models.BatchOutput(
            loss=found.loss, predictions=found.outputs, num_examples=found.examples
        )

    @tf.function(autograph=False)
    def predict_on_batch(self, batch_input: Any, training: bool = True) -> Any:
        if training and self._task.is_random:
            raise ValueError(
                f"`predict_on_batch` of {self._task.name!r} must be called with "
                "training=False: it draws random numbers in training."
            )

        def predict(weights: Any, state: Any, inputs: Any) -> Any:
            mode = training and self._task.training
            run = task_lib.run(self._task, weights, state, inputs, training=mode)
            return run.outputs

        return eager_tracing.isolated(predict)(
            _values(self._weights), _values(self._state), batch_input
        )

    def report_local_unfinalized_metrics(self) -> Any:
        return collections.OrderedDict(
            (meter.name, [variable.read_value() for variable in sums])
            for meter, sums in zip(self._meters, self._sums, strict=True)
        )

    def metric_finalizers(self) -> Any:
        return collections.OrderedDict(
            (meter.name, tf.function(meter.result, autograph=False))
            for meter in self._meters
        )

    def reset_metrics(self) -> None:
        for meter, sums in zip(self._meters, self._sums, strict=True):
            _assign(sums, meter.initial)


def _assign(variables: Any, values: Any) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _variables(names: tuple[str, ...], values: Any) -> Any:
    return collections.OrderedDict(
        (tensor_names.key(index, name), tf.Variable(value.numpy()))
        for index, (name, value) in enumerate(zip(names, values, strict=True))
    )


def _values(variables: Mapping[str, tf.Variable]) -> tuple[tf.Tensor, ...]:
    return tuple(_dense(variable.read_value()) for variable in variables.values())


@tf.custom_gradient
def _dense(tensor: tf.Tensor) -> Any:
    """The tensor; an embedding's gradient by it becomes dense."""
    return tf.identity(tensor), tf.convert_to_tensor


def _bits(tensor: tf.Tensor) -> tf.Tensor:
    """The sum of a tensor's bits as integers, int32, modulo 2^32."""
    if tensor.dtype in (tf.float32, tf.int32, tf.uint32):
        return tf.reduce_sum(tf.bitcast(tensor, tf.int32))
    if tensor.dtype == tf.string:
        tensor = tf.strings.to_hash_bucket_fast(tensor, 2**31 - 1)
    return tf.reduce_sum(tf.cast(tensor, tf.int32))


def _parts(batch: Any) -> tuple[Any, Any]:
    if isinstance(batch, Mapping):
        return batch["x"], batch["y"]
    if len(batch) != 2:
        raise ValueError(
            f"A batch must be (inputs, labels), got a tuple of {len(batch)}. Weights of "
            "examples are not supported: leave them out (`dataset.map`), or put them "
            "into the labels of a loss of your own."
        )
    inputs, known = batch
    return inputs, known


def _like_batches(given: Any, inputs: Any, known: Any) -> Any:
    """The spec of a batch in the container that the clients' data have."""
    if isinstance(given, Mapping):
        return collections.OrderedDict(x=inputs, y=known)
    if hasattr(given, "_fields"):
        return type(given)(inputs, known)
    return inputs, known


def _spec_of(input_spec: Any, which: int) -> Any:
    return None if input_spec is None else _parts(input_spec)[which]


def _ordered(spec: Any) -> Any:
    """Dictionaries as OrderedDicts, which TFF asks for, and lists as tuples."""
    if isinstance(spec, Mapping):
        return collections.OrderedDict(
            (key, _ordered(part)) for key, part in spec.items()
        )
    if isinstance(spec, list | tuple):
        return tuple(_ordered(part) for part in spec)
    return spec


def _label_spec(task: LearningTask, given: Any) -> Any:
    if given is not None:
        return _ordered(given)

    def spec(rule: Any) -> Any:
        if isinstance(rule, Rule):
            if rule.spec is None:
                raise ValueError(
                    f"`input_spec` must be given for {task.name!r}: its loss "
                    f"{task.objective.name!r} does not say what labels it takes. Pass "
                    "the `element_spec` of a client's batched data set."
                )
            return rule.spec
        if isinstance(rule, Mapping):
            return collections.OrderedDict(
                (key, spec(one)) for key, one in rule.items()
            )
        return tuple(spec(one) for one in rule)

    return spec(task.objective.rules)
