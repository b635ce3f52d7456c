"""Bounded L-BFGS from several starts: the optimiser at the edge.

Byrd, Lu, Nocedal, Zhu, "A Limited Memory Algorithm for Bound Constrained
Optimization", SIAM J. Sci. Comput. 1995, in SciPy's implementation. Which start wins is
decided by the objective alone.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from scipy import optimize

from attacks import effort as effort_lib
from attacks.optimisers import blas
from selenc_tf import validation

Function: TypeAlias = Callable[[np.ndarray], tuple[float, np.ndarray]]
"""float64 [d] -> objective and its gradient [d]."""

Progress: TypeAlias = Callable[[int, int, float], None]
"""Called after every iteration with (start, iterations so far, objective)."""


@dataclasses.dataclass(frozen=True)
class Budget:
    """How long to search and when to be content.

    The starts are scouted for `scout_iterations` each; then they are refined in the
    order of their objective, until one reaches the tolerance or the budget is used up.

    Attributes:
      restarts: Number of starts.
      max_iterations: L-BFGS-B iterations, over all starts together.
      max_seconds: Wall-clock limit over all starts, or None. A run that hits it depends
        on the machine's speed, so it is not reproducible bit by bit.
      tolerance: The objective (a relative squared error) at which the search ends. The
        rounding of a float32 gradient alone makes about 1e-14.
      scout_iterations: Iterations of each start before the best one is continued; of no
        effect with one start.
      patience: A refinement ends as "stalled" when this many iterations together have
        improved the objective by less than `min_improvement`.
      min_improvement: The relative improvement that counts.
      history: Correction pairs that L-BFGS-B keeps (`maxcor`). On MNIST through the
        LeNet 100 pairs needed 180 evaluations where 20 needed 380; on CIFAR-100 they
        reached 49 dB in 2000 iterations where 20 reached 38 dB; beyond 100 an
        iteration costs more than it saves.
      first_step: Largest change of a variable in the very first step; sets the
        objective's scale inside the optimiser.
    """

    restarts: int = 2
    max_iterations: int = 2000
    max_seconds: float | None = None
    tolerance: float = 1e-12
    scout_iterations: int = 50
    patience: int = 100
    min_improvement: float = 0.02
    history: int = 100
    first_step: float = 0.1

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
          ValueError: If a count is below 1 or a quantity is not positive.
        """
        for name in ("restarts", "max_iterations", "scout_iterations", "patience"):
            validation.check_at_least(name, getattr(self, name), 1)
        validation.check_at_least("history", self.history, 1)
        validation.check_at_least("tolerance", self.tolerance, 0)
        validation.check_fraction("min_improvement", self.min_improvement)
        validation.check_positive("first_step", self.first_step)
        if self.max_seconds is not None:
            validation.check_positive("max_seconds", self.max_seconds)


def budget_of(effort: effort_lib.Effort) -> Budget:
    """The budget that an effort allows, with the default settings.

    Args:
      effort: What all attacks of a study have in common.

    Returns:
      Its starts, iterations and seconds as a budget.
    """
    return Budget(
        restarts=effort.restarts,
        max_iterations=effort.max_iterations,
        max_seconds=effort.max_seconds,
    )


class Minimum(NamedTuple):
    """The best point found.

    Attributes:
      point: float64 [d].
      value: The objective there; NaN if no evaluation was finite.
      start: Which start it came from.
      start_values: The best value of each start.
      iterations: Over all starts.
      evaluations: Over all starts.
      stop: Why the winning start ended.
    """

    point: np.ndarray
    value: float
    start: int
    start_values: tuple[float, ...]
    iterations: int
    evaluations: int
    stop: str


class _Run(NamedTuple):
    """One call of the optimiser."""

    point: np.ndarray
    value: float
    iterations: int
    evaluations: int
    stop: str


class _NotFiniteError(ArithmeticError):
    """The objective or its gradient is not a finite number."""


def minimise(
    functions: Sequence[Function],
    starts: Sequence[np.ndarray],
    lower: np.ndarray,
    upper: np.ndarray,
    budget: Budget,
    progress: Progress | None = None,
) -> Minimum:
    """Minimises in a box, from several starts.

    Runs on: attacker.

    Args:
      functions: For each start the objective with its gradient: usually the same one;
        different ones compare hypotheses (labels) on one scale.
      starts: float64 [d] each, inside the box; as many as functions, at least one.
      lower: float64 [d]; -inf where unbounded.
      upper: float64 [d]; +inf where unbounded.
      budget: Limits and settings.
      progress: Called after every iteration.

    Returns:
      The best point over all starts, by the objective. A start whose objective is not
      finite is reported as "not_finite" and never wins against a finite one.
    """
    with blas.one_thread():
        return _minimise(functions, starts, lower, upper, budget, progress)


