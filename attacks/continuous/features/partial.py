"""One example from layers that show a part of their inputs each.

A mask by magnitude hides whole rows of a dense layer's gradient: those of its largest
inputs. What is left is

    the inputs that can be read, of every dense layer          (`reading.py`)
    the outputs of a layer by whose outputs the derivative is known   (`roots.py`)

and all of it is equations for the same example, by which its hidden inputs follow too.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.continuous.features import below, inversion, least_squares, reading, roots
from attacks.continuous.features import slopes as slopes_lib
from attacks.labels import candidates as candidates_lib
from attacks.optimisers import blas
from attacks.structure import activations
from attacks.structure import cut as cut_lib
from selenc_tf.models import objectives
from selenc_tf.types import Weights

_NEAR = 1e-3
"""What outputs may leave open of the derivatives, for these to be believed at once."""

_MOST_ROOTS = 4
"""Outputs that are tried; a search each."""


class Narrowed(NamedTuple):
    """An example, and the class that goes with it.

    Attributes:
      found: The example.
      label: Its class where the outputs of a layer say it, or None.
      sure: Whether no other class has outputs that explain the derivatives.
    """

    found: inversion.Inverted
    label: int | None
    sure: bool


def invert(
    net: inversion.Below,
    readings: tuple[reading.Reading, ...],
    labels: tuple[int, ...],
) -> Narrowed:
    """Finds the example.

    Runs on: attacker. Sees: the weights, and what was read off the visible entries.

    Args:
      net: The network, small enough for its Jacobian to be written down.
      readings: Of one example, at least one.
      labels: Classes that it may have.

    Returns:
      The example that is most probable by all equations.
    """
    # What says the most, and is the closest to linear, first.
    shown = [
        inversion.equations(
            net, one.cut, one.features.values[0], one.features.errors[0]
        )
        for one in sorted(readings, key=lambda one: -one.told)
    ]
    with blas.one_thread():
        first, steps = _shown(net, shown)
        best, label, behind = first, None, None
        least = np.inf
        tried = _roots(net, readings, labels, first.x)
        for at, root in tried:
            if net.over():
                break
            more = _outputs(net, at.cut, root, first.x)
            every = least_squares.joined([*shown, more])
            last = least_squares.solve(
                every, net.prior, net.most, start=first.x, over=net.over
            )
            steps += last.steps
            cost = least_squares.cost(every, net.prior, last.x)
            if cost < least:
                best, least, label, behind = last, cost, root.label, at
        if behind is not None and label is not None and not net.over():
            more = _derivatives(net, behind, label, best.x)
            every = least_squares.joined([*shown, more])
            last = least_squares.solve(
                every,
                net.prior,
                net.most,
                start=best.x,
                first=_NEAR,
                over=net.over,
            )
            steps += last.steps
            if least_squares.cost(every, net.prior, last.x) < least_squares.cost(
                every, net.prior, best.x
            ):
                best = last
    image = best.x.reshape(1, *net.model.input_shape)
    found = inversion.Inverted(
        image, np.array([best.deviation]), best.settled, steps, 0
    )
    return Narrowed(found, label, len({root.label for _, root in tried}) == 1)


def _shown(
    net: inversion.Below, shown: list[least_squares.Equations]
) -> tuple[least_squares.Found, int]:
    """The example by what is shown of inputs, and how many linearisations that took."""
    found = least_squares.solve(shown[0], net.prior, net.most, over=net.over)
    steps = found.steps
    for count in range(2, len(shown) + 1):
        found = least_squares.solve(
            least_squares.joined(shown[:count]),
            net.prior,
            net.most,
            start=found.x,
            over=net.over,
        )
        steps += found.steps
    return found, steps


def labels_of(
    readings: tuple[reading.Reading, ...],
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
) -> tuple[int, ...]:
    """The classes that the example may have.

    Runs on: attacker. Sees: the visible entries of the head, and what was read.

    Args:
      readings: Of one example.
      target: The gradient.
      knowledge: Perhaps with its label.

    Returns:
      Those that a reading, or else the signs of the head's gradient, leave.
    """
    for one in readings:
        if one.features.label_source in ("known", "inferred"):
            return tuple(one.features.labels.tolist())
    found = candidates_lib.candidates((target,), knowledge)
    if found.source == "guessed":
        return tuple(range(knowledge.model.num_classes))
    return tuple(int(np.asarray(one)[0]) for one in found.classes)


def _roots(
    net: inversion.Below,
    readings: tuple[reading.Reading, ...],
    labels: tuple[int, ...],
    x: np.ndarray,
) -> list[tuple[reading.Reading, roots.Root]]:
    """Outputs of the first layer whose derivatives say them, the nearest ones first."""
    shape = net.model.input_shape
    for one in readings:
        slopes = one.features.slopes
        if slopes is None or not np.isfinite(slopes).all():
            continue
        inputs = one.cut.below(net.weights, tf.constant(x.reshape(1, *shape)))
        start = one.layer.outputs(inputs.numpy())[0]
        found = roots.find(one.layer, slopes[0], labels, start)
        if found:
            near = sorted(
                found, key=lambda root: float(np.linalg.norm(root.outputs - start))
            )
            return [(one, root) for root in near[:_MOST_ROOTS]]
    return []


def _outputs(
    net: inversion.Below, cut: cut_lib.Cut, root: roots.Root, x: np.ndarray
) -> least_squares.Equations:
    """A layer's outputs as equations for the example."""
    compiled = net.programs.of(_compile_outputs, cut)
    every = np.arange(root.outputs.size)
    return inversion.written(net, compiled, every, root.outputs, root.errors, x)


def _derivatives(
    net: inversion.Below, one: reading.Reading, label: int, x: np.ndarray
) -> least_squares.Equations:
    """The derivative by a layer's outputs as equations for the example."""
    slopes = one.features.slopes
    assert slopes is not None, "A reading has slopes where roots were found."
    compiled = net.programs.of(
        _compile_derivatives, one.cut, net.model.kind, label, net.model.num_classes
    )
    every, wanted = np.arange(slopes.shape[1]), slopes[0]
    return inversion.written(net, compiled, every, wanted, roots.errors(wanted), x)


def _compile_outputs(cut: cut_lib.Cut) -> below.Compiled:
    def run(weights: Weights, inputs: tf.Tensor) -> tf.Tensor:
        return cut.into(weights, cut.below(weights, inputs))

    return below.compile_below(run, activations.LINEAR)


def _compile_derivatives(
    cut: cut_lib.Cut, kind: objectives.Kind, label: int, classes: int
) -> below.Compiled:
    assert cut.after is not None, "A layer is read only if all passes through it."
    slopes = slopes_lib.build(cut.after, kind).slopes

    def run(weights: Weights, inputs: tf.Tensor) -> tf.Tensor:
        outputs = cut.into(weights, cut.below(weights, inputs))
        told = tf.one_hot(
            tf.fill(tf.shape(outputs)[:1], label), classes, dtype=tf.float64
        )
        return slopes(weights, outputs, told)

    return below.compile_below(run, activations.LINEAR)
