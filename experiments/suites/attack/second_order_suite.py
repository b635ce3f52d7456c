"""The second-order cases: objectives beside PyTorch's, DLG and R-GAP beside a recipe.

The published recipe for the LeNet (L-BFGS of step 1, history 100, 20 inner iterations,
no line search, 300 outer steps) runs in PyTorch on the same pictures as our attacks.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TextIO

from attacks import knowledge as knowledge_lib
from attacks.continuous.analytic import r_gap
from attacks.matching import matching
from experiments.suites import memory
from experiments.suites.attack import second_order_ours as ours
from experiments.suites.attack import tables, turns, whole_attack
from experiments.suites.attack.cases import Case
from experiments.suites.attack.recovery import Reached
from experiments.suites.attack.request import Request
from experiments.suites.attack.torch_side import Torch
from experiments.suites.measurement import progress

LEVELS = (30.0, 40.0)
"""PSNR in dB."""

WHOLE: Mapping[str, knowledge_lib.Attack] = MappingProxyType(
    {"R-GAP": r_gap.build_r_gap()}
)
"""What is called and not watched, by name."""

_DLG, _RECIPE = "DLG", "recipe"
_OUTER_STEPS = 300
_AGREE = 1e-9


def run_case(
    name: str, case: Case, request: Request, torch: Torch | None, stream: TextIO
) -> None:
    """Measures a case and prints its tables; see `suite.Part`."""
    compiled = {
        way: matching.build_matching(case.model, jit_compile=jit)
        for way, jit in ours.COMPILED.items()
    }
    sides = _sides(case, compiled, request.trials, torch)
    taken = turns.measure(sides, request.repetitions, case.evaluations, _agree)
    tables.print_speeds(taken, stream)
    if request.memory:
        for way in ours.COMPILED:
            for trials in (1, request.trials):
                peak = memory.in_fresh_process(
                    f"{ours.__name__}:peak_bytes", name, way, trials
                )
                tables.print_memory(f"ours, {way}, {trials} trials", peak, stream)
    if case.attacked:
        _times_to_psnr(case, compiled[ours.XLA], request, torch, stream)


def _agree(first: float, other: float) -> bool:
    return math.isclose(first, other, rel_tol=_AGREE)


def _sides(
    case: Case,
    compiled: Mapping[str, matching.Matching],
    trials: int,
    torch: Torch | None,
) -> list[turns.Side]:
    """What takes turns; PyTorch's single trial is the first, if there is one."""
    sides = []
    for count in (1, trials):
        if torch is not None:
            sides.append(turns.torch_side(torch, count))
        for way, one in compiled.items():
            evaluate = ours.build_evaluation(case, one, count)
            sides.append(turns.our_side(way, count, evaluate))
    return sides


def _times_to_psnr(
    case: Case,
    compiled: matching.Matching,
    request: Request,
    torch: Torch | None,
    stream: TextIO,
) -> None:
    """The time to each level, picture by picture, ours and the recipe's in turn."""
    found: dict[str, list[Reached]] = {name: [] for name in (_DLG, *WHOLE)}
    if torch is not None:
        found[_RECIPE] = []
    for picture in range(case.attacked):
        progress(f"picture {picture + 1} of {case.attacked}")
        found[_DLG].append(
            ours.attack(case, compiled, picture, LEVELS, request.max_seconds)
        )
        for name, run in WHOLE.items():
            seed = request.seed, picture
            found[name].append(
                whole_attack.attack(case, run, picture, LEVELS, "CPU s", seed)
            )
        if torch is not None:
            answer = torch.ask(
                {
                    "what": "recipe",
                    "picture": picture,
                    "seed": request.seed + picture,
                    "outer_steps": _OUTER_STEPS,
                    "levels": LEVELS,
                    "max_seconds": request.max_seconds,
                }
            )
            found[_RECIPE].append(_theirs(answer))
    print(
        f"Time to a PSNR; label known; {', '.join(WHOLE)}: {whole_attack.NOTE}",
        file=stream,
        flush=True,
    )
    tables.print_times(found, _RECIPE, LEVELS, "CPU s", stream)


def _theirs(answer: Mapping[str, Any]) -> Reached:
    return Reached(
        {float(key): (one[0], one[1]) for key, one in answer["reached"].items()},
        math.nan if answer["best"] is None else answer["best"],
        answer["seconds"],
        answer["evaluations"],
    )
