"""Activations that recursive inversion undoes, seen from their output.

R-GAP is published for leaky ReLUs (Zhu, Blaschko, "R-GAP: Recursive Gradient Attack on
Privacy", ICLR 2021). Sigmoid and tanh are ours: they are as invertible, but where they
are saturated an error e of the output a becomes e / a' of their input z, a' = da / dz.
An equation for z is therefore to be trusted in proportion to a', which makes its error e
again, that of the output.

Runs on: attacker, all of it.
"""

from typing import Literal, NamedTuple

import numpy as np
from scipy import special

Kind = Literal["leaky_relu", "sigmoid", "tanh"]

_MARGIN = 1e-12
"""Outputs are at least this far from the ends of a bounded range, which are infinitely
far away before the activation."""


class Activation(NamedTuple):
    """An invertible activation.

    Attributes:
      kind: Its name.
      slope: > 0; of the leaky ReLU on negative numbers. Sigmoid and tanh have none.
    """

    kind: Kind
    slope: float = 1.0


LINEAR = Activation("leaky_relu", 1.0)


def forward(activation: Activation, z: np.ndarray) -> np.ndarray:
    """Applies the activation to float64 z of any shape."""
    if activation.kind == "sigmoid":
        return special.expit(z)
    if activation.kind == "tanh":
        return np.tanh(z)
    return np.where(z > 0, z, z * activation.slope)


def inverse(activation: Activation, output: np.ndarray) -> np.ndarray:
    """Undoes the activation.

    Args:
      activation: The activation.
      output: float64, of any shape. What is outside a sigmoid's (0, 1) or a tanh's
        (-1, 1) through rounding errors is moved to 1e-12 inside.

    Returns:
      float64 z of that shape, finite where the output is: |z| < 28 for a sigmoid, < 15
      for a tanh.

    Example:
      The sigmoid of 0 is 0.5, so the inverse of 0.5 is 0; that of 1 is 27.6.
    """
    if activation.kind == "sigmoid":
        return special.logit(_inside(activation, output))
    if activation.kind == "tanh":
        return np.arctanh(_inside(activation, output))
    return np.where(output > 0, output, output / activation.slope)


def derivative(activation: Activation, output: np.ndarray) -> np.ndarray:
    """The derivative da / dz where the activation's output is `output`.

    Args:
      activation: The activation.
      output: float64 a, of any shape; moved inside the range as in `inverse`.

    Returns:
      float64 of that shape, > 0: a (1 - a), 1 - a^2, or 1 and the slope.
    """
    inside = _inside(activation, output)
    if activation.kind == "sigmoid":
        return inside * (1.0 - inside)
    if activation.kind == "tanh":
        return (1.0 - inside) * (1.0 + inside)
    return np.where(inside > 0, 1.0, activation.slope)


def trust(activation: Activation, output: np.ndarray) -> np.ndarray:
    """How much an equation for z counts, by the output that z was read from.

    Args:
      activation: The activation.
      output: float64, of any shape.

    Returns:
      float64 of that shape, > 0: the derivative; 1 for a leaky ReLU, which saturates
      nowhere.
    """
    if activation.kind == "leaky_relu":
        return np.ones_like(output)
    return derivative(activation, output)


def _inside(activation: Activation, output: np.ndarray) -> np.ndarray:
    if activation.kind == "leaky_relu":
        return output
    low = 0.0 if activation.kind == "sigmoid" else -1.0
    return np.clip(output, low + _MARGIN, 1.0 - _MARGIN)
