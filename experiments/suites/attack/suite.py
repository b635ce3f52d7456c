"""Gradient matching on our side and on PyTorch's, and the time to a given PSNR.

Both evaluate the same objective with its slope at the same points, in float64, in turn
in one run, and their values are compared. The published recipe for the LeNet (L-BFGS of
step 1, history 100, 20 inner iterations, no line search, 300 outer steps) runs in
PyTorch on the same pictures as our attack.
"""

import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, TextIO

import numpy as np
import rich.box
import rich.console
import rich.table

from attacks.second_order import matching
from experiments.outputs import environment
from experiments.suites.attack import ours, torch_side
from experiments.suites.attack.cases import CASES, Case
from experiments.suites.attack.torch_side import Torch

LEVELS = (30.0, 40.0)
"""PSNR in dB."""

_VERSIONS = ("tensorflow", "keras", "numpy", "scipy")
_OUTER_STEPS = 300
_EVALUATIONS = 20
_AGREE = 1e-9


class Request(NamedTuple):
    """What to measure.

    Attributes:
      torch_python: The interpreter of an environment with PyTorch, or "".
      repetitions: Turns of each side; one more comes first and does not count.
      pictures: How many are attacked for the time to a PSNR; 0 for none.
      trials: How many make a batch.
      max_seconds: Limit of one attack on one picture, on both sides.
      seed: Of weights and starts.
      memory: Whether to measure it; each number takes a process of its own.
    """

    torch_python: str = ""
    repetitions: int = 15
    pictures: int = 5
    trials: int = 16
    max_seconds: float = 60.0
    seed: int = 0
    memory: bool = True


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


def run(request: Request, stream: TextIO) -> None:
    """Measures and prints tables.

    Args:
      request: What to measure.
      stream: Where the tables go.

    Raises:
      RuntimeError: If the sides do not compute the same.
    """
    described = environment.describe(_VERSIONS)
    versions = ", ".join(
        f"{name} {version}" for name, version in described["versions"].items()
    )
    print(
        f"{described['cpu']['cores']} cores, {described['cpu']['model']}, "
        f"{', '.join(described['devices'])}; {versions}",
        file=stream,
    )
    absent = torch_side.why_absent(request.torch_python)
    if absent is not None:
        print(absent, file=stream, flush=True)
    for name, make in CASES.items():
        case = make(request.pictures, request.trials, request.seed)
        print(
            f"{name}: {case.model.spec.size:,} parameters, data {case.data}",
            file=stream,
            flush=True,
        )
        if absent is not None:
            _run_case(name, case, request, None, stream)
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "case.npz"
            torch_side.save(case, path)
            with torch_side.started(request.torch_python, path) as torch:
                print(
                    f"PyTorch {torch.version}, {torch.threads} threads (the fastest)",
                    file=stream,
                    flush=True,
                )
                _run_case(name, case, request, torch, stream)
            if request.memory:
                for trials in (1, request.trials):
                    with torch_side.started(request.torch_python, path, False) as fresh:
                        asked = {"what": "memory", "trials": trials}
                        taken = fresh.ask(asked)["peak_bytes"]
                    _print_memory(f"PyTorch, {trials} trials", taken, stream)


def _run_case(
    name: str, case: Case, request: Request, torch: Torch | None, stream: TextIO
) -> None:
    compiled = {
        way: matching.build_matching(case.model, jit_compile=jit)
        for way, jit in ours.COMPILED.items()
    }
    sides = _sides(case, compiled, request.trials, torch)
    _print_speeds(sides, _measure(sides, request.repetitions), stream)
    if request.memory:
        for way in ours.COMPILED:
            for trials in (1, request.trials):
                taken = ours.peak_bytes(name, way, trials)
                _print_memory(f"ours, {way}, {trials} trials", taken, stream)
    if request.pictures:
        _times_to_psnr(case, compiled[ours.XLA], request, torch, stream)


def _sides(
    case: Case,
    compiled: dict[str, matching.Matching],
    trials: int,
    torch: Torch | None,
) -> list[Side]:
    """What takes turns; PyTorch's single trial is the first, if there is one."""
    sides = []
    for count in (1, trials):
        if torch is not None:
            sides.append(Side(f"PyTorch, {count}", count, _asking(torch, count)))
        for way, one in compiled.items():
            evaluate = (
                ours.build_single(case, one)
                if count == 1
                else ours.build_batch(case, one, count)
            )
            sides.append(Side(f"ours, {way}, {count}", count, _taking(evaluate)))
    return sides


def _asking(torch: Torch, trials: int) -> Callable[[int], tuple[float, float, float]]:
    def take(evaluations: int) -> tuple[float, float, float]:
        found = torch.ask(
            {"what": "time", "trials": trials, "evaluations": evaluations}
        )
        return found["seconds"], found["cpu_seconds"], found["value"]

    return take


