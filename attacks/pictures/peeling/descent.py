"""Pictures whose activations at a depth, and the gradients below it, are the known ones.

Sums of absolute differences, not of squares, of activations as of gradients: where a
ReLU or a maximum is still on its wrong side, a few entries are far off and most are
nearly right, and a sum of squares would trade the many for the few.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks import target as target_lib
from attacks.continuous.first_order import engine as first_order
from attacks.continuous.first_order import recipes
from attacks.pictures.peeling import forward, top
from attacks.pictures.priors import priors
from attacks.structure import network as network_lib
from selenc_tf import flatten
from selenc_tf.types import Weights

RECIPE = recipes.Recipe(
    step="gradient",
    learning_rate=0.1,
    first_decay=0.6,
    schedule="cosine",
    initial="grey",
)
"""How Adam walks."""

_GRADIENTS, _VARIATION = 2.0, 0.3
"""Weights of the gradients below and of the pictures' variation, beside that of the
activations, which is 1."""


class Problem(NamedTuple):
    """What a search below a depth looks for; all float32.

    Attributes:
      weights: All weights of the model.
      values: The activations at the depth, zero where not known.
      known: 0 or 1, of their shape.
      spread: Scalar, what the activations' error is relative to.
      derivative: dL by the activations.
      targets: The gradients of the weights below, zero where hidden.
      visible: 0 or 1, of their shapes.
      energy: Scalar, what the gradients' error is relative to.
    """

    weights: Weights
    values: tf.Tensor
    known: tf.Tensor
    spread: tf.Tensor
    derivative: tf.Tensor
    targets: tuple[tf.Tensor, ...]
    visible: tuple[tf.Tensor, ...]
    energy: tf.Tensor


Advance = Callable[..., first_order.State]
"""`(problem, state, until, total, seed) -> state`, as `first_order.Engine.advance`."""


def pose(
    network: network_lib.Network,
    spec: flatten.FlatSpec,
    weights: tuple[np.ndarray, ...],
    target: target_lib.Target,
    depth: int,
    reached: top.Known,
) -> Problem:
    """The inputs of the compiled search.

    Runs on: attacker. Sees: the weights and the visible entries.

    Args:
      network: The network.
      spec: The layout of the flat gradient.
      weights: The weights of the round.
      target: The gradient.
      depth: Number of blocks below what is known.
      reached: What is known there.

    Returns:
      The problem.
    """
    ends = np.cumsum(spec.sizes)
    vector = np.where(target.visible, target.plain, np.float32(0))
    targets, visible = [], []
    for index in forward.tensors_below(network, depth):
        place = slice(int(ends[index]) - spec.sizes[index], int(ends[index]))
        targets.append(vector[place].reshape(spec.shapes[index]))
        visible.append(target.visible[place].reshape(spec.shapes[index]))
    count = np.maximum(np.sum(reached.known, axis=(0, 1)), 1)
    means = np.sum(reached.values, axis=(0, 1)) / count
    spread = float(np.sum(np.abs(reached.values - means) * reached.known))
    energy = float(sum(np.sum(np.abs(part)) for part in targets))

    def constant(values: np.ndarray | float) -> tf.Tensor:
        return tf.constant(values, tf.float32)

    return Problem(
        weights=tuple(constant(tensor) for tensor in weights),
        values=constant(reached.values),
        known=constant(reached.known),
        spread=constant(spread if spread > 0 else 1.0),
        derivative=constant(reached.derivative),
        targets=tuple(constant(part) for part in targets),
        visible=tuple(constant(part) for part in visible),
        energy=constant(energy if energy > 0 else 1.0),
    )


def build_advance(network: network_lib.Network, depth: int) -> Advance:
    """Compiles the search below a depth.

    Runs on: attacker. Sees: its candidates and the problem.

    Args:
      network: The network.
      depth: Number of blocks that the candidates run through.

    Returns:
      The search of one trial with one picture; masks are inputs.
    """

    def error_of(problem: Problem, images: tf.Tensor) -> tf.Tensor:
        activations, gradients = forward.gradients_below(
            network, problem.weights, images, depth, problem.derivative
        )
        off = tf.reduce_sum(tf.abs(activations - problem.values) * problem.known)
        total = off / problem.spread
        parts = [
            tf.reduce_sum(tf.abs(gradient - target) * seen)
            for gradient, target, seen in zip(
                gradients, problem.targets, problem.visible, strict=True
            )
        ]
        return total + _GRADIENTS * tf.add_n(parts) / problem.energy

    @tf.function(autograph=False)
    def advance(
        problem: Problem,
        state: first_order.State,
        until: tf.Tensor,
        total: tf.Tensor,
        seed: tf.Tensor,
    ) -> first_order.State:
        def body(*parts: tf.Tensor) -> first_order.State:
            now = first_order.State(*parts)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(now.images)
                error = error_of(problem, now.images[0])
                variation = priors.total_variation(now.images[0])
                objective = error + _VARIATION * variation
            slope = tape.gradient(objective, now.images)
            return first_order.step(
                RECIPE,
                now,
                objective[tf.newaxis],
                error[tf.newaxis],
                slope,
                total,
                seed,
            )

        return first_order.State(
            *tf.while_loop(lambda *parts: parts[-1] < until, body, state)
        )

    return advance
