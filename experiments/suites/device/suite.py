"""Values a second of each step, beside what the device's memory would allow."""

import pathlib
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple, TextIO

import tensorflow as tf

from experiments.outputs import environment, text_tables
from experiments.outputs.table import Table
from experiments.suites.device import parts, saving, steps
from experiments.suites.device.steps import Side
from experiments.suites.measurement import progress

_VERSIONS = ("tensorflow", "numpy")
_COPIED_WORDS = 1 << 25
_ALL_GROUPS = 1 << 20


class Request(NamedTuple):
    """What to measure.

    Attributes:
      repetitions: Turns of each step.
      rlwe_columns: Polynomials of a chunk.
      pad_columns: Columns of a chunk.
      programs: A folder in which what XLA compiles is saved, for accelerators; None for
        none.
      scale: How many times longer chunks are than that.
    """

    repetitions: int
    rlwe_columns: int = 32
    pad_columns: int = 4096
    programs: pathlib.Path | None = None
    scale: int = 1


class Taken(NamedTuple):
    """Seconds of one step on one chunk.

    Attributes:
      wall: Of each turn.
      cpu: Of each turn, all threads of this process together.
    """

    wall: tuple[float, ...]
    cpu: tuple[float, ...]


def run(request: Request, stream: TextIO) -> None:
    """Measures and prints a table.

    Args:
      request: What to measure.
      stream: Where the table goes.

    Raises:
      RuntimeError: If a cipher does not open a sum to the sum of what was encrypted.
    """
    print(environment.in_words(environment.describe(_VERSIONS)), file=stream)
    devices = tf.config.list_logical_devices("GPU")
    groups = _ALL_GROUPS if devices or request.programs else 1
    builders: dict[str, Callable[[], Side]] = {
        "shared key": lambda: steps.build_rlwe(
            False, request.scale * request.rlwe_columns, groups
        ),
        "per client": lambda: steps.build_rlwe(
            True, request.scale * request.rlwe_columns, groups
        ),
        "pad": lambda: steps.build_pad(request.scale * request.pad_columns, groups),
    }
    rows: list[tuple[str, ...]] = []
    for name, build in builders.items():
        progress(f"{name}: compiling and checking")
        began = time.perf_counter()
        side = build()
        if not side.check():
            raise RuntimeError(
                f"{side.name} must open a sum to the sum of what was encrypted, and does "
                "not on this device."
            )
        seconds = time.perf_counter() - began
        print(f"{side.name}: {seconds:.1f} s to trace and compile", file=stream)
        for step, work in side.steps.items():
            rows.append(_row(side, step, _timed(work.work, request.repetitions)))
            if request.programs is not None:
                saving.save(request.programs, side, step)
    rows.append(_bandwidth(request.repetitions))
    headings = ("", "", "ms a million", "CPU", "million/s", "bytes a value")
    where = devices[0].name if devices else "the processor"
    if request.programs is not None:
        print(
            f"Programs, with what they were given and gave: {request.programs}",
            file=stream,
        )
    title = f"On {where}, a chunk at a time; medians of {request.repetitions}"
    text_tables.show(Table(title, headings, rows), stream)
    if request.programs is None:
        progress("parts of encrypting")
        text_tables.show(parts.table(request.repetitions), stream)


def _row(side: Side, step: str, taken: Taken) -> tuple[str, ...]:
    million = side.chunk_values / 1e6
    wall, cpu = statistics.median(taken.wall), statistics.median(taken.cpu)
    return (
        side.name,
        step,
        f"{1e3 * wall / million:.2f}",
        f"{1e3 * cpu / million:.2f}",
        f"{million / wall:,.0f}",
        f"{side.bytes_per_value:.3f}",
    )


def _bandwidth(repetitions: int) -> tuple[str, ...]:
    """As many values as could be read and written if there was nothing to compute."""
    words = tf.zeros([_COPIED_WORDS])
    copy = tf.function(lambda given: given + 1.0, jit_compile=True, autograph=False)
    taken = _timed(lambda: copy(words), repetitions)
    million = _COPIED_WORDS / 1e6
    wall, cpu = statistics.median(taken.wall), statistics.median(taken.cpu)
    return (
        "memory",
        "read and write float32",
        f"{1e3 * wall / million:.2f}",
        f"{1e3 * cpu / million:.2f}",
        f"{million / wall:,.0f}",
        "4.000",
    )


def _timed(work: Callable[[], tf.Tensor], repetitions: int) -> Taken:
    _finish(work)
    wall, cpu = [], []
    for _ in range(repetitions):
        began, cpu_began = time.perf_counter(), time.process_time()
        _finish(work)
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - cpu_began)
    return Taken(tuple(wall), tuple(cpu))


def _finish(work: Callable[[], tf.Tensor]) -> None:
    """Works, and waits until an accelerator is done: one number comes back."""
    _ = tf.reshape(work(), [-1])[0].numpy()
