"""The lattice suite's results as tables for people and as CSV."""

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.outputs.text_tables import Table, spread, to_csv
from experiments.suites.lattice.bars import Verdict
from experiments.suites.lattice.memory import Memory
from experiments.suites.lattice.profile import Piece
from experiments.suites.lattice.side import ADDED, SUMMANDS
from experiments.suites.lattice.tenseal import Tried
from experiments.suites.lattice.timing import Stage, Times


class Result(NamedTuple):
    """A row of the table.

    Attributes:
      times: Of one side and one length.
      memory: Of the same side; the length may be another.
    """

    times: Times
    memory: Memory | None


def results_table(results: Sequence[Result]) -> Table:
    """One row for each side and length; times are for a million values."""
    rows = [
        (
            f"{times.num_values:,}",
            times.side.name,
            _per_million(times.client),
            f"{_cpu_per_million(times.client):.3f}",
            f"{times.message_bytes / times.num_values:.2f}",
            _per_million(times.server),
            _per_million(times.opening),
            "-" if memory is None else _memory(memory),
        )
        for times, memory in results
    ]
    return Table(
        "Seconds for a million values, median (min, max); peak memory over the message",
        (
            "values",
            "side",
            "client",
            "client, CPU",
            "bytes a value",
            f"server adds {ADDED}",
            "decrypt",
            "memory",
        ),
        rows,
    )


def bars_table(verdicts: Sequence[Verdict]) -> Table:
    """One row for each bar and length."""
    return Table(
        "Ratios: of the medians (smallest, largest of a turn)",
        ("values", "compared", "found", "bar", ""),
        tuple(
            (
                f"{item.num_values:,}",
                item.what,
                f"{item.ratio:.2f}{item.unit}"
                + (
                    f" ({item.low:.2f}, {item.high:.2f})" if item.kind == "time" else ""
                ),
                item.bar,
                "reached" if item.met else "MISSED",
            )
            for item in verdicts
        ),
    )


def steps_table(side: str, num_values: int, pieces: Sequence[Piece]) -> Table:
    """One row for each step of the stages of our side."""
    return Table(
        f"{side}: the steps one by one, seconds for a million values (the stages work "
        "in chunks, two at a time, so the steps need not add up to them)",
        ("stage", "step", "seconds"),
        tuple(
            (item.stage, item.name, f"{item.seconds / num_values * 1e6:.4f}")
            for item in pieces
        ),
    )


def bits_table(shares: Mapping[str, Sequence[tuple[str, float]]]) -> Table:
    """What the bits of a value hold, with their number, by side."""
    rows = []
    for side, parts in shares.items():
        rows += [(side, what, f"{bits:.1f}") for what, bits in parts]
        rows.append((side, "together", f"{sum(bits for _, bits in parts):.1f}"))
    return Table("Bits of a message for each value", ("side", "what", "bits"), (*rows,))


def search_table(tried: Sequence[Tried], chosen: Tried) -> Table:
    """One row for each setting of TenSEAL that was tried, `chosen` being the best."""
    return Table(
        f"TenSEAL's settings: largest error of a sum of {SUMMANDS} vectors over the "
        "allowed one, and what a client's message costs",
        ("setting", "error", "bytes a value", "CPU seconds for a million", ""),
        tuple(
            (
                str(item.setting),
                f"{item.max_error / item.allowed_error:.2g}x",
                f"{item.bytes_per_value:.2f}",
                f"{item.cpu_seconds:.3f}",
                _remark(item, chosen),
            )
            for item in tried
        ),
    )


def results_csv(results: Sequence[Result]) -> str:
    """All numbers for programs, with a header."""
    header: list[object] = ["side", "details", "values", "message_bytes"]
    for name in ("client", "server", "opening"):
        header += [f"{name}_values", f"{name}_turns"]
        header += [f"{name}_seconds_{part}" for part in ("median", "min", "max")]
        header.append(f"{name}_cpu_seconds_median")
    header += ["max_error", "allowed_error"]
    header += [f"memory_{field}" for field in Memory._fields]
    lines = [header]
    for times, memory in results:
        row: list[object] = [
            times.side.name,
            times.side.details,
            times.num_values,
            times.message_bytes,
        ]
        for stage in (times.client, times.server, times.opening):
            row += [stage.num_values, len(stage.seconds)]
            row += [statistics.median(stage.seconds)]
            row += [min(stage.seconds), max(stage.seconds)]
            row.append(statistics.median(stage.cpu_seconds))
        row += [times.max_error, times.side.max_error]
        row += [""] * len(Memory._fields) if memory is None else list(memory)
        lines.append(row)
    return to_csv(lines)


def _remark(item: Tried, chosen: Tried) -> str:
    if item is chosen:
        return "taken"
    return "" if item.accurate else "not accurate"


def _per_million(stage: Stage) -> str:
    scale = 1e6 / stage.num_values
    return spread([scale * taken for taken in stage.seconds], ".3f")


def _cpu_per_million(stage: Stage) -> float:
    return statistics.median(stage.cpu_seconds) / stage.num_values * 1e6


def _memory(memory: Memory) -> str:
    later, first = (
        peak / memory.message_bytes
        for peak in (memory.peak_bytes, memory.first_peak_bytes)
    )
    return f"{later:.2f}x, first {first:.2f}x, of {memory.message_bytes / 1e6:,.1f} MB"
