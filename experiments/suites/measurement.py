"""Timings of things that are compared, and their table."""

import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple, TextIO, TypeAlias

import numpy as np
import rich.box
import rich.console
import rich.table

from experiments.study.settings import Settings


class Measurement(NamedTuple):
    """One way of doing the same work.

    Attributes:
      name: What it is.
      seconds: Of every repetition.
      client_to_server_bytes: Of one repetition, if something crosses.
      server_to_client_bytes: Of one repetition, if something crosses.
    """

    name: str
    seconds: tuple[float, ...]
    client_to_server_bytes: int | None = None
    server_to_client_bytes: int | None = None


Suite: TypeAlias = Callable[[Settings, int], tuple[Measurement, ...]]
"""`(settings, repetitions) -> measurements`, the first being what others compare to."""


def print_table(measurements: Sequence[Measurement], stream: TextIO) -> None:
    """Prints medians, and the ratio to the first, pair by pair.

    Args:
      measurements: The first is what the others are compared with.
      stream: Where to.
    """
    counted = any(item.client_to_server_bytes is not None for item in measurements)
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD)
    table.add_column("")
    table.add_column("seconds (min, max)", justify="right")
    table.add_column("x first (min, max)", justify="right")
    if counted:
        table.add_column("bytes up", justify="right")
        table.add_column("bytes down", justify="right")
    base = measurements[0].seconds
    for item in measurements:
        ratios = [ours / first for ours, first in zip(item.seconds, base, strict=True)]
        bytes_ = (item.client_to_server_bytes, item.server_to_client_bytes)
        table.add_row(
            item.name,
            _spread(item.seconds, ".4f"),
            _spread(ratios, ".2f"),
            *(f"{number:,}" for number in bytes_ if number is not None),
        )
    rich.console.Console(file=stream, width=100, highlight=False).print(table)


def _spread(values: Sequence[float], form: str) -> str:
    middle = format(statistics.median(values), form)
    return f"{middle} ({np.min(values):{form}}, {np.max(values):{form}})"
