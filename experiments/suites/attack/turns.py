"""Ways to evaluate one objective, timed in turn in one run."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from experiments.suites.attack.torch_side import Torch
from experiments.suites.measurement import progress


class Side(NamedTuple):
    """One way to evaluate.

    Attributes:
      name: What tables call it.
      trials: In one evaluation.
      take: `evaluations -> (seconds of one, CPU seconds of one, value)`.
    """

    name: str
    trials: int
    take: Callable[[int], tuple[float, float, float]]


def torch_side(torch: Torch, trials: int, what: str = "time") -> Side:
    """PyTorch's evaluations of `what` is asked for, timed in its own process."""

    def take(evaluations: int) -> tuple[float, float, float]:
        found = torch.ask({"what": what, "trials": trials, "evaluations": evaluations})
        return found["seconds"], found["cpu_seconds"], found["value"]

    return Side(f"PyTorch, {trials}", trials, take)


def our_side(way: str, trials: int, evaluate: Callable[[], float]) -> Side:
    """Evaluations in this process."""

    def take(evaluations: int) -> tuple[float, float, float]:
        began, worked = time.perf_counter(), time.process_time()
        for _ in range(evaluations):
            value = evaluate()
        return (
            (time.perf_counter() - began) / evaluations,
            (time.process_time() - worked) / evaluations,
            value,
        )

    return Side(f"ours, {way}, {trials}", trials, take)


def measure(
    sides: Sequence[Side],
    repetitions: int,
    evaluations: int,
    agree: Callable[[float, float], bool],
) -> Mapping[str, np.ndarray]:
    """Times the sides in turn.

    Args:
      sides: What takes turns, in this order.
      repetitions: Turns that count. One more comes first: it compiles.
      evaluations: Of one trial in a turn; a side that evaluates many trials at once
        does as many fewer.
      agree: Whether two values are of the same objective.

    Returns:
      Seconds and CPU seconds of each trial, [turns, 2], by the side's name.

    Raises:
      RuntimeError: If a side's value does not agree with the first one's.
    """
    taken: dict[str, list[tuple[float, float]]] = {side.name: [] for side in sides}
    for turn in range(repetitions + 1):
        progress(f"turn {turn} of {repetitions}")
        values = []
        for side in sides:
            seconds, cpu, value = side.take(max(1, evaluations // side.trials))
            taken[side.name].append((seconds / side.trials, cpu / side.trials))
            values.append(value)
        if not all(agree(values[0], value) for value in values):
            raise RuntimeError(
                "All sides must compute the same objective, got "
                f"{dict(zip((side.name for side in sides), values, strict=True))}."
            )
    return {name: np.array(times[1:]) for name, times in taken.items()}
