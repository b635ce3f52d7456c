"""The attack suite's tables."""

import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

import numpy as np
import rich.box
import rich.console
import rich.table

from experiments.suites.attack.recovery import Reached


def print_speeds(taken: Mapping[str, np.ndarray], stream: TextIO) -> None:
    """Prints what a trial takes on each side, and the ratio to the first, turn by turn.

    Args:
      taken: Seconds and CPU seconds of a trial, [turns, 2], by the side's name.
      stream: Where to.
    """
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD)
    name = next(iter(taken))
    first = taken[name]
    for heading in (
        "value and slope; side, trials at once",
        "trials/s",
        "ms a trial",
        "CPU ms",
        f"speed / {name} (min, max)",
        "by CPU",
    ):
        table.add_column(heading, justify="right" if table.columns else "left")
    for side, times in taken.items():
        seconds, cpu = times.T
        ratios = first[:, 0] / seconds
        rate = 1 / statistics.median(seconds)
        table.add_row(
            side,
            f"{rate:.0f}" if rate >= 10 else f"{rate:.2f}",
            f"{1e3 * statistics.median(seconds):.2f}",
            f"{1e3 * statistics.median(cpu):.2f}",
            f"{statistics.median(ratios):.2f} ({ratios.min():.2f}, {ratios.max():.2f})",
            f"{statistics.median(first[:, 1] / cpu):.2f}",
        )
    _print(table, stream)


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
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD)
    for heading in (
        "PSNR",
        "who",
        "reached",
        "median s",
        f"median {beside}",
        "best dB",
    ):
        table.add_column(heading, justify="right")
    for level in levels:
        for who, cases in found.items():
            times = [one.reached[level] for one in cases if level in one.reached]
            middle = [
                f"{statistics.median(column):.1f}"
                for column in zip(*times, strict=True)
            ]
            table.add_row(
                f"{level:g} dB",
                who,
                f"{len(times)} of {len(cases)}",
                *(middle or ("-", "-")),
                f"{np.nanmedian([one.best for one in cases]):.1f}" if cases else "-",
            )
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
            table.add_row("", title, "", ratio, "", "")
    _print(table, stream)


def print_memory(what: str, taken: int, stream: TextIO) -> None:
    """Prints a peak of memory in bytes."""
    print(f"{what}: peak memory {taken / 2**20:,.0f} MiB", file=stream, flush=True)


def progress(text: str) -> None:
    """Says on the standard error what is being done."""
    print(text, file=sys.stderr, flush=True)


def _print(table: rich.table.Table, stream: TextIO) -> None:
    rich.console.Console(file=stream, width=110, highlight=False).print(table)
