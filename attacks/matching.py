"""The compiled objective of gradient matching, made once for a model.

Target, entry weights, model weights and labels are inputs of the compiled functions,
so that every mask, encryption ratio, picture and seed of a study runs the same trace.
Only another batch size (or division into groups) traces again.

The functions run as plain graphs: XLA (`jit_compile=True`) was slower for the LeNet in
float64 on two cores (`docs/methods.md` has the figures), and it refuses the second
derivative of max-pooling.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import tensorflow as tf

from attacks import objectives
from selenc_tf import flatten
from selenc_tf.models import functional
from selenc_tf.types import Vector, Weights

Evaluation: TypeAlias = tuple[tf.Tensor, tf.Tensor]
"""Objective value (scalar) and its gradients, by image and, if asked, by logits."""


class Observed(NamedTuple):
    """The part of the objective that a candidate does not change.

    Attributes:
      weights: The model weights of the round, in the matching's dtype.
      target: [n], the observed gradient, zero where hidden.
      entry_weights: [n], see `objectives.normalised_weights`.
      shares: [groups], the weights of the groups' mean gradients.
    """

    weights: Weights
    target: Vector
    entry_weights: Vector
    shares: tf.Tensor


class Matching(NamedTuple):
    """A model's objective with its gradient, for known and for unknown labels.

    Attributes:
      model: The model as the attacker evaluates it.
      spec: The layout of its gradient.
      dtype: Of everything that is passed in and comes out.
      known_labels: `(observed, sizes, images, labels) -> value, d value / d images`,
        with `labels` [b, c] one-hot.
      unknown_labels: `(observed, sizes, images, logits) -> value, (d value / d images,
        d value / d logits)`: the candidate labels are softmax(logits) (DLG).
      trace_count: How often the two were traced together.
    """

    model: functional.FunctionalModel
    spec: flatten.FlatSpec
    dtype: tf.DType
    known_labels: Callable[..., tuple[tf.Tensor, tf.Tensor]]
    unknown_labels: Callable[..., tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]]
    trace_count: Callable[[], int]


def group_gradient(
    model: functional.FunctionalModel,
    observed: Observed,
    sizes: tuple[int, ...],
    images: tf.Tensor,
    labels: tf.Tensor,
) -> Vector:
    """The weighted mean of the groups' gradients: what clients of these pictures send.

    Args:
      model: The attacker's model.
      observed: For its weights and shares.
      sizes: The pictures of each group; their sum is b.
      images: [b, h, w, c].
      labels: [b, classes] probabilities.

    Returns:
      [n].
    """
    parts = zip(tf.split(images, sizes), tf.split(labels, sizes), strict=True)
    gradients = [functional.gradient(model, observed.weights, *part) for part in parts]
    if len(gradients) == 1:
        return gradients[0]
    return tf.linalg.matvec(tf.stack(gradients, axis=1), observed.shares)


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
      jit_compile: Whether to compile with XLA.

    Returns:
      The functions; they are traced at their first call.
    """
    surrogate = functional.in_float64(model) if float64 else model

    def error(
        observed: Observed, sizes: tuple[int, ...], images: tf.Tensor, labels: tf.Tensor
    ) -> tf.Tensor:
        candidate = group_gradient(surrogate, observed, sizes, images, labels)
        return objectives.squared_error(
            candidate, observed.target, observed.entry_weights
        )

    @tf.function(jit_compile=jit_compile)
    def known_labels(
        observed: Observed, sizes: tuple[int, ...], images: tf.Tensor, labels: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            value = error(observed, sizes, images, labels)
        return value, tape.gradient(
            value, images, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )

    @tf.function(jit_compile=jit_compile)
    def unknown_labels(
        observed: Observed, sizes: tuple[int, ...], images: tf.Tensor, logits: tf.Tensor
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch((images, logits))
            value = error(observed, sizes, images, tf.nn.softmax(logits))
        return value, tape.gradient(
            value,
            (images, logits),
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
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
        trace_count=trace_count,
    )
