"""Which of many classes a single picture has: a race of hypotheses.

Jamieson, Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
Optimization", AISTATS 2016 (successive halving), with the matching error as the loss:

    all classes, from the same starts --1 to 10 iterations each--> the best quarter,
    at most 12 --as many again--> their best quarter --L-BFGS-B to its end--> the best

With all of the head hidden, on the LeNet of 100 classes and CIFAR-100, the right class
led after one iteration: for five pictures at the initial weights, two of them with 95 %
of the other entries hidden too, and for two pictures that a trained net had not seen. It
did not lead after 20 for two that the net had learned by heart: their gradients nearly
vanish.
"""

import dataclasses
import math
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from attacks import knowledge as knowledge_lib
from attacks.continuous.second_order import problems
from attacks.labels import candidates
from attacks.optimisers import batched_lbfgs, lbfgs

_KEPT = 1 / 4
_MOST_FINALISTS = 4
_MOST_ITERATIONS = 10
"""Of each trial in each heat."""
_CLEAR_LEAD = 0.2
"""The leader's error relative to the next one's, at which the race is over."""
_SHARE, _LARGEST_SHARE = 1 / 10, 1 / 4
"""What the heats may use of the iterations; of the seconds it is half."""


class Plan(NamedTuple):
    """What a race may do.

    Attributes:
      starts: How many starts each class has in the first heat.
      iterations: Of each trial in each heat.
    """

    starts: int
    iterations: int


class _Runner(NamedTuple):
    """A class and where its search stands."""

    classes: knowledge_lib.Labels
    point: np.ndarray
    value: float


