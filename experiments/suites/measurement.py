"""Timings of things that are compared, and their table."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TextIO

from experiments.outputs import text_tables


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


def in_turn(
    work: Mapping[str, Callable[[], object]], repetitions: int
) -> tuple[Measurement, ...]:
    """Times ways of doing the same work, each once in a turn.

    Args:
      work: By name; each waits for its result.
      repetitions: Turns that count. One more comes first: it compiles.

    Returns:
      The measurements, in the order of the work.
    """
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(repetitions + 1):
        progress(f"turn {turn} of {repetitions}")
        for name, execute in work.items():
            began = time.perf_counter()
            execute()
            seconds[name].append(time.perf_counter() - began)
    return tuple(Measurement(name, tuple(taken[1:])) for name, taken in seconds.items())


def print_table(measurements: Sequence[Measurement], stream: TextIO) -> None:
    """Prints medians, and the ratio to the first, pair by pair.

    Args:
      measurements: The first is what the others are compared with.
      stream: Where to.
    """
    base = measurements[0].seconds
    rows = []
    for item in measurements:
        ratios = [ours / first for ours, first in zip(item.seconds, base, strict=True)]
        bytes_ = (item.client_to_server_bytes, item.server_to_client_bytes)
        rows.append(
            (
                item.name,
                text_tables.spread(item.seconds, ".4f"),
                text_tables.spread(ratios, ".2f"),
                *(f"{number:,}" for number in bytes_ if number is not None),
            )
        )
    headings = (
        "",
        "seconds (min, max)",
        "x first (min, max)",
        "bytes up",
        "bytes down",
    )
    table = text_tables.Table("", headings[: len(rows[0])], rows)
    text_tables.show(table, stream)


def progress(text: str) -> None:
    """Says on the standard error what is being done."""
    print(text, file=sys.stderr, flush=True)
