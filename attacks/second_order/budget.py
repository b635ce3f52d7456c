"""How long a search by L-BFGS goes on, and what it comes back with."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from attacks import effort as effort_lib
from selenc_tf import validation

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
      history: Correction pairs that are kept. On MNIST through the
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
