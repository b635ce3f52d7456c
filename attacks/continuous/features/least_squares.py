"""Nonlinear least squares with a Gaussian prior and bounds, by exact Gauss-Newton steps.

    minimise  1/2 |(u(x) - v) / s|^2 + 1/2 |z|^2,   x = mean + C z,   0 <= x <= 1

u is replaced by its linearisation, and that problem is solved exactly, in as many
dimensions as there are equations or unknowns, whichever are fewer (J. Nocedal,
S. J. Wright, "Numerical Optimization", 2006, chapter 10; in the dimension of the equations
it is kriging). What keeps the linearisation honest is the noise level s: it starts at a
share of what the values differ by beforehand, where the prior decides, and falls as steps
prove right, to the errors that the values really have. A search on the squared distance
never gets there: directions differ by factors of a million in what they change.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import linalg

from selenc_tf.distance import prior as prior_lib

_FIRST = 3e-2
"""The first noise level, relative to the spread."""

_BOUND = 1e-4
"""Standard deviation with which a number is held to a bound that it would pass."""

_SWAPS = 8
"""Most changes, in one step, of what is held."""

_NEARLY, _USEFUL = 0.01, 0.1
"""Shares of the squared misfit by which a step's prediction may be wrong, for the level to
fall by the larger and the smaller of the factors."""

_FALL, _SLOW_FALL, _RISE = 0.03, 0.2, 3.0
_HALVINGS, _FAILURES = 6, 3
_SMALL, _GAIN = 1e-6, 1e-3
"""Largest change of a number, and relative gain, of a last step."""

_NARROW = 1100
"""Unknowns up to which their own dimension is taken in any case: what is held adds to that
of the equations."""

_RIDGE = 1e-12
_SAMPLES = 4


class Equations(NamedTuple):
    """What an example has to explain.

    Attributes:
      evaluate: x float64 [d] -> u, float64 [m].
      linearise: x float64 [d] -> u and its Jacobian, float64 [m, d].
      values: float64 [m], v.
      errors: float64 [m], standard deviations of v, > 0.
      spread: float64 [m], > 0, about how far v is from u beforehand.
    """

    evaluate: Callable[[np.ndarray], np.ndarray]
    linearise: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    values: np.ndarray
    errors: np.ndarray
    spread: np.ndarray


class Found(NamedTuple):
    """Where the steps ended.

    Attributes:
      x: float64 [d] in [0, 1].
      deviation: What the equations and the prior leave open: the root mean square of the
        error of a number, by samples of the posterior as it was last linearised.
      steps: Linearisations.
      settled: Whether the steps at the errors' own level came to an end.
    """

    x: np.ndarray
    deviation: float
    steps: int
    settled: bool


class _Linear(NamedTuple):
    """One linearisation, in units of the noise: matrix x = sides + noise of variance 1."""

    matrix: np.ndarray
    sides: np.ndarray
    root: np.ndarray
    gram: np.ndarray


def joined(parts: Sequence[Equations]) -> Equations:
    """Several sets of equations for the same example.

    Args:
      parts: At least one.

    Returns:
      All of them, in their order.
    """

    def evaluate(x: np.ndarray) -> np.ndarray:
        return np.concatenate([one.evaluate(x) for one in parts])

    def linearise(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, rows = zip(*(one.linearise(x) for one in parts), strict=True)
        return np.concatenate(values), np.concatenate(rows)

    return Equations(
        evaluate,
        linearise,
        np.concatenate([one.values for one in parts]),
        np.concatenate([one.errors for one in parts]),
        np.concatenate([one.spread for one in parts]),
    )


def cost(equations: Equations, prior: prior_lib.GaussianPrior, x: np.ndarray) -> float:
    """What `solve` minimises, twice: the lower, the more probable x is.

    Args:
      equations: What the example explains.
      prior: Of it.
      x: float64 [d].

    Returns:
      |(u(x) - v) / s|^2 + |z|^2.
    """
    off = (equations.values - equations.evaluate(x)) / equations.errors
    latent = prior_lib.apply_inverse_root(prior, x - prior.mean)
    return float(off @ off + latent @ latent)


def solve(
    equations: Equations,
    prior: prior_lib.GaussianPrior,
    most: int,
    *,
    start: np.ndarray | None = None,
    first: float = _FIRST,
    over: Callable[[], bool] = lambda: False,
) -> Found:
    """Finds the example.

    Runs on: attacker. Sees: what is known of the example.

    Args:
      equations: What it explains.
      prior: Of one example.
      most: Linearisations, at least 1.
      start: float64 [d] to begin at, or None for the prior's mean.
      first: The first noise level, relative to the spread.
      over: Whether time is up; asked after each step.

    Returns:
      The most probable example, as far as the steps went.
    """
    x = np.clip(prior.mean if start is None else start, 0.0, 1.0)
    held = np.zeros(x.size, np.bool_)
    level = first
    lowest = float(np.min(equations.errors / equations.spread))
    steps, failures, settled = 0, 0, False
    linear: _Linear | None = None
    while steps < most and not settled and failures < _FAILURES:
        last = level <= lowest
        sigma = np.maximum(equations.errors, level * equations.spread)
        value, jacobian = equations.linearise(x)
        steps += 1
        off = (equations.values - value) / sigma
        matrix = jacobian / sigma[:, np.newaxis]
        linear = _linear(matrix, off + matrix @ x, prior)
        goal, held = _bounded(linear, prior, x, held)
        step, before = goal - x, float(off @ off)
        predicted = float(np.sum(np.square(off - matrix @ step)))
        share, after = _shorten(equations, sigma, x, step, before)
        if share == 0.0:
            failures += 1
            settled = last
            level = max(level, lowest) * (1.0 if last else _RISE)
            continue
        x, failures = np.clip(x + share * step, 0.0, 1.0), 0
        small = share * float(np.max(np.abs(step))) < _SMALL
        settled = last and (small or before - after < _GAIN * before)
        wrong = (after - predicted - off.size) / max(before, 1e-300)
        if share == 1.0 and not last:
            level *= (
                _FALL if wrong < _NEARLY else _SLOW_FALL if wrong < _USEFUL else 1.0
            )
        if over():
            break
    deviation = float("inf") if linear is None else _open(linear, prior, x, held)
    return Found(x, deviation, steps, settled)


def _shorten(
    equations: Equations,
    sigma: np.ndarray,
    x: np.ndarray,
    step: np.ndarray,
    before: float,
) -> tuple[float, float]:
    """The largest share of a step that helps, and the squared misfit after it; or 0."""
    share = 1.0
    for _ in range(_HALVINGS):
        moved = equations.evaluate(np.clip(x + share * step, 0.0, 1.0))
        after = float(np.sum(np.square((equations.values - moved) / sigma)))
        # What is explained to within the noise may get worse: the prior asks for it.
        if after < max(before, float(sigma.size)):
            return share, after
        share /= 2
    return 0.0, before


def _linear(
    matrix: np.ndarray, sides: np.ndarray, prior: prior_lib.GaussianPrior
) -> _Linear:
    root = prior_lib.apply_root(prior, matrix.T, transpose=True).T
    gram = root @ root.T if _wide(root) else root.T @ root
    return _Linear(matrix, sides, root, gram)


def _wide(root: np.ndarray) -> bool:
    """Whether to solve in the dimension of the equations."""
    return root.shape[0] <= root.shape[1] and root.shape[1] > _NARROW


def _bounded(
    linear: _Linear,
    prior: prior_lib.GaussianPrior,
    x: np.ndarray,
    held: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The most probable x in [0, 1], and which of its numbers are held to bounds.

    A number that would pass a bound gets an equation that holds it there, and loses it
    when that equation has to pull it inwards no more: an active set.
    """
    at, solution = np.round(x), x
    for _ in range(_SWAPS):
        solution = _most_probable(linear, prior, held, at)
        passed = ~held & ((solution < 0) | (solution > 1))
        free = held & np.where(at > 0.5, solution < at, solution > at)
        if not (passed | free).any():
            break
        at = np.where(passed, (solution > 1).astype(np.float64), at)
        held = held ^ (passed | free)
    return np.clip(solution, 0.0, 1.0), held


