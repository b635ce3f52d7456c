"""Bounded L-BFGS for many trials at once, each on its own path.

Byrd, Nocedal, Schnabel, "Representations of quasi-Newton matrices and their use in
limited memory methods", Mathematical Programming 1994, equation 3.1 (the inverse in
compact form), with Bertsekas, "Projected Newton Methods for Optimization Problems with
Simple Constraints", SIAM J. Control Optim. 1982: variables at a bound that the gradient
pushes outwards are held, the others take the quasi-Newton step, and the step is
projected.

All trials ask for one evaluation in every round of the loop: one that went down far
enough makes a new direction, another tries a shorter step. Those that are done leave the
arrays. A trial's path depends on no other trial.
"""

import math
import time
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from attacks.optimisers import blas, lbfgs

BatchFunction: TypeAlias = Callable[
    [np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]
]
"""`(points [a, d], trials int [a]) -> objectives [a], gradients [a, d]`, float64."""

_SUFFICIENT = 1e-4
_SHORTEST = 1e-12
_CURVATURE = 1e-12


class _State(NamedTuple):
    """The trials that go on; every array has them as its first axis.

    Attributes:
      trial: int [a], whose they are.
      point: [a, d], the last accepted.
      value: [a].
      slope: [a, d].
      direction: [a, d].
      step: [a], how much of the direction is tried next.
      steps, changes: [a, m, d], the correction pairs, in slots.
      inner_sy, inner_yy: [a, m, m], their inner products.
      age: int [a, m], when a slot was filled; -1 for never.
      gamma: [a], the scale of the inverse.
      iterations: int [a].
      past: [a, patience + 1], the values of the last iterations.
    """

    trial: np.ndarray
    point: np.ndarray
    value: np.ndarray
    slope: np.ndarray
    direction: np.ndarray
    step: np.ndarray
    steps: np.ndarray
    changes: np.ndarray
    inner_sy: np.ndarray
    inner_yy: np.ndarray
    age: np.ndarray
    gamma: np.ndarray
    iterations: np.ndarray
    past: np.ndarray


def minimise(
    function: BatchFunction,
    starts: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    budget: lbfgs.Budget,
    progress: lbfgs.Progress | None = None,
) -> tuple[lbfgs.Minimum, ...]:
    """Minimises from every start, independently.

    Runs on: attacker. Memory: 16 bytes for each start, variable and pair of
    `budget.history`.

    Args:
      function: The objectives of the trials that are asked for, with gradients.
      starts: float64 [t, d], inside the box.
      lower: float64 [d]; -inf where unbounded.
      upper: float64 [d]; +inf where unbounded.
      budget: `max_iterations` and all rules of stopping hold for each trial by itself,
        `max_seconds` for all together; `restarts` and `scout_iterations` are of no
        effect.
      progress: Called with (trial, its iterations, its objective).

    Returns:
      One minimum for each start, in order, whose `start` is its index. A trial whose
      objective is not finite stops as "not_finite" and does not disturb the others.
    """
    with blas.one_thread():
        return _minimise(function, starts, lower, upper, budget, progress)


