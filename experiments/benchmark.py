"""Measures what the docs quote.

    python -m experiments.benchmark --suite=round

Everything that is compared is timed in alternation in one process, so that a machine
whose speed drifts does not favour one side.
"""

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TextIO

import numpy as np
import rich.box
import rich.console
import rich.table
from absl import app, flags

from experiments import encryption, training
from experiments import flags as flags_lib
from experiments import recorder as recorder_lib
from experiments import settings as settings_lib
from experiments.data import catalog as data_catalog
from experiments.data import splits
from experiments.outputs import environment
from experiments.run import choices
from federated import runtime
from selenc_tf import catalog, validation


class Measurement(NamedTuple):
    """One way of doing the same work.

    Attributes:
      name: What it is.
      seconds: Of every repetition.
      client_to_server_bytes: Of one repetition.
      server_to_client_bytes: Of one repetition.
    """

    name: str
    seconds: tuple[float, ...]
    client_to_server_bytes: int
    server_to_client_bytes: int


def main(argv: Sequence[str]) -> int:
    """Runs a suite and prints its table; the entry point of the command.

    Args:
      argv: What absl left over.

    Returns:
      The exit status: 0, or 2 for flags that cannot be used.
    """
    values = flags.FLAGS
    try:
        if len(argv) > 1:
            raise settings_lib.SettingsError(f"Flags only, got {argv[1]!r}.")
        validation.check_in("--suite", values.suite, SUITES)
        validation.check_at_least("--repetitions", values.repetitions, 3)
        settings = flags_lib.to_settings(values)
        settings_lib.check(settings, choices())
    except ValueError as error:
        print(f"\n{error}\n", file=sys.stderr)
        return 2
    described = environment.describe()
    print(
        f"{described['cpu']['cores']} cores, {described['cpu']['model']}, "
        f"{', '.join(described['devices'])}"
    )
    print_table(SUITES[values.suite](settings, values.repetitions), sys.stdout)
    return 0


def round_suite(
    settings: settings_lib.Settings, repetitions: int
) -> tuple[Measurement, ...]:
    """A round of federated averaging: plain, and at every asked-for ratio at random.

    Args:
      settings: Model, data, clients and ratios.
      repetitions: Rounds of each.

    Returns:
      The measurements, plain first.
    """
    dataset = data_catalog.load(settings.dataset)
    model = catalog.MODELS[settings.model](
        dataset.image_shape, dataset.num_classes, settings.seed
    )
    recorder = recorder_lib.Recorder()
    runtime.install(observers=(recorder,))
    needed = settings.training.num_clients * settings.training.examples
    clients = splits.partition(
        splits.subset(dataset, needed, settings.seed),
        settings.training.num_clients,
        settings.seed,
    )
    datasets = [training.client_dataset(client, settings) for client in clients]
    cells = [
        training.cell_of(settings, dataset.name, training.PLAIN, 0.0),
        *(
            training.cell_of(settings, dataset.name, "random", ratio)
            for ratio in settings.encryption.ratios
        ),
    ]
    with encryption.fresh_keys(settings) as lattices:
        processes = [
            training.build_process(model, settings, cell, lattices.training)
            for cell in cells
        ]
        states = [process.initialize() for process in processes]
        seconds: list[list[float]] = [[] for _ in cells]
        traffic = [recorder_lib.Traffic(0, 0, 0)] * len(cells)
        for _ in range(repetitions + 1):
            for index, process in enumerate(processes):
                recorder.take()
                began = time.perf_counter()
                states[index] = process.next(states[index], datasets).state
                seconds[index].append(time.perf_counter() - began)
                traffic[index] = recorder_lib.traffic(recorder.take())
    return tuple(
        Measurement(
            f"{cell.policy}, ratio {cell.encryption_ratio:g}",
            tuple(taken[1:]),  # The first round compiles.
            counted.client_to_server_bytes,
            counted.server_to_client_bytes,
        )
        for cell, taken, counted in zip(cells, seconds, traffic, strict=True)
    )


def print_table(measurements: Sequence[Measurement], stream: TextIO) -> None:
    """Prints medians, and the ratio to the first, pair by pair.

    Args:
      measurements: The first is what the others are compared with.
      stream: Where to.
    """
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD)
    for name in ("", "seconds (min, max)", "x first (min, max)", "up", "down"):
        table.add_column(name, justify="left" if not name else "right")
    base = measurements[0].seconds
    for measured in measurements:
        ratios = [
            ours / theirs for ours, theirs in zip(measured.seconds, base, strict=True)
        ]
        table.add_row(
            measured.name,
            _spread(measured.seconds, ".3f"),
            _spread(ratios, ".2f"),
            f"{measured.client_to_server_bytes:,}",
            f"{measured.server_to_client_bytes:,}",
        )
    rich.console.Console(file=stream, width=100, highlight=False).print(table)


def _spread(values: Sequence[float], form: str) -> str:
    middle = format(statistics.median(values), form)
    return f"{middle} ({np.min(values):{form}}, {np.max(values):{form}})"


SUITES: Mapping[
    str, Callable[[settings_lib.Settings, int], tuple[Measurement, ...]]
] = {"round": round_suite}
"""The suites by name."""


if __name__ == "__main__":
    flags_lib.define(flags.FLAGS)
    flags.DEFINE_string("suite", "round", "What to measure: round.")
    flags.DEFINE_integer("repetitions", 15, "How often each side is timed.")
    app.run(main)
