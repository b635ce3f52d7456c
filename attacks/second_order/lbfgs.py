"""Bounded L-BFGS from several starts: the optimiser at the edge.

Each start is one trial of `batched_lbfgs.py`. SciPy's L-BFGS-B (Byrd, Lu, Nocedal, Zhu,
SIAM J. Sci. Comput. 1995), which went the same way in as many iterations, spent as long
on itself as on the objective with the 100 correction pairs that the LeNet wants: on two
cores 95 iterations a second against 150. Which start wins is decided by the objective
alone.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from attacks.second_order import batched_lbfgs, blas
from attacks.second_order.budget import Budget as Budget
from attacks.second_order.budget import Minimum as Minimum
from attacks.second_order.budget import Progress as Progress
from attacks.second_order.budget import budget_of as budget_of

Function: TypeAlias = Callable[[np.ndarray], tuple[float, np.ndarray]]
"""float64 [d] -> objective and its gradient [d]."""


class _Run(NamedTuple):
    """One call of the optimiser."""

    point: np.ndarray
    value: float
    iterations: int
    evaluations: int
    stop: str


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
    runs: list[_Run] = []
    used, evaluations = 0, 0

    def search(index: int, point: np.ndarray, limit: int) -> _Run:
        def report(iteration: int, value: float) -> None:
            if progress is not None:
                progress(index, used + iteration, value)

        return _search(
            functions[index], point, lower, upper, limit, deadline, budget, report
        )

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
    lower: np.ndarray,
    upper: np.ndarray,
    max_iterations: int,
    deadline: float,
    budget: Budget,
    report: Callable[[int, float], None],
) -> _Run:
    """One run from one start."""
    left = deadline - time.monotonic()
    if max_iterations < 1 or left <= 0:
        value, slope = function(start)
        if not (math.isfinite(value) and np.all(np.isfinite(slope))):
            return _Run(start, math.nan, 0, 1, "not_finite")
        stop = "iterations" if max_iterations < 1 else "seconds"
        return _Run(
            start, value, 0, 1, "tolerance" if value <= budget.tolerance else stop
        )
    limits = dataclasses.replace(
        budget,
        max_iterations=max_iterations,
        max_seconds=None if math.isinf(left) else left,
    )

    def alone(points: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, slope = function(points[0])
        return np.array([value]), slope[np.newaxis]

    (found,) = batched_lbfgs.minimise(
        alone,
        start[np.newaxis],
        lower,
        upper,
        limits,
        lambda _, iteration, value: report(iteration, value),
    )
    return _Run(
        found.point, found.value, found.iterations, found.evaluations, found.stop
    )
