"""The mixture of a batch's inputs, found so that the model makes the gradient of them.

The inputs are combinations of the span's directions, h_n = U q_n, so the derivatives of
the loss by the layer's outputs are functions of q_n and the label alone, and

    sum_n q_n d_n(q_n) / b = U^T G

are b equations for each unit of the layer, in b unknowns for each example: nonlinear
least squares with many more equations than unknowns, for any activation, solved by
Levenberg and Marquardt's method with exact derivatives. Every equation is weighted by
what float32 leaves of it at the client: a probability near one has lost its digits, and
with it the class's equation, on networks that have been trained.
"""

from typing import NamedTuple

import numpy as np

from attacks.continuous.features import layer as layer_lib
from attacks.continuous.features import pieces as pieces_lib
from attacks.continuous.features import span as span_lib

_EPSILON = 1e-7
"""What a probability in float32 is uncertain by."""
_SOLVED = 300.0
"""Mean squared error, in units of the rounding's, up to which equations hold: what is
above the layer makes errors of a few more units, the more the larger the logits."""
_DONE = 1e-3
"""What a full step would still take away from the error when it is the last, in units of
the square of the rounding."""
_STUCK = 3e-3
"""Share of the error that a step has to take away, or it is slow, and"""
_PATIENCE = 10
"""slow steps in a row that end a search."""
_MOST_DAMPING = 1e12
_SPARE = 2
"""Equations for each unknown that no wrong labels fulfil."""


class Problem(NamedTuple):
    """The equations of one layer and batch.

    Attributes:
      layer: The layer.
      span: Of its inputs, all rows of which are known (the ones' perhaps not).
      basis: float64 [f + 1, r], orthonormal directions.
      seen: float64 [r, u'], the right side, by columns divided by their scale.
      through: float64 [u, r], what a direction adds to the layer's outputs.
      centre: float64 [r], and
      free: float64 [r, r'], the combinations that have a one in the row of ones:
        q = centre + free a.
      size: b.
    """

    layer: layer_lib.Layer
    span: span_lib.Span
    basis: np.ndarray
    seen: np.ndarray
    through: np.ndarray
    centre: np.ndarray
    free: np.ndarray
    size: int

    @property
    def common(self) -> np.ndarray:
        """The combination [r] that is nearest to what the examples have in common."""
        found = np.zeros(self.span.rank)
        if self.span.rows[-1] and self.basis[-1, 0] != 0.0:
            found[0] = 1.0 / self.basis[-1, 0]
        else:
            count = np.count_nonzero(self.span.columns)
            found[0] = self.span.singular[0] / np.sqrt(count)
        return found

    @property
    def loose(self) -> bool:
        """Whether there are few equations more than unknowns."""
        equations = self.seen.size
        return equations < _SPARE * self.size * self.free.shape[1]

    def outputs(self, mixture: np.ndarray) -> np.ndarray:
        """Z [b, u] of combinations q [b, r]."""
        found: np.ndarray = mixture @ self.through.T + self.layer.bias
        return found

    def pieces(self, found: "Solution") -> pieces_lib.Pieces:
        """The examples that a solution takes the span apart into."""
        size = self.span.singular
        spread = found.spread / np.outer(size, size)
        return pieces_lib.of_mixing(self.span, (found.mixture / size).T, spread)


class Solution(NamedTuple):
    """Where a search ended.

    Attributes:
      mixture: float64 [b, r], the combinations q.
      error: Mean squared error of the equations, in units of what float32 leaves.
      spread: float64 [b, r, r], the covariance of each q.
      iterations: Steps tried.
      settled: Whether nothing is left to gain.
    """

    mixture: np.ndarray
    error: float
    spread: np.ndarray
    iterations: int
    settled: bool

    @property
    def solved(self) -> bool:
        """Whether the equations hold."""
        return self.settled and self.error < _SOLVED


def problem(layer: layer_lib.Layer, span: span_lib.Span, size: int) -> Problem | None:
    """Sets the equations up; None where some row of the inputs is unknown."""
    if not span.rows[:-1].all():
        return None
    basis = span.left / span.singular
    rank = span.rank
    centre, free = np.zeros(rank), np.eye(rank)
    if span.rows[-1]:
        ones = basis[-1]
        centre = ones / (ones @ ones)
        free = np.linalg.svd(ones[None])[2][1:].T
    return Problem(
        layer=layer,
        span=span,
        basis=basis,
        seen=(span.right[span.columns] * span.singular).T,
        through=layer.kernel.T @ basis[:-1],
        centre=centre,
        free=free,
        size=size,
    )