def _most_probable(
    linear: _Linear,
    prior: prior_lib.GaussianPrior,
    held: np.ndarray,
    at: np.ndarray,
) -> np.ndarray:
    """The most probable x without bounds but for the numbers that are held."""
    rows = np.flatnonzero(held)
    sides = linear.sides - linear.matrix @ prior.mean
    pulls = (at[rows] - prior.mean[rows]) / _BOUND
    z = _posterior(linear, prior, rows, sides, pulls, np.zeros(prior.unknowns))
    return prior.mean + prior_lib.apply_root(prior, z)


def _open(
    linear: _Linear, prior: prior_lib.GaussianPrior, x: np.ndarray, held: np.ndarray
) -> float:
    """How far samples of the posterior are from its mean, root mean square."""
    generator = np.random.default_rng(0)
    rows = np.flatnonzero(held)
    drawn = (
        generator.normal(size=(size, _SAMPLES))
        for size in (len(linear.sides), len(rows), x.size)
    )
    z = _posterior(linear, prior, rows, *drawn)
    return float(np.sqrt(np.mean(np.square(prior_lib.apply_root(prior, z)))))


def _posterior(
    linear: _Linear,
    prior: prior_lib.GaussianPrior,
    rows: np.ndarray,
    sides: np.ndarray,
    pulls: np.ndarray,
    latent: np.ndarray,
) -> np.ndarray:
    """The z closest to `latent` that explains sides, and pulls at the numbers held."""
    units = np.zeros((prior.unknowns, rows.size))
    units[rows, np.arange(rows.size)] = 1 / _BOUND
    bounds = prior_lib.apply_root(prior, units, transpose=True).T
    left = np.concatenate([sides - linear.root @ latent, pulls - bounds @ latent])
    first = len(sides)
    if _wide(linear.root):
        cross = linear.root @ bounds.T
        square = np.block([[linear.gram, cross], [cross.T, bounds @ bounds.T]])
        dual = _solve(square, left)
        return latent + linear.root.T @ dual[:first] + bounds.T @ dual[first:]
    square = linear.gram + _squares(prior, rows, bounds)
    side = linear.root.T @ left[:first] + bounds.T @ left[first:]
    return latent + _solve(square, side)