def _minimise(
    functions: Sequence[Function],
    starts: Sequence[np.ndarray],
    lower: np.ndarray,
    upper: np.ndarray,
    budget: Budget,
    progress: Progress | None,
) -> Minimum:
    deadline = (
        math.inf
        if budget.max_seconds is None
        else time.monotonic() + budget.max_seconds
    )
    box = optimize.Bounds(lower, upper)
    runs: list[_Run] = []
    used, evaluations = 0, 0

    def search(index: int, point: np.ndarray, limit: int) -> _Run:
        def report(iteration: int, value: float) -> None:
            if progress is not None:
                progress(index, used + iteration, value)

        return _search(functions[index], point, box, limit, deadline, budget, report)

    scouting = len(starts) > 1
    for index, start in enumerate(starts):
        limit = budget.max_iterations - used
        if scouting:
            limit = min(limit, budget.scout_iterations)
        runs.append(search(index, start, limit))
        used += runs[-1].iterations
        evaluations += runs[-1].evaluations
        if runs[-1].stop == "tolerance":
            break
    if scouting and not any(run.stop == "tolerance" for run in runs):
        for index in sorted(range(len(runs)), key=lambda i: _rank(runs[i].value)):
            run = runs[index]
            if used >= budget.max_iterations or time.monotonic() >= deadline:
                break
            if run.stop != "iterations":
                continue
            refined = search(index, run.point, budget.max_iterations - used)
            used += refined.iterations
            evaluations += refined.evaluations
            better = _rank(refined.value) <= _rank(run.value)
            runs[index] = refined if better else run._replace(stop=refined.stop)
            if refined.stop == "tolerance":
                break
    best = min(range(len(runs)), key=lambda i: _rank(runs[i].value))
    return Minimum(
        point=runs[best].point,
        value=runs[best].value,
        start=best,
        start_values=tuple(run.value for run in runs),
        iterations=used,
        evaluations=evaluations,
        stop=runs[best].stop,
    )


def _rank(value: float) -> float:
    """Orders values with everything that is not finite last."""
    return value if math.isfinite(value) else math.inf


def _search(
    function: Function,
    start: np.ndarray,
    box: optimize.Bounds,
    max_iterations: int,
    deadline: float,
    budget: Budget,
    report: Callable[[int, float], None],
) -> _Run:
    """One run of L-BFGS-B."""
    value, slope = function(start)
    if not (math.isfinite(value) and np.all(np.isfinite(slope))):
        return _Run(start, math.nan, 0, 1, "not_finite")
    if value <= budget.tolerance:
        return _Run(start, value, 0, 1, "tolerance")
    steepest = float(np.max(np.abs(slope)))
    if steepest == 0.0:
        return _Run(start, value, 0, 1, "stalled")
    if max_iterations < 1 or time.monotonic() >= deadline:
        stop = "iterations" if max_iterations < 1 else "seconds"
        return _Run(start, value, 0, 1, stop)
    # L-BFGS-B knows no units: its first trial step is the gradient itself.
    scale = budget.first_step / steepest
    values, evaluations, stop = [value], 1, ""
    best_point, best_value = start, value

    def scaled(point: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal evaluations, best_point, best_value
        current, gradient = function(point)
        evaluations += 1
        if not (math.isfinite(current) and np.all(np.isfinite(gradient))):
            raise _NotFiniteError
        if current < best_value:
            best_point, best_value = point.copy(), current
        return current * scale, gradient * scale

    def after_iteration(intermediate_result: optimize.OptimizeResult) -> None:
        nonlocal stop
        values.append(intermediate_result.fun / scale)
        report(len(values) - 1, values[-1])
        before = values[-1 - budget.patience :][0]
        if values[-1] <= budget.tolerance:
            stop = "tolerance"
        elif time.monotonic() >= deadline:
            stop = "seconds"
        elif len(values) > budget.patience and values[-1] > before * (
            1.0 - budget.min_improvement
        ):
            stop = "stalled"
        if stop:
            raise StopIteration

    try:
        result = optimize.minimize(
            scaled,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=box,
            callback=after_iteration,
            options={
                "maxcor": budget.history,
                "maxiter": max_iterations,
                "maxfun": 20 * max_iterations,
                "ftol": 0.0,
                "gtol": 0.0,
                "maxls": 50,
            },
        )
    except _NotFiniteError:
        stop = "not_finite"
    else:
        if not stop:
            # 1: a limit was reached; otherwise no further decrease could be found.
            stop = "iterations" if result.status == 1 else "line_search"
    return _Run(best_point, best_value, len(values) - 1, evaluations, stop)
