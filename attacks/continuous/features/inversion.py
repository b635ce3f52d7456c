"""From what is known of a dense layer's inputs to the examples, each by its own.

The layers below are a function of the example alone, so that batches fall apart into single
examples. Where the features come out of an activation that can be undone, it is: what is
left is closer to linear, and the errors are divided by the slope. Small networks have their
Jacobian written down and every step solved exactly (`least_squares.py`), with the numbers
held to [0, 1], which decides much where many lie at the ends; large ones go by products
with it (`conjugate.py`). One example through a chain of convolutions has equations in its
visible kernel gradients too (`gradient_equations.py`).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.continuous.features import (
    below,
    conjugate,
    gradient_equations,
    least_squares,
)
from attacks.continuous.features import features as features_lib
from attacks.optimisers import blas
from attacks.structure import activations, source
from attacks.structure import cut as cut_lib
from selenc_tf.distance import prior as prior_lib
from selenc_tf.models import functional
from selenc_tf.types import Weights

_WRITTEN_WORK = 2e9
"""Multiplications for all rows of a Jacobian up to which it is written down."""

_WRITTEN_SIDE = 2000
"""Fewest of its rows and columns up to which a linear problem is solved exactly."""

_TRUSTED = 10.0
"""Features count with this many times their errors while gradients are still far off."""


class Inverted(NamedTuple):
    """Examples that explain features.

    Attributes:
      images: float64 [b, *input_shape] in [0, 1].
      deviation: float64 [b], what the equations and the prior leave open: the root mean
        square of the error of a number, by samples of the linearised posterior.
      settled: Whether the steps came to an end for every example.
      steps: Linearisations, over all examples.
      equations: Number of visible gradient entries below the cut that were used too.
    """

    images: np.ndarray
    deviation: np.ndarray
    settled: bool
    steps: int
    equations: int


def invert(
    cut: cut_lib.Cut,
    features: features_lib.Features,
    weights: tuple[np.ndarray, ...],
    prior: prior_lib.GaussianPrior,
    knowledge: knowledge_lib.Knowledge,
    target: target_lib.Target,
    most: int,
    programs: programs_lib.Programs,
    over: Callable[[], bool] = lambda: False,
) -> Inverted:
    """Finds every example of a batch.

    Runs on: attacker. Sees: the weights, and what was read off the visible entries.

    Args:
      cut: Where the features are.
      features: What is known of them; of each example something.
      weights: Of the round.
      prior: Of one example.
      knowledge: For the model.
      target: The gradient, for one example's entries below the cut.
      most: Linearisations of each example, at least 1.
      programs: What is compiled already.
      over: Whether time is up.

    Returns:
      The most probable examples.
    """
    model = knowledge.model
    tensors = tuple(tf.constant(one, tf.float64) for one in weights)
    count = features.values.shape[1]
    work = count * programs.of(_multiplications, model, cut.layer.name)
    if work > _WRITTEN_WORK or min(count, prior.unknowns) > _WRITTEN_SIDE:
        single = programs.of(_single_cut, model, cut.layer.name)
        products = programs.of(conjugate.compile_products, cut.below, single.below)
        values, errors = features.values, features.errors
        many = conjugate.solve(products, tensors, values, errors, prior, most, over)
        return Inverted(many.x, many.deviation, many.settled, many.steps, 0)
    parts = [
        _equations(cut, values, errors, tensors, prior, model, programs)
        for values, errors in zip(features.values, features.errors, strict=True)
    ]
    with blas.one_thread():
        found = [least_squares.solve(part, prior, most, over=over) for part in parts]
    more = gradient_equations.of_chain(
        cut, features, tensors, knowledge, target, programs
    )
    steps = sum(one.steps for one in found)
    if more is not None and not over():
        joined = _joined(parts[0], more, found[0].x)
        left = max(1, most - steps)
        with blas.one_thread():
            last = least_squares.solve(
                joined, prior, left, start=found[0].x, first=1.0, over=over
            )
        steps += last.steps
        if _misfit(joined, last.x) < _misfit(joined, found[0].x):
            found = [last]
    return Inverted(
        np.stack([one.x.reshape(model.input_shape) for one in found]),
        np.array([one.deviation for one in found]),
        all(one.settled for one in found),
        steps,
        0 if more is None else len(more.values),
    )


def _equations(
    cut: cut_lib.Cut,
    values: np.ndarray,
    errors: np.ndarray,
    weights: Weights,
    prior: prior_lib.GaussianPrior,
    model: functional.FunctionalModel,
    programs: programs_lib.Programs,
) -> least_squares.Equations:
    """One example's known features, with the activation that they come from undone."""
    undone = programs.of(source.activation_below, model, cut.layer.name)
    compiled = programs.of(below.compile_below, cut.below, undone)
    kept = np.flatnonzero(np.isfinite(errors))
    wanted = activations.inverse(undone, values[kept])
    doubts = errors[kept] / activations.derivative(undone, values[kept])
    shape = model.input_shape

    def evaluate(x: np.ndarray) -> np.ndarray:
        images = tf.constant(x.reshape(1, *shape))
        found: np.ndarray = compiled.value(weights, images).numpy()[0][kept]
        return found

    def linearise(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = below.jacobian(compiled, weights, x.reshape(shape), kept)
        return evaluate(x), rows

    off = wanted - evaluate(np.clip(prior.mean, 0.0, 1.0))
    # Saturated units say where they are, not how far.
    size = math.sqrt(float(np.mean(np.square(off)))) or 1.0
    return least_squares.Equations(
        evaluate, linearise, wanted, doubts, np.full(len(kept), size)
    )


def _joined(
    features: least_squares.Equations,
    gradients: gradient_equations.GradientEquations,
    x: np.ndarray,
) -> least_squares.Equations:
    """Both kinds of equations, beginning with features fixed and gradients free at x."""
    off = gradients.values - gradients.evaluate(x)
    errors = gradients.errors_at(x)
    size = math.sqrt(float(np.mean(np.square(off))))

    def linearise(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        (u, above), (v, beside) = features.linearise(at), gradients.linearise(at)
        return np.concatenate([u, v]), np.concatenate([above, beside])

    return least_squares.Equations(
        lambda at: np.concatenate([features.evaluate(at), gradients.evaluate(at)]),
        linearise,
        np.concatenate([features.values, gradients.values]),
        np.concatenate([features.errors, errors]),
        np.concatenate([_TRUSTED * features.errors, np.maximum(errors, size)]),
    )


def _misfit(equations: least_squares.Equations, x: np.ndarray) -> float:
    miss = (equations.values - equations.evaluate(x)) / equations.errors
    return float(np.sqrt(np.mean(np.square(miss))))


def _single_cut(model: functional.FunctionalModel, layer: str) -> cut_lib.Cut:
    """The same cut in the model's own precision."""
    own = cut_lib.cuts(model, double=False)
    return next(one for one in own if one.layer.name == layer)


def _multiplications(model: functional.FunctionalModel, layer: str) -> float:
    """About how many a run of the model takes for one example, up to a layer."""
    total = 0.0
    for one in model.keras_model.layers:
        if one.name == layer:
            break
        kernel = getattr(one, "kernel", None)
        if kernel is not None and not isinstance(one.output, list):
            positions = math.prod(one.output.shape[1:-1])
            total += float(positions * math.prod(kernel.shape))
    return total