def _minimise(
    function: BatchFunction,
    starts: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    budget: lbfgs.Budget,
    progress: lbfgs.Progress | None,
) -> tuple[lbfgs.Minimum, ...]:
    deadline = (
        math.inf
        if budget.max_seconds is None
        else time.monotonic() + budget.max_seconds
    )
    count = len(starts)
    values, slopes = function(starts, np.arange(count))
    best_points, best_values = (
        starts.copy(),
        np.where(_finite(values, slopes), values, np.nan),
    )
    evaluations = np.ones(count, np.int64)
    iterations = np.zeros(count, np.int64)
    stops = np.array(
        [_stop_at_start(*pair, budget) for pair in zip(values, slopes, strict=True)],
        object,
    )
    going = np.flatnonzero(stops == "")
    state = _begin(
        going, starts[going], values[going], slopes[going], lower, upper, budget
    )
    while state.trial.size:
        if time.monotonic() >= deadline:
            stops[state.trial] = "seconds"
            break
        moved = np.clip(
            state.point + state.step[:, np.newaxis] * state.direction, lower, upper
        )
        values, slopes = function(moved, state.trial)
        evaluations[state.trial] += 1
        finite = _finite(values, slopes)
        better = finite & (values < best_values[state.trial])
        best_points[state.trial[better]] = moved[better]
        best_values[state.trial[better]] = values[better]
        promised = np.einsum("ad,ad->a", state.slope, moved - state.point)
        enough = finite & (promised < 0)
        enough &= values <= state.value + _SUFFICIENT * promised
        shorter = _shorter(state.step, state.value, promised, values)
        state = state._replace(step=np.where(enough, 1.0, shorter))
        if np.any(enough):
            state = _accept(state, enough, moved, values, slopes, lower, upper)
            iterations[state.trial] = state.iterations
            if progress is not None:
                for index in np.flatnonzero(enough):
                    progress(
                        int(state.trial[index]),
                        int(state.iterations[index]),
                        float(state.value[index]),
                    )
        reasons = _reasons(state, enough, finite, budget)
        stops[state.trial] = reasons
        keep = reasons == ""
        if not np.all(keep):
            state = _State(*(part[keep] for part in state))
    return tuple(
        lbfgs.Minimum(
            point=best_points[index],
            value=float(best_values[index]),
            start=index,
            start_values=(float(best_values[index]),),
            iterations=int(iterations[index]),
            evaluations=int(evaluations[index]),
            stop=str(stops[index]),
        )
        for index in range(count)
    )


