"""One dense layer as a reading of its inputs sees it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.continuous.analytic import completed_target
from attacks.continuous.features import slopes as slopes_lib
from attacks.labels import head as head_lib
from attacks.structure import cut as cut_lib
from selenc_tf.models import functional
from selenc_tf.models.objectives import Kind

_FAINT = 1e-30
"""A column of smaller numbers has zeros that float32 made of numbers below 1e-38."""


class Layer(NamedTuple):
    """A dense layer: its map, its gradient, and what the rest makes of its outputs.

    Attributes:
      name: Of the layer.
      kernel: float64 [f, u].
      bias: float64 [u], zero without one.
      values: float64 [f + 1, u], the gradient, its bias's as the last row; zero where
        unknown.
      known: bool [f + 1, u].
      slopes: The derivative of an example's loss by the outputs.
      kind: What the model learns.
      head: Whether the outputs are the logits.
      flat: float64 [2, f], its inputs for an example of zeros and one of ones, of [0, 1].
    """

    name: str
    kernel: np.ndarray
    bias: np.ndarray
    values: np.ndarray
    known: np.ndarray
    slopes: slopes_lib.Slopes
    kind: Kind
    head: bool
    flat: np.ndarray

    def outputs(self, features: np.ndarray) -> np.ndarray:
        """Z [b, u] of inputs [b, f]."""
        found: np.ndarray = features @ self.kernel + self.bias
        return found


def of(
    model: functional.FunctionalModel,
    cut: cut_lib.Cut,
    target: target_lib.Target,
    weights: tuple[np.ndarray, ...],
    programs: programs_lib.Programs,
) -> Layer:
    """Collects what is known of a layer.

    Runs on: attacker. Sees: the weights and the layer's visible entries.

    Args:
      model: The architecture.
      cut: At the layer.
      target: The gradient.
      weights: All tensors of the round.
      programs: What is compiled already.

    Returns:
      The layer.

    Raises:
      DoesNotApply: If a path leads around it.
    """
    if cut.after is None:
        raise knowledge_lib.DoesNotApply(
            f"All of `knowledge.model` ({model.name}) must pass through its layer "
            f"{cut.layer.name!r} for the layer's gradient to be read, but a path leads "
            "around it."
        )
    vector = np.where(target.visible, target.plain, np.float32(0)).astype(np.float64)
    part = completed_target.read_layer(vector, target.visible, cut.layer)
    values, known = part.values, part.known & ~_vanished(part.values)
    if cut.layer.head and model.kind == "classes":
        # Only in columns that show nothing. The sum of the others cancels where a class
        # is nearly sure: more exact than the entries beside it, it would not fit them.
        filled, now = head_lib.conserve(values, known)
        blank = ~known.any(axis=0)
        values, known = np.where(blank, filled, values), np.where(blank, now, known)
    double = tuple(tf.constant(one, tf.float64) for one in weights)
    at = programs.of(slopes_lib.build, cut.after, model.kind)
    into: Callable[..., tf.Tensor] = cut.into
    bias = into(double, tf.zeros([1, cut.layer.features], tf.float64)).numpy()[0]
    flat = np.concatenate([np.asarray(one, np.float64).ravel() for one in weights])
    return Layer(
        name=cut.layer.name,
        kernel=flat[cut.layer.kernel].reshape(cut.layer.features, cut.layer.units),
        bias=bias,
        values=values,
        known=known,
        slopes=slopes_lib.at(at, cut, double, model.num_classes),
        kind=model.kind,
        head=cut.layer.head,
        flat=cut.below(double, _flat(model)).numpy(),
    )


def _vanished(values: np.ndarray) -> np.ndarray:
    """Zeros that may be numbers too small for float32, as of a class that is sure."""
    sizes = np.max(np.abs(values), axis=0)
    faint = (sizes > 0) & (sizes < _FAINT)
    found: np.ndarray = (values == 0) & faint
    return found


def _flat(model: functional.FunctionalModel) -> tf.Tensor:
    shape = model.input_shape
    return tf.constant(np.stack([np.zeros(shape), np.ones(shape)]))
