"""The compiled objective of gradient matching, made once for a model.

Target, entry weights, model weights and labels are inputs of the compiled functions,
so that every mask, encryption ratio, picture and seed of a study runs the same trace.
Only another batch size (or division into groups, number of observations, rounds or
local steps) traces again.

What a server sees is linear in the clients' gradients, so one form covers it all:

    candidate pictures --> gradient of each group, q_1 ... q_k   (one column a client)
    observation o  =  sum_g shares[o, g] q_g  on the entries that it shows
        one message:   shares [1]             its visible entries
        the aggregate: the clients' shares    all entries
        a cohort:      [I; the shares]        visible parts; the sum's hidden part
    several rounds: the mean of the rounds' relative errors, each at its own weights

The functions run as plain graphs unless asked otherwise: XLA refuses the second
derivative of max-pooling, and takes seconds to compile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import tensorflow as tf

from attacks.matching import objectives, patches
from selenc_tf import flatten
from selenc_tf.models import functional, local_steps
from selenc_tf.types import Vector, Weights

if TYPE_CHECKING:
    from selenc_tf.models.local_steps import LocalTraining
    from selenc_tf.models.objectives import Kind

Evaluation: TypeAlias = tuple[tf.Tensor, tf.Tensor]
"""Objective value (scalar) and its gradients, by image and, if asked, by logits."""


class Observed(NamedTuple):
    """The part of a round's objective that a candidate does not change.

    Attributes:
      weights: The model weights of the round, in the matching's dtype.
      target: [n], the observed gradient, zero where hidden; or [o, n], one row for each
        observation.
      entry_weights: Of the target's shape, see `objectives.normalised_weights`.
      shares: [groups], the weights of the groups' mean gradients; [o, groups] where the
        target has rows.
    """

    weights: Weights
    target: Vector
    entry_weights: Vector
    shares: tf.Tensor


Rounds: TypeAlias = Observed | tuple[Observed, ...]
"""One round, or several in which the clients had the same pictures."""


class Matching(NamedTuple):
    """A model's objective with its gradient, for known and for unknown labels.

    Attributes:
      model: The model as the attacker evaluates it.
      spec: The layout of its gradient.
      dtype: Of everything that is passed in and comes out.
      known_labels: `(rounds, sizes, images, labels, training=None) -> value, d value /
        d images`, with `labels` as `as_targets` and `training` the local steps.
      unknown_labels: `(rounds, sizes, images, logits, training=None) -> value, (d value
        / d images, d value / d logits)`: the candidate labels are
        `soft_labels` of the logits (DLG: their softmax).
      hypotheses: `(rounds, sizes, images [t, b, h, w, c], labels [t, b, c],
        training=None) -> values [t], slopes [t, b, h, w, c]`: independent trials of one
        target in one program, such as several hypotheses of its classes.
      trace_count: How often `known_labels` and `unknown_labels` were traced together.
    """

    model: functional.FunctionalModel
    spec: flatten.FlatSpec
    dtype: tf.DType
    known_labels: Callable[..., tuple[tf.Tensor, tf.Tensor]]
    unknown_labels: Callable[..., tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]]
    hypotheses: Callable[..., tuple[tf.Tensor, tf.Tensor]]
    trace_count: Callable[[], int]


def as_targets(
    model: functional.FunctionalModel, labels: Any, dtype: tf.DType
) -> tf.Tensor:
    """Labels as the numbers that `FunctionalModel.losses` takes.

    Args:
      model: For what it learns.
      labels: Classes [..., b], or numbers [..., b, num_classes].
      dtype: Of the result.

    Returns:
      [..., b, num_classes], classes one-hot.
    """
    if model.kind == "classes":
        return tf.one_hot(labels, model.num_classes, dtype=dtype)
    return tf.constant(labels, dtype)


def soft_labels(kind: Kind, free: Any) -> tf.Tensor:
    """Labels that a search is free to choose, as a function of unbounded numbers.

    Args:
      kind: What is learned: probabilities of classes by softmax (DLG), of events by
        sigmoid, or values themselves.
      free: [b, num_classes].

    Returns:
      Of that shape.
    """
    if kind == "classes":
        return tf.nn.softmax(free)
    return tf.nn.sigmoid(free) if kind == "binary" else tf.convert_to_tensor(free)


def group_gradient(
    model: functional.FunctionalModel,
    observed: Observed,
    sizes: tuple[int, ...],
    images: tf.Tensor,
    labels: tf.Tensor,
    training: LocalTraining | None = None,
) -> Vector:
    """What would be observed of clients of these pictures.

    Args:
      model: The attacker's model.
      observed: For its weights and shares.
      sizes: The pictures of each group; their sum is b.
      images: [b, h, w, c].
      labels: [b, num_classes], see `as_targets`.
      training: How each group makes its message; None for one gradient.

    Returns:
      The shares' weighted sums of the groups' messages: [n], or [o, n].
    """
    parts = zip(tf.split(images, sizes), tf.split(labels, sizes), strict=True)
    gradients = [
        local_steps.update(model, observed.weights, *part, training) for part in parts
    ]
    return shared_sum(gradients, observed.shares)


def shared_sum(gradients: Sequence[Vector], shares: tf.Tensor) -> Vector:
    """What a server sees of groups' messages.

    Args:
      gradients: [n] of each group.
      shares: [groups], or [o, groups].

    Returns:
      The shares' weighted sums: [n], or [o, n].
    """
    several = shares.shape.rank == 2
    if len(gradients) == 1 and not several:
        return gradients[0]
    if several:
        return tf.matmul(shares, tf.stack(gradients))
    return tf.linalg.matvec(tf.stack(gradients, axis=1), shares)


def build_matching(
    model: functional.FunctionalModel,
    *,
    float64: bool = True,
    jit_compile: bool = False,
) -> Matching:
    """Compiles the matching objective of a model.

    Runs on: attacker.

    Args:
      model: The architecture.
      float64: Whether to compute in float64: float32 arithmetic cannot reach the
        tolerance of `lbfgs.Budget`. False keeps the model's own dtype: faster for large
        models, and the way out for layers that cannot be rebuilt.
      jit_compile: Whether to compile with XLA; in float64, convolutions then multiply
        patches (`patches.py`). It takes seconds for each trace, so it pays where many
        gradients are attacked, and many trials at once.

    Returns:
      The functions; they are traced at their first call.
    """
    surrogate = functional.in_float64(model) if float64 else model
    if float64 and jit_compile:
        patches.use_patches(surrogate.keras_model)

    def error(
        rounds: Rounds,
        sizes: tuple[int, ...],
        images: tf.Tensor,
        labels: tf.Tensor,
        training: LocalTraining | None,
    ) -> tf.Tensor:
        errors = [
            objectives.squared_error(
                group_gradient(surrogate, observed, sizes, images, labels, training),
                observed.target,
                observed.entry_weights,
            )
            for observed in _all_rounds(rounds)
        ]
        return errors[0] if len(errors) == 1 else tf.add_n(errors) / len(errors)

    @tf.function(jit_compile=jit_compile, autograph=False)
    def known_labels(
        rounds: Rounds,
        sizes: tuple[int, ...],
        images: tf.Tensor,
        labels: tf.Tensor,
        training: LocalTraining | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            value = error(rounds, sizes, images, labels, training)
        return value, tape.gradient(
            value, images, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )

    @tf.function(jit_compile=jit_compile, autograph=False)
    def unknown_labels(
        rounds: Rounds,
        sizes: tuple[int, ...],
        images: tf.Tensor,
        logits: tf.Tensor,
        training: LocalTraining | None = None,
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch((images, logits))
            value = error(
                rounds, sizes, images, soft_labels(model.kind, logits), training
            )
        return value, tape.gradient(
            value,
            (images, logits),
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )

    # Trials share nothing but the model's weights, and a batched product of matrices
    # that are this small is slower than one after the other. So the program holds each
    # trial by itself, its vectors fit into the cache, and the executor runs them in
    # parallel.
    @tf.function(autograph=False)
    def hypotheses(
        rounds: Rounds,
        sizes: tuple[int, ...],
        images: tf.Tensor,
        labels: tf.Tensor,
        training: LocalTraining | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        own = zip(tf.unstack(images), tf.unstack(labels), strict=True)
        return _stacked(
            known_labels(rounds, sizes, pictures, classes, training)
            for pictures, classes in own
        )

    def trace_count() -> int:
        return int(
            known_labels.experimental_get_tracing_count()
            + unknown_labels.experimental_get_tracing_count()
        )

    return Matching(
        model=surrogate,
        spec=surrogate.spec,
        dtype=surrogate.initial_weights[0].dtype,
        known_labels=known_labels,
        unknown_labels=unknown_labels,
        hypotheses=hypotheses,
        trace_count=trace_count,
    )


def _stacked(
    found: Iterable[tuple[tf.Tensor, tf.Tensor]],
) -> tuple[tf.Tensor, tf.Tensor]:
    values, slopes = zip(*found, strict=True)
    return tf.stack(values), tf.stack(slopes)


def _all_rounds(rounds: Rounds) -> tuple[Observed, ...]:
    return (rounds,) if isinstance(rounds, Observed) else rounds
