"""What only a trace of a Keras model shows: its outputs, its state, what it reads."""

import dataclasses
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

import keras
import tensorflow as tf

from selenc_tf.models.twice_differentiable import held, whole_moments

Scale: TypeAlias = Literal["softmax", "sigmoid", "linear"]
"""What an output's numbers are: probabilities of classes, of single events, or logits
and everything else."""

_PASSED = ("Identity", "Reshape", "Cast", "Squeeze", "ExpandDims", "StopGradient")
"""Operations behind a softmax or sigmoid after which it is still one."""

_RANDOM = (
    "Multinomial",
    "ParameterizedTruncatedNormal",
    "RandomGamma",
    "RandomPoissonV2",
    "RandomShuffle",
    "RandomStandardNormal",
    "RandomUniform",
    "RandomUniformInt",
    "TruncatedNormal",
)
"""TensorFlow's random operations without a seed that is passed in."""


@dataclasses.dataclass(frozen=True)
class Output:
    """One output tensor.

    Attributes:
      shape: With the batch axis; None where a size is open.
      dtype: Its name.
      scale: What its numbers are.
    """

    shape: tuple[int | None, ...]
    dtype: str
    scale: Scale


class Trace(NamedTuple):
    """What a call in training mode does.

    Attributes:
      outputs: An `Output` for each output, in the model's nesting.
      updated: Whether each non-trainable variable gets a new value.
      penalties: How many losses of its own the model adds.
      assigned: Paths of trainable variables that the call itself gives new values.
      without_gradient: Paths of trainable variables that are used, but that nothing can
        be differentiated by.
      unused: Paths of trainable variables that nothing reads.
      foreign: Scopes of what reads a variable that is not the model's.
      random: Scopes of random operations without a seed.
      held: Scopes of what depends on inputs and is held constant by `tf.stop_gradient`.
    """

    outputs: Any
    updated: tuple[bool, ...]
    penalties: int
    assigned: tuple[str, ...]
    without_gradient: tuple[str, ...]
    unused: tuple[str, ...]
    foreign: tuple[str, ...]
    random: tuple[str, ...]
    held: tuple[str, ...]


def trace(model: keras.Model, inputs: Any) -> Trace:
    """Traces a model without running it.

    Args:
      model: A built model.
      inputs: Nested `tf.TensorSpec`s.

    Returns:
      What the trace shows.
    """
    weights, frozen = model.trainable_variables, model.non_trainable_variables
    seen: dict[str, Any] = {}

    def call(trainable: list[tf.Tensor], others: list[tf.Tensor], x: Any) -> None:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(trainable)
            given = [*zip(weights, trainable, strict=True)]
            given += zip(frozen, others, strict=True)
            in_scope = keras.StatelessScope(given, collect_losses=True)
            with in_scope as scope, whole_moments():
                outputs = model(x, **mode(model, training=True))
                penalties = model.losses
            after = [scope.get_current_value(one) for one in frozen]
            assigned = [
                one.path
                for one, value in zip(weights, trainable, strict=True)
                if scope.get_current_value(one) is not value
            ]
            total = tf.add_n(
                [
                    tf.reduce_sum(tf.cast(one, tf.float32))
                    for one in [*tf.nest.flatten(outputs), *penalties]
                    if one.dtype.is_floating
                ]
                or [tf.constant(0.0)]
            )
        # Before the gradient, which has operations of its own.
        graph = tf.compat.v1.get_default_graph()
        seen.update(
            held=tuple(held(graph, tf.nest.flatten(x))),
            outputs=tf.nest.map_structure(_output, outputs),
            updated=tuple(a is not b for a, b in zip(after, others, strict=True)),
            penalties=len(penalties),
            assigned=tuple(assigned),
            read=[bool(one.consumers()) for one in trainable],
            slopes=tape.gradient(total, trainable),
        )

    graph = (
        tf.function(call, autograph=False)
        .get_concrete_function(
            [_spec(one) for one in weights], [_spec(one) for one in frozen], inputs
        )
        .graph
    )
    told = [
        (variable.path, read, slope is not None)
        for variable, read, slope in zip(
            weights, seen["read"], seen["slopes"], strict=True
        )
    ]
    return Trace(
        outputs=seen["outputs"],
        updated=seen["updated"],
        penalties=seen["penalties"],
        assigned=seen["assigned"],
        without_gradient=tuple(path for path, read, has in told if read and not has),
        unused=tuple(path for path, read, _ in told if not read),
        foreign=tuple(_foreign(graph)),
        random=tuple(op.name for op in graph.get_operations() if op.type in _RANDOM),
        held=seen["held"],
    )


def mode(model: keras.Model, *, training: bool) -> dict[str, bool]:
    """The keyword of a call's mode; as in Keras' `fit`, none if a model takes none."""
    return {"training": training} if model._call_has_training_arg else {}


def _spec(variable: Any) -> tf.TensorSpec:
    return tf.TensorSpec(variable.shape, variable.dtype)


def _output(tensor: tf.Tensor) -> Output:
    operation = tensor.op
    while operation.type in _PASSED and operation.inputs:
        operation = operation.inputs[0].op
    scales: dict[str, Scale] = {"Softmax": "softmax", "Sigmoid": "sigmoid"}
    return Output(
        tuple(tensor.shape), tensor.dtype.name, scales.get(operation.type, "linear")
    )


def _foreign(graph: Any) -> Iterator[str]:
    """Who reads variables that were not passed in."""
    for _, placeholder in graph.captures:
        if placeholder.dtype == tf.resource:
            yield from (consumer.name for consumer in placeholder.consumers())
