"""The visible kernel gradients below a cut, as equations for one example."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.continuous.features import chain_gradients
from attacks.continuous.features import features as features_lib
from attacks.structure import chain as chain_lib
from attacks.structure import cut as cut_lib
from selenc_tf.models import functional
from selenc_tf.types import Weights

_ROUNDING = 2e-7
"""Error of a sum in float32, relative to the root of the sum of its squared terms."""

_PROBABILITY = 6e-8
"""Absolute error of a probability near 1."""

_FEWEST = 0.02
"""Equations for each unknown below which they are not worth their Jacobian."""

_MOST = 2
"""Equations for each unknown beyond which more cost more than they tell."""

_DIRECTIONS = 112
_WIDEST = 1100
"""Unknowns up to which the Jacobian, a run of the chain for each of them, is worth it."""


class GradientEquations(NamedTuple):
    """What visible gradients say of the example.

    Attributes:
      evaluate: x float64 [d] -> gradients float64 [m].
      linearise: x -> gradients and their Jacobian float64 [m, d].
      values: float64 [m], the visible gradients.
      errors_at: x -> float64 [m], their standard deviations if x is the example.
    """

    evaluate: Callable[[np.ndarray], np.ndarray]
    linearise: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    values: np.ndarray
    errors_at: Callable[[np.ndarray], np.ndarray]


def of_chain(
    cut: cut_lib.Cut,
    features: features_lib.Features,
    weights: Weights,
    model: functional.FunctionalModel,
    target: target_lib.Target,
    programs: programs_lib.Programs,
) -> GradientEquations | None:
    """The equations, where the layers below are a chain of convolutions.

    Runs on: attacker. Sees: the weights and the visible entries.

    Args:
      cut: At the head.
      features: Of one example, all known.
      weights: Of the round, float64.
      model: The model.
      target: The gradient.
      programs: What is compiled already.

    Returns:
      The equations; None if they are too few or the example too large for them to be
      worth their Jacobian, the layers are other ones, or the derivative by the features
      does not follow because some are not known.
    """
    chain = programs.of(_chain_of, model)
    whole = len(features.values) == 1 and bool(np.isfinite(features.errors).all())
    if chain is None or not whole or model.kind != "classes":
        return None
    places = _places(model, chain)
    seen = places[target.visible[places]]
    d = int(np.prod(model.input_shape))
    if d > _WIDEST or len(seen) < _FEWEST * d:
        return None
    # Evenly spaced over the layers: as many as there are unknowns add what there is.
    seen = seen[np.linspace(0, len(seen) - 1, min(len(seen), _MOST * d)).astype(int)]
    used = np.searchsorted(places, seen)
    k, doubt = _derivative(cut, features, weights)
    run = programs.of(chain_gradients.compile_gradients, chain)
    above = tf.constant(k.reshape(1, *chain[-1].output_shape))
    low, high = (
        model.value_range.from_unit(np.full(model.input_shape, end))
        for end in (0.0, 1.0)
    )
    nothing = np.zeros((1, *model.input_shape))

    def at(x: np.ndarray, directions: np.ndarray) -> chain_gradients.Gradients:
        own = model.value_range.from_unit(x.reshape(1, *model.input_shape))
        return run(
            weights,
            tf.constant(own, tf.float64),
            tf.constant(directions * (high - low), tf.float64),
            above,
        )

    def evaluate(x: np.ndarray) -> np.ndarray:
        found: np.ndarray = at(x, nothing).values.numpy()[used]
        return found

    def linearise(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = []
        for begin in range(0, d, _DIRECTIONS):
            units = np.eye(min(_DIRECTIONS, d - begin), d, begin)
            found = at(x, units.reshape(-1, *model.input_shape))
            parts.append(found.derivatives.numpy()[:, used])
        return found.values.numpy()[used], np.concatenate(parts).T

    def errors_at(x: np.ndarray) -> np.ndarray:
        found = at(x, nothing)
        sizes, values = found.sizes.numpy()[used], found.values.numpy()[used]
        errors = np.hypot(_ROUNDING * sizes, doubt * values)
        return np.maximum(errors, _ROUNDING * np.max(np.abs(errors), initial=1e-300))

    values = target.plain[seen].astype(np.float64)
    return GradientEquations(evaluate, linearise, values, errors_at)


def _chain_of(
    model: functional.FunctionalModel,
) -> tuple[chain_lib.ConvLayer, ...] | None:
    try:
        return chain_lib.read_chain(model)
    except knowledge_lib.DoesNotApply:
        return None


def _places(
    model: functional.FunctionalModel, chain: tuple[chain_lib.ConvLayer, ...]
) -> np.ndarray:
    """Where the chain's gradients lie in the flat vector, kernels and biases in turn."""
    ends, sizes = np.cumsum(model.spec.sizes), model.spec.sizes
    tensors = [
        index
        for layer in chain
        for index in (layer.kernel, layer.bias)
        if index is not None
    ]
    return np.concatenate(
        [np.arange(int(ends[at]) - sizes[at], int(ends[at])) for at in tensors]
    )


def _derivative(
    cut: cut_lib.Cut, features: features_lib.Features, weights: Weights
) -> tuple[np.ndarray, float]:
    """The derivative by the features, and its relative error at a float32 client."""
    values = tf.constant(features.values)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        logits = cut.above(weights, values)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            tf.constant(features.labels), logits
        )
    off = tf.nn.softmax(logits).numpy()[0]
    off[features.labels[0]] -= 1.0
    doubt = _PROBABILITY / max(float(np.linalg.norm(off)), 1e-300)
    return tape.gradient(losses, values).numpy(), doubt