def _finite(values: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    return np.isfinite(values) & np.all(np.isfinite(slopes), axis=1)


def _stop_at_start(value: float, slope: np.ndarray, budget: lbfgs.Budget) -> str:
    if not (np.isfinite(value) and np.all(np.isfinite(slope))):
        return "not_finite"
    if value <= budget.tolerance:
        return "tolerance"
    return "" if np.any(slope) else "stalled"


def _begin(
    trial: np.ndarray,
    point: np.ndarray,
    value: np.ndarray,
    slope: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    budget: lbfgs.Budget,
) -> _State:
    active, size = point.shape
    history = budget.history
    direction = -_free(point, slope, lower, upper)
    # As in `lbfgs.py`: the first step changes no variable by more than this.
    steepest = np.max(np.abs(slope), axis=1, initial=0.0)
    return _State(
        trial=trial,
        point=point,
        value=value,
        slope=slope,
        direction=direction,
        step=budget.first_step / np.where(steepest > 0, steepest, 1.0),
        steps=np.zeros((active, history, size)),
        changes=np.zeros((active, history, size)),
        inner_sy=np.zeros((active, history, history)),
        inner_yy=np.zeros((active, history, history)),
        age=np.full((active, history), -1, np.int64),
        gamma=np.ones(active),
        iterations=np.zeros(active, np.int64),
        past=np.repeat(value[:, np.newaxis], budget.patience + 1, axis=1),
    )


def _free(
    point: np.ndarray, slope: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> np.ndarray:
    """The gradient without the variables that it holds at a bound."""
    held = ((point <= lower) & (slope > 0)) | ((point >= upper) & (slope < 0))
    return np.where(held, 0.0, slope)


def _shorter(
    step: np.ndarray, before: np.ndarray, promised: np.ndarray, after: np.ndarray
) -> np.ndarray:
    """The minimum of the parabola through what is known, within [0.1, 0.5] of a step."""
    with np.errstate(all="ignore"):
        factor = -promised / (2 * (after - before - promised))
    factor = np.where(np.isfinite(factor), factor, 0.1)
    return step * np.clip(factor, 0.1, 0.5)


def _accept(
    state: _State,
    enough: np.ndarray,
    moved: np.ndarray,
    values: np.ndarray,
    slopes: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
) -> _State:
    """Moves the trials that went down far enough, and gives them new directions."""
    rows = np.flatnonzero(enough)
    history = state.age.shape[1]
    step, change = moved - state.point, slopes - state.slope
    curvature = np.einsum("ad,ad->a", step, change)
    squares = np.einsum("ad,ad->a", change, change)
    lengths = np.einsum("ad,ad->a", step, step)
    useful = enough & (curvature > _CURVATURE * np.sqrt(squares * lengths))
    for row in np.flatnonzero(useful):
        slot = int(np.argmin(state.age[row]))
        state.steps[row, slot], state.changes[row, slot] = step[row], change[row]
        state.inner_sy[row, slot] = state.changes[row] @ step[row]
        state.inner_sy[row, :, slot] = state.steps[row] @ change[row]
        with_changes = state.changes[row] @ change[row]
        state.inner_yy[row, slot] = with_changes
        state.inner_yy[row, :, slot] = with_changes
        state.age[row, slot] = state.iterations[row]
        state.gamma[row] = curvature[row] / squares[row]
    state.point[rows], state.slope[rows] = moved[rows], slopes[rows]
    state.value[rows] = values[rows]
    state.iterations[rows] += 1
    state.past[rows, :-1] = state.past[rows, 1:]
    state.past[rows, -1] = values[rows]
    filled = min(history, int(state.iterations.max()))
    for row in rows:
        free = _free(state.point[row], state.slope[row], lower, upper)
        wanted = -_inverse_times(state, int(row), filled, free)
        wanted[free == 0.0] = 0.0
        # Rounding can spoil a long history; the gradient is always a way down.
        if not wanted @ free < 0:
            wanted = -state.gamma[row] * free
            state.age[row] = -1
            for part in (state.steps, state.changes, state.inner_sy, state.inner_yy):
                part[row] = 0.0
        state.direction[row] = wanted
    return state


def _inverse_times(
    state: _State, row: int, filled: int, vector: np.ndarray
) -> np.ndarray:
    """The inverse Hessian's approximation times a vector [d], in compact form."""
    steps, changes = state.steps[row, :filled], state.changes[row, :filled]
    age, gamma = state.age[row, :filled], state.gamma[row]
    later = (age[:, np.newaxis] <= age) & (age[:, np.newaxis] >= 0)
    upper = np.where(later, state.inner_sy[row, :filled, :filled], 0.0)
    upper[np.diag_indices(filled)] += age < 0
    diagonal = np.where(age < 0, 0.0, np.diag(upper))
    by_steps, by_changes = steps @ vector, changes @ vector
    inner = np.linalg.solve(upper, by_steps)
    outer = diagonal * inner - gamma * by_changes
    outer += gamma * (state.inner_yy[row, :filled, :filled] @ inner)
    outer = np.linalg.solve(upper.T, outer)
    return gamma * vector + outer @ steps - gamma * (inner @ changes)


def _reasons(
    state: _State, enough: np.ndarray, finite: np.ndarray, budget: lbfgs.Budget
) -> np.ndarray:
    """Why each trial ends; empty where it goes on."""
    reasons = np.full(state.trial.size, "", object)
    old = state.past[:, 0] * (1.0 - budget.min_improvement)
    stalled = (state.iterations > budget.patience) & (state.value > old)
    reasons[enough & stalled] = "stalled"
    reasons[enough & (state.iterations >= budget.max_iterations)] = "iterations"
    reasons[enough & (state.value <= budget.tolerance)] = "tolerance"
    still = ~np.any(state.direction, axis=1)
    reasons[(reasons == "") & still] = "stalled"
    reasons[~enough & (state.step < _SHORTEST)] = "line_search"
    # As SciPy's: what is not a number ends a search.
    reasons[~finite] = "not_finite"
    return reasons
