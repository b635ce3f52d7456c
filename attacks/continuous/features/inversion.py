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

_NEAR = 1e-3
"""What features may leave open, for gradients to be believed to that share at once."""

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


class Below(NamedTuple):
    """The network below a cut, for one attack.

    Attributes:
      cut: Where the features are.
      weights: Of the whole model, float64.
      model: The model.
      prior: Of one example.
      programs: What is compiled already.
      most: Linearisations of each example, at least 1.
      over: Whether time is up.
    """

    cut: cut_lib.Cut
    weights: Weights
    model: functional.FunctionalModel
    prior: prior_lib.GaussianPrior
    programs: programs_lib.Programs
    most: int
    over: Callable[[], bool] = lambda: False


def invert(net: Below, features: features_lib.Features) -> Inverted:
    """Finds every example of a batch by its own features.

    Runs on: attacker. Sees: the weights, and what was read off the visible entries.

    Args:
      net: The network.
      features: What is known of them.

    Returns:
      The most probable examples; where nothing is known of one, the prior's mean.
    """
    told = np.isfinite(features.errors).any(axis=1)
    if not told.all():
        return _of_some(net, features, told)
    values, errors = features.values, features.errors
    if is_large(net):
        single = net.programs.of(_single_cut, net.model, net.cut.layer.name)
        products = net.programs.of(
            conjugate.compile_products, net.cut.below, single.below
        )
        many = conjugate.solve(
            products, net.weights, values, errors, net.prior, net.most, net.over
        )
        return Inverted(many.x, many.deviation, many.settled, many.steps, 0)
    with blas.one_thread():
        found = [
            least_squares.solve(
                equations(net, net.cut, *known), net.prior, net.most, over=net.over
            )
            for known in zip(values, errors, strict=True)
        ]
    return Inverted(
        np.stack([one.x.reshape(net.model.input_shape) for one in found]),
        np.array([one.deviation for one in found]),
        all(one.settled for one in found),
        sum(one.steps for one in found),
        0,
    )


def _of_some(net: Below, features: features_lib.Features, told: np.ndarray) -> Inverted:
    some = invert(
        net,
        features._replace(values=features.values[told], errors=features.errors[told]),
    )
    shape = net.model.input_shape
    images = np.empty((len(told), *shape))
    images[:] = np.clip(net.prior.mean, 0, 1).reshape(shape)
    images[told] = some.images
    deviation = np.full(len(told), np.inf)
    deviation[told] = some.deviation
    return some._replace(images=images, deviation=deviation)


def refine(
    net: Below,
    features: features_lib.Features,
    found: Inverted,
    target: target_lib.Target,
) -> Inverted:
    """Adds the visible gradients below the cut, where one example leads through a chain.

    Runs on: attacker. Sees: the weights and the visible entries.

    Args:
      net: The network.
      features: What is known of them, with the right label.
      found: By them alone.
      target: The gradient.

    Returns:
      The example that explains both; `found` where there is nothing to add, or it does
      not explain them better.
    """
    if is_large(net) or net.over():
        return found
    more = gradient_equations.of_chain(
        net.cut, features, net.weights, net.model, target, net.programs
    )
    if more is None:
        return found
    first = found.images[0].ravel()
    own = equations(net, net.cut, features.values[0], features.errors[0])
    joined = _joined(own, more, first)
    with blas.one_thread():
        last = least_squares.solve(
            joined,
            net.prior,
            net.most,
            start=first,
            first=_NEAR if found.deviation[0] < _NEAR else 1.0,
            over=net.over,
        )
    if not _misfit(joined, last.x) < _misfit(joined, first):
        return found._replace(steps=found.steps + last.steps)
    return Inverted(
        last.x.reshape(found.images.shape),
        np.array([last.deviation]),
        last.settled,
        found.steps + last.steps,
        len(more.values),
    )


def is_large(net: Below) -> bool:
    """Whether a Jacobian, or a solution of its equations, is too much work.

    Args:
      net: The network.

    Returns:
      Whether `invert` goes by products with the Jacobian.
    """
    name, count = net.cut.layer.name, net.cut.layer.features
    work = count * net.programs.of(_multiplications, net.model, name)
    return work > _WRITTEN_WORK or min(count, net.prior.unknowns) > _WRITTEN_SIDE


def equations(
    net: Below, cut: cut_lib.Cut, values: np.ndarray, errors: np.ndarray
) -> least_squares.Equations:
    """One example's known features, with the activation that they come from undone.

    Args:
      net: The network.
      cut: Where the features are: `net`'s own cut, or another one of the model.
      values: float64 [f].
      errors: float64 [f], inf where unknown.

    Returns:
      An equation for each feature that is known.
    """
    undone = net.programs.of(source.activation_below, net.model, cut.layer.name)
    compiled = net.programs.of(below.compile_below, cut.below, undone)
    kept = np.flatnonzero(np.isfinite(errors))
    wanted = activations.inverse(undone, values[kept])
    doubts = errors[kept] / activations.derivative(undone, values[kept])
    return written(
        net, compiled, kept, wanted, doubts, np.clip(net.prior.mean, 0.0, 1.0)
    )


def written(
    net: Below,
    compiled: below.Compiled,
    kept: np.ndarray,
    wanted: np.ndarray,
    errors: np.ndarray,
    beforehand: np.ndarray,
) -> least_squares.Equations:
    """Numbers that a compiled function of the example must have.

    Args:
      net: The network.
      compiled: The function.
      kept: int [m], which of its numbers.
      wanted: float64 [m].
      errors: float64 [m].
      beforehand: float64 [d], an example from which it is told how far off they may be.

    Returns:
      The equations.
    """
    shape, weights = net.model.input_shape, net.weights

    def evaluate(x: np.ndarray) -> np.ndarray:
        images = tf.constant(x.reshape(1, *shape))
        found: np.ndarray = compiled.value(weights, images).numpy()[0][kept]
        return found

    def linearise(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = below.jacobian(compiled, weights, x.reshape(shape), kept)
        return evaluate(x), rows

    off = wanted - evaluate(beforehand)
    # Saturated units say where they are, not how far.
    size = math.sqrt(float(np.mean(np.square(off)))) or 1.0
    return least_squares.Equations(
        evaluate, linearise, wanted, errors, np.full(len(kept), size)
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
    fixed = features._replace(spread=_TRUSTED * features.errors)
    free = least_squares.Equations(
        gradients.evaluate,
        gradients.linearise,
        gradients.values,
        errors,
        np.maximum(errors, size),
    )
    return least_squares.joined([fixed, free])


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
