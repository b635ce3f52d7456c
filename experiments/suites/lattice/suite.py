"""Encryption of a vector from end to end, ours and TenSEAL's.

The client quantises, encrypts and serialises; the server parses and checks ten messages,
adds them and serialises the sum; the client decrypts it. All sides take turns in one
process, and what they decrypt is compared with the true sum.
"""

import pathlib
import tempfile
from collections.abc import Sequence
from typing import NamedTuple, TextIO

from experiments.outputs import (
    environment,
    figures,
    files,
    native_output,
    text_tables,
)
from experiments.outputs.table import Table
from experiments.suites.lattice import (
    bars,
    memory,
    ours,
    outputs,
    per_client,
    plot,
    profile,
    tenseal,
    timing,
)
from experiments.suites.lattice.bars import Verdict
from experiments.suites.lattice.memory import Memory
from experiments.suites.lattice.outputs import Result
from experiments.suites.lattice.side import (
    BEST,
    OURS_8,
    OURS_16,
    OURS_DEVICE,
    OURS_PAD,
    OURS_PER_CLIENT,
    PEERS,
    SUMMANDS,
    Side,
)
from experiments.suites.lattice.tenseal import Tried
from experiments.suites.measurement import progress

_VERSIONS = ("tensorflow", "tf-shell", "tenseal", "numpy")
_BARS_CORES = 2
_WIDTH = 120
_PROFILE_REPETITIONS = 5

_MEMORY_VALUES = 4_000_000
"""Of the vector whose memory is measured: of fewer, what does not grow would count."""

_TENSEAL_VALUES = 20_000_000
"""Of more, TenSEAL is not timed: one turn would take minutes."""


class Request(NamedTuple):
    """What to measure.

    Attributes:
      sizes: Lengths of vectors.
      repetitions: Turns of each side.
      folder: Where `lattice.csv`, `lattice.md` and `lattice.png` go.
      command: That was given, for the record.
    """

    sizes: tuple[int, ...]
    repetitions: int
    folder: pathlib.Path
    command: str


def run(request: Request, stream: TextIO) -> None:
    """Measures, writes files and prints tables.

    The files are written after each length, so an interrupted run leaves what was done.

    Args:
      request: What to measure.
      stream: Where the tables go.
    """
    request.folder.mkdir(parents=True, exist_ok=True)
    results: list[Result] = []
    verdicts: list[Verdict] = []
    # tf-shell and TenSEAL print to the terminal by themselves.
    with (
        tempfile.TemporaryDirectory() as name,
        native_output.redirected(pathlib.Path(name)),
    ):
        sides = [ours.build(OURS_16, 16), ours.build(OURS_8, 8)]
        tried: tuple[Tried, ...] = ()
        if tenseal.is_installed():
            tried = tenseal.search(tenseal.CANDIDATES, progress)
            chosen = tenseal.best(tried).setting
            sides += [
                tenseal.build(PEERS, tenseal.PEERS_SETTING),
                tenseal.build(BEST, chosen),
            ]
        sides += [
            ours.build(OURS_DEVICE, 16, "device_rlwe"),
            per_client.build(OURS_PER_CLIENT, 16),
            ours.build(OURS_PAD, 16, "additive_pad"),
        ]
        memories: Sequence[Memory | None] = ()
        for size in sorted(request.sizes):
            there = [
                side
                for side in sides
                if side.setting is None or size <= _TENSEAL_VALUES
            ]
            times = timing.measure(there, size, request.repetitions, progress)
            # Once: it is of a length of its own.
            memories = (
                [None] * len(there) if memories else [_memory(side) for side in there]
            )
            results += [Result(*pair) for pair in zip(times, memories, strict=True)]
            verdicts += bars.judge(times, memories)
            tables = [outputs.results_table(results), outputs.bars_table(verdicts)]
            _write(request, results, tables, _notes(sides, tried))
        tables += _reasons(verdicts, min(request.sizes), tried)
    notes = _notes(sides, tried)
    searched = [outputs.search_table(tried, tenseal.best(tried))] if tried else []
    _write(request, results, [*tables, *searched], notes)
    for table in tables:
        text_tables.show(table, stream, _WIDTH)
    for note in notes:
        print(f"* {note}", file=stream)
    print(f"Written: {request.folder / 'lattice'}.csv, .md and .png", file=stream)


def _memory(side: Side) -> Memory:
    progress(f"{side.name}: peak memory of encrypting {_MEMORY_VALUES:,} values")
    return memory.measure(side, _MEMORY_VALUES)


def _reasons(
    verdicts: Sequence[Verdict], num_values: int, tried: Sequence[Tried]
) -> list[Table]:
    """Where time and bytes go, if a bar is missed."""
    missed = [item for item in verdicts if not item.met]
    tables = []
    if any(item.kind == "time" for item in missed):
        progress(f"a bar is missed: timing each step for {num_values:,} values")
        pieces = profile.profile(16, num_values, _PROFILE_REPETITIONS)
        tables.append(outputs.steps_table(OURS_16, num_values, pieces))
    if tried and any(item.kind == "bytes" for item in missed):
        shares = {
            OURS_16: profile.bits_of_ours(ours.build_engine(16)),
            BEST: profile.bits_of_tenseal(tenseal.best(tried)),
        }
        tables.append(outputs.bits_table(shares))
    return tables


def _notes(sides: Sequence[Side], tried: Sequence[Tried]) -> list[str]:
    described = environment.describe(_VERSIONS)
    cores = described["cpu"]["cores"]
    notes = [
        f"{environment.in_words(described)}.",
        *(f"{side.name}: {side.details}." for side in sides),
        f"Sums of {SUMMANDS} messages decrypt on all sides. What was decrypted here "
        "was compared with the true sum.",
        f"Of vectors longer than {timing.WHOLE_VALUES:,} values the client's "
        f"message is measured whole, but the server adds, and the client decrypts, "
        f"messages of {timing.SLICE_VALUES:,} values. TenSEAL's pieces of such "
        "a message are dropped once they are made and counted.",
        f"Peak memory is that of encrypting {_MEMORY_VALUES:,} values, beyond the input, "
        "in a fresh process, over the message's size: of a vector behind a shorter one, "
        "and of the first one, in which XLA compiles.",
    ]
    if tried:
        found = tenseal.best(tried)
        notes.append(
            f"Best setting: of {len(tried)} tried, the one with the fewest bytes (of "
            f"those within 1 %, the fastest) whose sum of {SUMMANDS} vectors is off by "
            f"at most {found.allowed_error:.3g}, half a 16-bit step for each, as ours; "
            f"it is off by {found.max_error:.3g}. Of more than {_TENSEAL_VALUES:,} values "
            "TenSEAL is not timed."
        )
    else:
        notes.append(
            "TenSEAL is not installed, so there is nothing to compare with: "
            "`uv sync --group bench`."
        )
    if cores != _BARS_CORES:
        notes.append(
            f"The bars are for {_BARS_CORES} cores; `taskset -c 0,1` allows so many."
        )
    return notes


def _write(
    request: Request,
    results: Sequence[Result],
    tables: Sequence[Table],
    notes: Sequence[str],
) -> None:
    folder = request.folder
    text = [f"`{request.command}`\n", *map(text_tables.to_markdown, tables)]
    text.append("".join(f"* {note}\n" for note in notes))
    figure = plot.figure([result.times for result in results])
    files.write_atomically(
        folder / "lattice.csv", outputs.results_csv(results).encode()
    )
    files.write_atomically(folder / "lattice.md", "\n".join(text).encode())
    files.write_atomically(folder / "lattice.png", figures.to_png(figure))