def _taking(
    evaluate: Callable[[], float],
) -> Callable[[int], tuple[float, float, float]]:
    def take(evaluations: int) -> tuple[float, float, float]:
        began, worked = time.perf_counter(), time.process_time()
        for _ in range(evaluations):
            value = evaluate()
        return (
            (time.perf_counter() - began) / evaluations,
            (time.process_time() - worked) / evaluations,
            value,
        )

    return take


def _measure(sides: Sequence[Side], repetitions: int) -> dict[str, np.ndarray]:
    """Seconds and CPU seconds of each trial, [turns, 2], by the side's name."""
    taken: dict[str, list[tuple[float, float]]] = {side.name: [] for side in sides}
    for turn in range(repetitions + 1):
        _progress(f"turn {turn} of {repetitions}")
        values = []
        for side in sides:
            seconds, cpu, value = side.take(max(1, _EVALUATIONS // side.trials))
            taken[side.name].append((seconds / side.trials, cpu / side.trials))
            values.append(value)
        if not np.allclose(values, values[0], rtol=_AGREE, atol=0):
            raise RuntimeError(
                "All sides must compute the same objective, got "
                f"{dict(zip((side.name for side in sides), values, strict=True))}."
            )
    # The first turn compiles.
    return {name: np.array(times[1:]) for name, times in taken.items()}


def _print_speeds(
    sides: Sequence[Side], taken: dict[str, np.ndarray], stream: TextIO
) -> None:
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD)
    first = taken[sides[0].name]
    for heading in (
        "value and slope; side, trials at once",
        "trials/s",
        "ms a trial",
        "CPU ms",
        f"speed / {sides[0].name} (min, max)",
        "by CPU",
    ):
        table.add_column(heading, justify="right" if table.columns else "left")
    for side in sides:
        seconds, cpu = taken[side.name].T
        ratios = first[:, 0] / seconds
        table.add_row(
            side.name,
            f"{1 / statistics.median(seconds):.0f}",
            f"{1e3 * statistics.median(seconds):.2f}",
            f"{1e3 * statistics.median(cpu):.2f}",
            f"{statistics.median(ratios):.2f} ({ratios.min():.2f}, {ratios.max():.2f})",
            f"{statistics.median(first[:, 1] / cpu):.2f}",
        )
    _print(table, stream)


def _times_to_psnr(
    case: Case,
    compiled: matching.Matching,
    request: Request,
    torch: Torch | None,
    stream: TextIO,
) -> None:
    """The time to each level, picture by picture, ours and the recipe's in turn."""
    found: dict[str, list[dict[float, tuple[float, float]]]] = {"ours": []}
    best: dict[str, list[float]] = {"ours": []}
    if torch is not None:
        found["recipe"], best["recipe"] = [], []
    for picture in range(request.pictures):
        _progress(f"picture {picture + 1} of {request.pictures}")
        mine = ours.attack(case, compiled, picture, LEVELS, request.max_seconds)
        found["ours"].append(dict(mine.reached))
        best["ours"].append(mine.best)
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
            theirs = {
                float(key): (value[0], value[1])
                for key, value in answer["reached"].items()
            }
            found["recipe"].append(theirs)
            best["recipe"].append(
                float("nan") if answer["best"] is None else answer["best"]
            )
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD)
    for heading in ("PSNR", "who", "reached", "median s", "median CPU s", "best dB"):
        table.add_column(heading, justify="right")
    for level in LEVELS:
        for who, cases in found.items():
            times = [one[level] for one in cases if level in one]
            middle = [
                f"{statistics.median(column):.1f}"
                for column in zip(*times, strict=True)
            ]
            table.add_row(
                f"{level:g} dB",
                who,
                f"{len(times)} of {len(cases)}",
                *(middle or ("-", "-")),
                f"{np.nanmedian(best[who]):.1f}" if best[who] else "-",
            )
        if torch is not None:
            both = [
                mine[level][0] / theirs[level][0]
                for mine, theirs in zip(found["ours"], found["recipe"], strict=True)
                if level in mine and level in theirs
            ]
            ratio = f"{statistics.median(both):.2f}" if both else "-"
            table.add_row("", f"ours / recipe, {len(both)} pictures", "", ratio, "", "")
    _print(table, stream)


def _print_memory(what: str, taken: int, stream: TextIO) -> None:
    print(f"{what}: peak memory {taken / 2**20:,.0f} MiB", file=stream, flush=True)


def _print(table: rich.table.Table, stream: TextIO) -> None:
    rich.console.Console(file=stream, width=110, highlight=False).print(table)


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
