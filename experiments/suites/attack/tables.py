"""The attack suite's tables."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TextIO

import numpy as np

from experiments.outputs import text_tables
from experiments.suites import memory
from experiments.suites.attack.recovery import Reached

_WIDTH = 110


def print_speeds(taken: Mapping[str, np.ndarray], stream: TextIO) -> None:
    """Prints what a trial takes on each side, and the ratio to the first, turn by turn.

    Args:
      taken: Seconds and CPU seconds of a trial, [turns, 2], by the side's name.
      stream: Where to.
    """
    name = next(iter(taken))
    first = taken[name]
    rows = []
    for side, times in taken.items():
        seconds, cpu = times.T
        rate = 1 / statistics.median(seconds)
        rows.append(
            (
                side,
                f"{rate:.0f}" if rate >= 10 else f"{rate:.2f}",
                f"{1e3 * statistics.median(seconds):.2f}",
                f"{1e3 * statistics.median(cpu):.2f}",
                text_tables.spread((first[:, 0] / seconds).tolist(), ".2f"),
                f"{statistics.median(first[:, 1] / cpu):.2f}",
            )
        )
    headings = (
        "value and slope; side, trials at once",
        "trials/s",
        "ms a trial",
        "CPU ms",
        f"speed / {name} (min, max)",
        "by CPU",
    )
    text_tables.show(text_tables.Table("", headings, rows), stream, _WIDTH)


def print_times(
    found: Mapping[str, Sequence[Reached]],
    reference: str,
    levels: Sequence[float],
    beside: str,
    stream: TextIO,
) -> None:
    """Prints the time to each PSNR, and ratios of two on what both recovered.

    Args:
      found: For each attack, how each picture went.
      reference: The attack that the others are divided by, if it was run.
      levels: PSNR in dB.
      beside: What the number beside the seconds is.
      stream: Where to.
    """
    rows: list[tuple[str, ...]] = []
    for level in levels:
        for who, cases in found.items():
            times = [one.reached[level] for one in cases if level in one.reached]
            middle = [
                f"{statistics.median(column):.1f}"
                for column in zip(*times, strict=True)
            ]
            bests = [one.best for one in cases if not math.isnan(one.best)]
            best = f"{statistics.median(bests):.1f}" if bests else "-"
            count = f"{len(times)} of {len(cases)}"
            rows.append((f"{level:g} dB", who, count, *(middle or ("-", "-")), best))
        for who in found if reference in found else ():
            if who == reference:
                continue
            both = [
                one.reached[level][0] / other.reached[level][0]
                for one, other in zip(found[who], found[reference], strict=True)
                if level in one.reached and level in other.reached
            ]
            ratio = f"{statistics.median(both):.2f}" if both else "-"
            title = f"{who} / {reference}, {len(both)} pictures"
            rows.append(("", title, "", ratio, "", ""))
    headings = ("PSNR", "who", "reached", "median s", f"median {beside}", "best dB")
    text_tables.show(text_tables.Table("", headings, rows), stream, _WIDTH)
    refusals = {
        f"{who} does not apply: {one.reason}": None
        for who, cases in found.items()
        for one in cases
        if one.reason
    }
    for refusal in refusals:
        print(refusal, file=stream, flush=True)


def print_memory(what: str, taken: int, stream: TextIO) -> None:
    """Prints a peak of memory in bytes."""
    print(f"{what}: peak memory {memory.mebibytes(taken)}", file=stream, flush=True)