def _squares(
    prior: prior_lib.GaussianPrior, rows: np.ndarray, bounds: np.ndarray
) -> np.ndarray:
    """bounds^T bounds, which is diagonal where C is."""
    if prior.axes:
        return bounds.T @ bounds
    diagonal = np.zeros(prior.unknowns)
    diagonal[rows] = prior.variance / _BOUND**2
    return np.diag(diagonal)


def _solve(square: np.ndarray, side: np.ndarray) -> np.ndarray:
    """(square + 1)^-1 side, by Cholesky with a diagonal of ones."""
    diagonal = np.diag(square) + 1.0
    scale = 1 / np.sqrt(diagonal)
    scaled = square * scale[:, np.newaxis] * scale
    scaled[np.diag_indices_from(scaled)] = 1.0
    try:
        factor = linalg.cho_factor(scaled, check_finite=False)
    except linalg.LinAlgError:
        # Rounding at a condition of 1e16; the next step makes up for the ridge.
        scaled[np.diag_indices_from(scaled)] += _RIDGE * len(scaled)
        factor = linalg.cho_factor(scaled, check_finite=False)
    factors = scale if side.ndim == 1 else scale[:, np.newaxis]
    found: np.ndarray = factors * linalg.cho_solve(
        factor, factors * side, check_finite=False
    )
    return found
