"""The first-order cases: objectives beside PyTorch's, and our attacks beside a recipe.

The published recipe of Inverting Gradients has the learning rates of 4,800 iterations,
the fewest that its paper takes, but only its beginning is watched: the whole would take
half an hour a picture. Up to 3/8 of the way its steps do not depend on the budget.
`quick_inversion` runs to the end of its own budget. Layer peeling is one call. All are
told the label.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import TextIO

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks.pictures.first_order import inverting_gradients, quick_inversion
from attacks.pictures.peeling import layer_peeling
from experiments.suites import memory
from experiments.suites.attack import first_order_ours as ours
from experiments.suites.attack import tables, turns, whole_attack
from experiments.suites.attack.cases import Case
from experiments.suites.attack.first_order_ours import Limits, Search
from experiments.suites.attack.recovery import Reached
from experiments.suites.attack.request import Request
from experiments.suites.attack.torch_side import Torch
from experiments.suites.measurement import progress

LEVELS = (20.0, 25.0)
"""PSNR in dB."""

_PUBLISHED = "published"

SEARCHES: Mapping[str, Search] = MappingProxyType(
    {
        "quick": Search(quick_inversion.UNTRAINED, 120),
        _PUBLISHED: Search(inverting_gradients.PUBLISHED, 4800),
    }
)
"""What is watched, by name."""

_EFFORT = effort_lib.Effort(restarts=1, max_iterations=150)

WHOLE: Mapping[str, knowledge_lib.Attack] = MappingProxyType(
    {"peeling": layer_peeling.build_layer_peeling(effort=_EFFORT)}
)
"""What is called and not watched, by name."""

_GRAPH = "plain graph"
_MAX_ITERATIONS = 260
_MAX_SECONDS = 240.0
_RELATIVE, _SMALL, _ABSOLUTE = 1e-3, 1e-2, 1e-6


def run_case(
    name: str, case: Case, request: Request, torch: Torch | None, stream: TextIO
) -> None:
    """Measures a case and prints its tables; see `suite.Part`."""
    sides = [] if torch is None else [turns.torch_side(torch, 1)]
    sides.append(turns.our_side(_GRAPH, 1, ours.build_single(case)))
    taken = turns.measure(sides, request.repetitions, case.evaluations, agree)
    tables.print_speeds(taken, stream)
    if request.memory:
        peak = memory.in_fresh_process(f"{ours.__name__}:peak_bytes", name)
        tables.print_memory(f"ours, {_GRAPH}, 1 trials", peak, stream)
    if case.attacked:
        _times_to_psnr(case, request.seed, stream)


def agree(first: float, other: float) -> bool:
    """Whether two float32 values are of one distance.

    A distance is made of numbers near 1, so that a small one has lost digits.
    """
    allowed = _ABSOLUTE if abs(first) < _SMALL else _RELATIVE * abs(first)
    return math.isfinite(first) and abs(first - other) <= allowed


def _times_to_psnr(case: Case, seed: int, stream: TextIO) -> None:
    """The time to each level, picture by picture, the attacks in turn."""
    limits = Limits(LEVELS, _MAX_ITERATIONS, _MAX_SECONDS)
    engines = {name: ours.traced_engine(case, one) for name, one in SEARCHES.items()}
    found: dict[str, list[Reached]] = {name: [] for name in (*SEARCHES, *WHOLE)}
    for picture in range(case.attacked):
        progress(f"picture {picture + 1} of {case.attacked}")
        for name, one in SEARCHES.items():
            found[name].append(
                ours.attack(case, engines[name], one, picture, limits, (seed, picture))
            )
        for name, run in WHOLE.items():
            found[name].append(
                whole_attack.attack(
                    case, run, picture, LEVELS, "iterations", (seed, picture)
                )
            )
    budgets = ", ".join(f"{name} {one.budget:,}" for name, one in SEARCHES.items())
    print(
        "Time to a PSNR, all in this project's code (no PyTorch); label known; "
        f"iterations planned for: {budgets}; at most {_MAX_ITERATIONS} and "
        f"{_MAX_SECONDS:.0f} s watched; {', '.join(WHOLE)}: {whole_attack.NOTE}",
        file=stream,
        flush=True,
    )
    tables.print_times(found, _PUBLISHED, LEVELS, "iterations", stream)
