"""The text case: a step of LAMP and a check of the vocabulary, beside PyTorch's.

A step has the distance by tensors of all gradients but the words', the prior on norms,
the slope by the words, and Adam. A check has the first block's inputs of every token at
every position, and their distances to the span of its gradient.
"""

import math
from typing import TextIO

from experiments.suites import memory
from experiments.suites.attack import tables, turns
from experiments.suites.attack import text_ours as ours
from experiments.suites.attack.request import Request
from experiments.suites.attack.text_cases import TextCase
from experiments.suites.attack.torch_side import Torch

_AGREE = 1e-3
_GRAPH = "plain graph"


def run_case(
    name: str, case: TextCase, request: Request, torch: Torch | None, stream: TextIO
) -> None:
    """Measures a case and prints its tables; see `suite.Part`."""
    for title, what, evaluate, evaluations in (
        ("A step of LAMP", "step", ours.build_step(case), case.evaluations),
        ("The vocabulary by the first span", "check", ours.build_check(case), 1),
    ):
        print(title, file=stream, flush=True)
        sides = [] if torch is None else [turns.torch_side(torch, 1, what)]
        sides.append(turns.our_side(_GRAPH, 1, evaluate))
        taken = turns.measure(sides, request.repetitions, evaluations, agree)
        tables.print_speeds(taken, stream)
    if request.memory:
        peak = memory.in_fresh_process(f"{ours.__name__}:peak_bytes", name)
        tables.print_memory(f"ours, {_GRAPH}, steps", peak, stream)


def agree(first: float, other: float) -> bool:
    """Whether two values are of one measure, by float32's rounding in sums."""
    return math.isclose(first, other, rel_tol=_AGREE)
