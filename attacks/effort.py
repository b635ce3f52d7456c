"""How much an attacker may work: what all attacks of a study have in common."""

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

from selenc_tf import validation

Progress: TypeAlias = Callable[[int, int, float], None]
"""Called now and then with (start, iterations so far, objective)."""


@dataclasses.dataclass(frozen=True)
class Effort:
    """The limits of one attack on one gradient.

    Attributes:
      restarts: Number of starts, for attacks that search.
      max_iterations: Over all starts together, in the attack's own unit of work.
      max_seconds: Wall-clock limit, or None. A run that hits it depends on the
        machine's speed, so it is not reproducible bit by bit.
    """

    restarts: int = 2
    max_iterations: int = 2000
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
          ValueError: If a count is below 1 or the time is not positive.
        """
        validation.check_at_least("restarts", self.restarts, 1)
        validation.check_at_least("max_iterations", self.max_iterations, 1)
        if self.max_seconds is not None:
            validation.check_positive("max_seconds", self.max_seconds)
