"""The picture whose activations at a depth are the known ones, to rounding.

Gauss-Newton steps with Levenberg's damping in the box of pictures. In trained networks the
derivative of the activations has singular values from 1 to 1e-5, and a step that is right
in the small ones misses by a little in the large ones, where a ReLU changes side: the
error of the activations grows while the picture gets better. What tells a good step is the
length of the correction that the same derivative would still ask for after it, the natural
monotonicity of Deuflhard, "Newton Methods for Nonlinear Problems" (2004). Where that walks
in circles, some steps go by the error itself, which falls slowly and surely.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import linalg

from attacks.pictures.peeling import linearised, top
from attacks.structure import network as network_lib
from selenc_tf.types import Weights

EXACT = 3e-6
"""Largest misfit of a picture that is taken for the true one: rounding leaves 3e-7, and one
pixel that is off by 1/255 more than 1e-5."""

_MOST_PIXELS = 1100
"""Beyond which it is left to `descent.py`: a step costs the cube."""

_DAMPINGS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-7)
_LENGTHS = (1.0, 0.5, 0.2)
"""What is tried in each step. Dampings are relative to the mean diagonal."""

_TINY = 1e-8
"""Damping of the correction by which steps are judged."""

_SETTLED = 4e-7
_PROGRESS = 0.8
_PATIENCE = 5
_SOBER = 6
"""Steps without a misfit of `_PROGRESS` times the best before until steps go by the error;
how many do. Where these bring no such misfit either, it ends, unless the misfit is near."""

_NEAR = 1e-2
"""Up to it, circles have come to an end at the true picture."""

_BOUND_ROUNDS, _BORDER = 10, 1e-9


class Problem(NamedTuple):
    """What is looked for.

    Attributes:
      weights: All weights of the model.
      values: float64 [outputs], the activations at the depth.
      known: bool of that shape.
    """

    weights: Weights
    values: np.ndarray
    known: np.ndarray


class Found(NamedTuple):
    """Where the steps ended.

    Attributes:
      image: float64 [h, w, c] in [0, 1].
      misfit: Sum of the activations' absolute errors, relative to that of what is known.
      steps: Done.
    """

    image: np.ndarray
    misfit: float
    steps: int


def pose(weights: Weights, reached: top.Known) -> Problem:
    """The problem at a level."""
    return Problem(weights, reached.values.ravel(), reached.known.ravel())


def applies(network: network_lib.Network, depth: int, reached: top.Known) -> bool:
    """Whether what is known may say all pixels, and they are not too many.

    Args:
      network: The network.
      depth: Number of blocks below what is known.
      reached: What is known there.
    """
    pixels = int(np.prod(network.blocks[0].input_shape))
    told = int(np.sum(reached.known & (reached.values > 0)))
    return depth > 0 and pixels <= _MOST_PIXELS and told >= pixels


def solve(
    maps: linearised.Linearised,
    problem: Problem,
    start: np.ndarray,
    most: int,
    *,
    deadline: float | None = None,
    report: Callable[[int, float], None] | None = None,
) -> Found:
    """Steps from a picture until it fits to rounding, or for as long as is allowed.

    Runs on: attacker. Sees: the weights and what is known at the depth.

    Args:
      maps: Compiled for the depth.
      problem: What is looked for.
      start: float [h, w, c] in [0, 1].
      most: Steps, at least 1.
      deadline: By `time.monotonic()`, or None.
      report: Called after each step with the number of steps and the least misfit.

    Returns:
      The picture that fits best of those passed.
    """
    x = np.clip(np.asarray(start, np.float64), 0, 1).ravel()
    best, least, improved, sober, step = x, np.inf, 0, 0, 0
    circling = np.inf
    while True:
        state = _at(maps, problem, x, start.shape)
        if state.misfit < _PROGRESS * least:
            improved = step
        if state.misfit < least:
            best, least = x, state.misfit
        if report is not None and step:
            report(step, least)
        stuck = step - improved >= _PATIENCE
        late = deadline is not None and time.monotonic() > deadline
        done = least < _SETTLED or (least < EXACT and stuck) or not np.isfinite(least)
        done |= bool(stuck and not sober and least > max(_PROGRESS * circling, _NEAR))
        if step >= most or late or done:
            return Found(best.reshape(start.shape), float(least), step)
        if stuck and not sober:
            sober, circling = _SOBER, least
            if x is not best:
                x = best
                state = _at(maps, problem, x, start.shape)
        x = _next(maps, problem, state, x, start.shape, by_error=sober > 0)
        step += 1
        if sober:
            sober -= 1
            improved = step  # Its own steps have the same patience afterwards.


class _State(NamedTuple):
    """The equations at a picture: what they miss, normal matrix, slope, and derivative."""

    misfit: float
    matrix: np.ndarray
    slope: np.ndarray
    derivative: np.ndarray
    used: np.ndarray


def _missing(problem: Problem, outputs: np.ndarray) -> np.ndarray:
    """What the outputs lack. Of one that is zero, and known to be, nothing is asked."""
    missing = problem.values - outputs.astype(np.float64)
    return np.where(problem.known, missing, 0.0)


def _misfit(problem: Problem, missing: np.ndarray) -> np.ndarray:
    size = np.sum(np.abs(problem.values[problem.known]))
    return np.asarray(np.sum(np.abs(missing), axis=-1) / size)


def _at(
    maps: linearised.Linearised,
    problem: Problem,
    x: np.ndarray,
    shape: tuple[int, ...],
) -> _State:
    outputs, derivative = maps.slopes(problem.weights, x.reshape(shape))
    missing = _missing(problem, outputs)
    used = problem.known & ((problem.values > 0) | (outputs > 0))
    derivative = derivative[:, used].astype(np.float64)
    return _State(
        float(_misfit(problem, missing)),
        derivative @ derivative.T,
        derivative @ missing[used],
        derivative,
        used,
    )


def _next(
    maps: linearised.Linearised,
    problem: Problem,
    state: _State,
    x: np.ndarray,
    shape: tuple[int, ...],
    *,
    by_error: bool,
) -> np.ndarray:
    """The best of some damped steps, by the error or by the correction left after it."""
    size = float(np.trace(state.matrix)) / len(x)
    if size == 0:
        return x
    tried, step = [], np.zeros_like(x)
    for damping in _DAMPINGS:
        step = _boxed(state, x, damping * size)
        tried += [np.clip(x + length * step, 0, 1) for length in _LENGTHS]
    outputs = maps.run(problem.weights, np.reshape(tried, (len(tried), *shape)))
    missing = _missing(problem, outputs)
    free = np.flatnonzero((x + step > _BORDER) & (x + step < 1 - _BORDER))
    if by_error or not len(free):
        return tried[int(np.argmin(_misfit(problem, missing)))]
    matrix = _damped(state.matrix[np.ix_(free, free)], _TINY * size)
    slopes = state.derivative[free] @ missing[:, state.used].T
    left = linalg.solve(matrix, slopes, assume_a="pos")
    return tried[int(np.argmin(np.linalg.norm(left, axis=0)))]


def _damped(matrix: np.ndarray, damping: float) -> np.ndarray:
    damped = matrix.copy()
    damped[np.diag_indices_from(damped)] += damping
    return damped


def _boxed(state: _State, x: np.ndarray, damping: float) -> np.ndarray:
    """The damped step to [0, 1]: pixels that would leave it are put on its border."""
    matrix = _damped(state.matrix, damping)
    border = np.where(x <= 0, 0.0, 1.0)
    held = ((x <= 0) & (state.slope < 0)) | ((x >= 1) & (state.slope > 0))
    step = np.zeros_like(x)
    for _ in range(_BOUND_ROUNDS):
        step = np.where(held, border - x, 0.0)
        free = np.flatnonzero(~held)
        if len(free):
            slope = (state.slope - matrix @ step)[free]
            step[free] = linalg.solve(matrix[np.ix_(free, free)], slope, assume_a="pos")
        outside = ~held & ((x + step < 0) | (x + step > 1))
        if not outside.any():
            break
        border = np.where(outside, np.where(x + step < 0, 0.0, 1.0), border)
        held |= outside
    return step