def solve(given: Problem, start: np.ndarray, labels: np.ndarray, most: int) -> Solution:
    """Solves the equations from one start.

    Runs on: attacker. Sees: the weights and the layer's visible entries.

    Args:
      given: The equations.
      start: float64 [b, r], combinations; moved to those with a one.
      labels: float64 [b, c].
      most: Steps to try.

    Returns:
      The solution, or where it got stuck.
    """
    amounts = (start - given.centre) @ given.free
    mixture = given.centre + amounts @ given.free.T
    weights = _weights(given, mixture, labels)
    error = _errors(given, mixture, labels)
    value = _value(error, weights)
    damping, growth, count = 1e-3, 2.0, 0
    # What is left to the equations once the unknowns have taken their share.
    spare = max(error.size - amounts.size, 1)
    noise = span_lib.ROUNDING**2 * spare
    normal, slope = _normal(given, mixture, labels, error, weights)
    scale = np.diag(normal).copy()
    settled, slow = False, 0
    while count < most and np.isfinite(value) and not settled:
        count += 1
        scale = np.maximum(scale * 0.5, np.diag(normal))
        step = _step(normal, slope, damping * scale + 1e-300)
        moved = amounts - step.reshape(amounts.shape)
        new = given.centre + moved @ given.free.T
        new_error = _errors(given, new, labels)
        new_value = _value(new_error, weights)
        if not new_value < value:
            settled = value < _SOLVED * noise and _left(normal, slope, scale) < _DONE
            damping *= growth
            growth *= 2.0
            if damping > _MOST_DAMPING:
                settled = value < _SOLVED * noise
                break
            continue
        gain = (value - new_value) / value
        amounts, mixture, error = moved, new, new_error
        damping = max(damping * (0.2 if gain > 0.25 else 0.6), 1e-12)
        growth = 2.0
        weights = _weights(given, mixture, labels)
        value = _value(error, weights)
        normal, slope = _normal(given, mixture, labels, error, weights)
        if value < _SOLVED * noise:
            settled = _left(normal, slope, scale) < _DONE
        slow = slow + 1 if gain < _STUCK else 0
        if slow == _PATIENCE and not settled:
            break
    # What the equations are really off by says how well they are known.
    spread = _spread(given, normal) * (value / noise)
    return Solution(mixture, value / noise, spread, count, settled)


def _left(normal: np.ndarray, slope: np.ndarray, scale: np.ndarray) -> float:
    """What a full step would take away, in units of the rounding's square."""
    step = _step(normal, slope, 1e-14 * scale + 1e-300)
    return float(slope @ step) / span_lib.ROUNDING**2


def _errors(given: Problem, mixture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Left minus right side, [r, u']."""
    model = _model(given, mixture, labels)
    return mixture.T @ model / given.size - given.seen


def _model(given: Problem, mixture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The derivatives in the units of the columns, [b, u']."""
    found = given.layer.slopes.slopes(given.outputs(mixture), labels)
    columns = given.span.columns
    scaled: np.ndarray = found[:, columns] / given.span.scale[columns]
    return scaled


def _value(error: np.ndarray, weights: np.ndarray) -> float:
    return float(np.sum(np.square(error * weights)))


def _weights(given: Problem, mixture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """One over the standard deviation of each column's equations, [u']."""
    model = _model(given, mixture, labels)
    columns = given.span.columns
    effect = given.layer.slopes.pulls(given.outputs(mixture), labels)
    effect = effect[:, columns] / given.span.scale[columns]
    sizes = np.linalg.norm(mixture, axis=1) / given.size
    lost = np.square(_EPSILON * sizes) @ np.square(effect)
    own = np.square(span_lib.ROUNDING * sizes) @ np.square(model)
    found: np.ndarray = span_lib.ROUNDING / np.sqrt(span_lib.ROUNDING**2 + lost + own)
    return found


def _normal(
    given: Problem,
    mixture: np.ndarray,
    labels: np.ndarray,
    error: np.ndarray,
    weights: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The normal equations of a step: [b r', b r'] and [b r']."""
    size, rank = mixture.shape
    columns, count = given.span.columns, given.free.shape[1]
    model = _model(given, mixture, labels) * weights
    each = (given.through @ given.free).T[:, None, :]
    directions = np.broadcast_to(each, (count, size, each.shape[-1]))
    bent = given.layer.slopes.bends(given.outputs(mixture), labels, directions)
    bent = bent[..., columns] / given.span.scale[columns] * weights
    units = model.shape[1]
    jacobian = np.einsum("nk,mnj->nmkj", mixture, bent)
    jacobian += np.einsum("km,nj->nmkj", given.free, model)
    flat = jacobian.reshape(size * count, rank * units) / given.size
    return flat @ flat.T, flat @ (error * weights).ravel()


def _step(normal: np.ndarray, slope: np.ndarray, damping: np.ndarray) -> np.ndarray:
    damped = normal + np.diag(damping)
    try:
        found: np.ndarray = np.linalg.solve(damped, slope)
    except np.linalg.LinAlgError:
        found = np.linalg.lstsq(damped, slope, rcond=None)[0]
    return found


def _spread(given: Problem, normal: np.ndarray) -> np.ndarray:
    """The covariance of each example's combination, [b, r, r]."""
    count = given.free.shape[1]
    inverse = np.linalg.pinv(normal, rcond=1e-15, hermitian=True)
    inverse = inverse.reshape(given.size, count, given.size, count)
    own = np.einsum("ninj->nij", inverse) * span_lib.ROUNDING**2
    found: np.ndarray = np.einsum("ra,nab,sb->nrs", given.free, own, given.free)
    return found