def plan(hypotheses: int, starts: int, max_iterations: int) -> Plan | None:
    """Divides a tenth of the iterations among the trials of all heats.

    Where a tenth is too few for one iteration each, up to a quarter may be used.

    Args:
      hypotheses: How many there are.
      starts: How many each may have; those beyond the first only run if all trials have
        10 iterations in each heat.
      max_iterations: Of the whole attack.

    Returns:
      The plan, or None where a quarter of the iterations is less than one for each
      trial.

    Example:
      100 hypotheses (then 12, then 3) and 2000 iterations: 1 start, 1 iteration, 112 in
      all; with 22,000 iterations 2 starts, 10 iterations, 2120 in all.
    """
    later = sum(_heats(hypotheses)[1:])
    share = int(_SHARE * max_iterations)
    if share < hypotheses + later <= int(_LARGEST_SHARE * max_iterations):
        share = hypotheses + later
    affordable = (share // _MOST_ITERATIONS - later) // hypotheses
    used = min(max(affordable, 1), starts)
    iterations = min(share // (used * hypotheses + later), _MOST_ITERATIONS)
    return Plan(used, iterations) if iterations >= 1 else None


def _heats(hypotheses: int) -> list[int]:
    """How many run in each heat, at least one heat: 100 -> [100, 12]."""
    sizes = [hypotheses]
    while _kept(sizes[-1]) > _MOST_FINALISTS:
        sizes.append(_kept(sizes[-1]))
    return sizes


def _kept(runners: int) -> int:
    return min(math.ceil(_KEPT * runners), candidates.MOST_CANDIDATES)


def minimise(
    problem: problems.Problem,
    knowledge: knowledge_lib.Knowledge,
    hypotheses: tuple[knowledge_lib.Labels, ...],
    starts: Sequence[np.ndarray],
    budget: lbfgs.Budget,
    progress: lbfgs.Progress | None = None,
) -> tuple[lbfgs.Minimum, knowledge_lib.Labels] | None:
    """Finds the classes and the pictures of the smallest matching error.

    A class whose error is not finite from any start leaves the race; after the first
    heat each keeps its best start. A leader whose error is a fifth of the next one's
    and of that of a zero gradient has won the heats. In the final each finalist goes on
    from where it stands, and the leader also from the starts that the plan had no
    iterations for.

    Heats and final share the budget's iterations (`plan`). The heats may take half of
    the seconds; then the final begins with whoever leads. A heat notices that its time
    is up after an evaluation of every trial: that is the least a race takes, and by how
    much it may overrun.

    Runs on: attacker. Sees: the problem and its knowledge. Memory: 16 bytes for each
    trial, variable and iteration of a heat.

    Args:
      problem: What to match.
      knowledge: The model, and how messages are made.
      hypotheses: The possible classes of the batch, at least one.
      starts: float64 [b, h, w, c] in [0, 1] each, the most important first.
      budget: Limits and settings of the optimiser.
      progress: Called after every iteration, in the heats with the trial as the start
        and with the iterations of all trials together.

    Returns:
      The minimum and its classes, where `start` and `start_values` are the final's, and
      iterations and evaluations those of heats and final together; None if the budget's
      iterations are too few for a race.
    """
    planned = plan(len(hypotheses), len(starts), budget.max_iterations)
    if planned is None:
        return None
    began = time.monotonic()
    count = {"iterations": 0, "evaluations": 0}

    def report(start: int, _: int, value: float) -> None:
        count["iterations"] += 1
        if progress is not None:
            progress(start, count["iterations"], value)

    runners = [
        _Runner(classes, start.ravel().astype(np.float64), math.nan)
        for classes in hypotheses
        for start in starts[: planned.starts]
    ]
    for size in _heats(len(hypotheses)):
        seconds = None
        if budget.max_seconds is not None:
            seconds = budget.max_seconds / 2 - (time.monotonic() - began)
            if seconds <= 0:
                break
        minima = batched_lbfgs.minimise(
            problems.batch_objective(
                problem, knowledge, [one.classes for one in runners]
            ),
            np.stack([one.point for one in runners]),
            np.zeros(runners[0].point.size),
            np.ones(runners[0].point.size),
            dataclasses.replace(
                budget,
                max_iterations=planned.iterations,
                max_seconds=seconds,
                history=min(budget.history, planned.iterations),
            ),
            report,
        )
        count["evaluations"] += sum(one.evaluations for one in minima)
        runners = _best(runners, minima)[: _kept(size)]
        if _decided(runners, budget.tolerance):
            runners = runners[:1]
            break
    return _final(
        problem,
        knowledge,
        runners[:_MOST_FINALISTS],
        starts[planned.starts :],
        budget,
        time.monotonic() - began,
        count["iterations"],
        count["evaluations"],
        progress,
    )


def _best(runners: Sequence[_Runner], minima: Sequence[lbfgs.Minimum]) -> list[_Runner]:
    """The best finite trial of each class, best first; one trial if none is finite."""
    moved = [
        one._replace(point=minimum.point, value=minimum.value)
        for one, minimum in zip(runners, minima, strict=True)
    ]
    found: dict[knowledge_lib.Labels, _Runner] = {}
    for one in sorted(
        (one for one in moved if math.isfinite(one.value)), key=lambda one: one.value
    ):
        found.setdefault(one.classes, one)
    return list(found.values()) or moved[:1]


def _decided(runners: Sequence[_Runner], tolerance: float) -> bool:
    """Whether the first of these, best first, leads by far with an error that counts."""
    second = min((one.value for one in runners[1:]), default=math.inf)
    # An error of 1 is that of a gradient of zeros: below it a lead means something.
    return runners[0].value <= max(tolerance, _CLEAR_LEAD * min(second, 1.0))


def _final(
    problem: problems.Problem,
    knowledge: knowledge_lib.Knowledge,
    finalists: Sequence[_Runner],
    unused: Sequence[np.ndarray],
    budget: lbfgs.Budget,
    seconds: float,
    iterations: int,
    evaluations: int,
    progress: lbfgs.Progress | None,
) -> tuple[lbfgs.Minimum, knowledge_lib.Labels]:
    """Goes on with what the heats have left of the budget."""
    classes = [one.classes for one in finalists]
    classes += [finalists[0].classes] * len(unused)
    points = [one.point for one in finalists]
    points += [start.ravel().astype(np.float64) for start in unused]
    objectives_of = problems.compiled_objectives(problem, knowledge)
    left = None
    if budget.max_seconds is not None:
        left = max(budget.max_seconds - seconds, 1e-3)

    def report(start: int, iteration: int, value: float) -> None:
        if progress is not None:
            progress(start, iterations + iteration, value)

    best = problems.minimise(
        [objectives_of(labels) for labels in classes],
        points,
        points[0].size,
        dataclasses.replace(
            budget,
            max_iterations=budget.max_iterations - iterations,
            max_seconds=left,
        ),
        report,
    )
    return best._replace(
        iterations=iterations + best.iterations,
        evaluations=evaluations + best.evaluations,
    ), classes[best.start]
