"""Measures what the docs quote.

    python -m experiments.benchmark --suite=round
    python -m experiments.benchmark --suite=lattice --values=1100000,11000000,110000000
    python -m experiments.benchmark --suite=device
    python -m experiments.benchmark --suite=masks --values=110000000 --repetitions=3
    python -m experiments.benchmark --suite=attack --torch_python=torch-env/bin/python

Everything that is compared is timed in alternation in one process, so that a machine
whose speed drifts does not favour one side.
"""

import dataclasses
import pathlib
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TextIO

from experiments import outputs, suites
from experiments.study import command, rules, run_folders
from experiments.study.flag_table import at_least, flag
from experiments.study.settings import Settings
from experiments.suites.attack.catalog import CASES


def _round(asked: "Benchmark", stream: TextIO) -> None:
    found = suites.rounds.run(asked, asked.repetitions)
    _print_machine(stream)
    measured = [one.measurement for one in found.rounds]
    suites.measurement.print_table(measured, stream)
    suites.round_profile.print_by_graph(found.rounds, stream)
    if found.steps:
        suites.round_steps.print_table(found.steps, stream)


def _matching(asked: "Benchmark", stream: TextIO) -> None:
    found = suites.matching.run(asked, asked.repetitions)
    _print_machine(stream)
    suites.measurement.print_table(found, stream)


def _positions(asked: "Benchmark", stream: TextIO) -> None:
    pictures = asked.attack.num_images
    suites.positions.run(asked, stream)
    suites.token_positions.run(pictures, asked.masks.ratios, asked.seed, stream)


def _masks(asked: "Benchmark", stream: TextIO) -> None:
    request = suites.masks.suite.Request(asked.values, asked.repetitions)
    suites.masks.suite.run(request, stream)


def _lattice(asked: "Benchmark", stream: TextIO) -> None:
    request = suites.lattice.suite.Request(
        asked.values,
        asked.repetitions,
        run_folders.named(asked.output, "lattice"),
        command.as_text("experiments.benchmark", sys.argv),
    )
    suites.lattice.suite.run(request, stream)


def _device(asked: "Benchmark", stream: TextIO) -> None:
    request = suites.device.suite.Request(
        asked.repetitions,
        programs=pathlib.Path(asked.save_programs) if asked.save_programs else None,
        scale=asked.chunk_scale,
    )
    suites.device.suite.run(request, stream)


def _attack(asked: "Benchmark", stream: TextIO) -> None:
    request = suites.attack.request.Request(
        asked.torch_python,
        asked.repetitions,
        asked.attacked_pictures,
        cases=asked.attack_cases,
    )
    suites.attack.suite.run(request, stream)


SUITES: Mapping[str, Callable[["Benchmark", TextIO], None]] = MappingProxyType(
    {
        "round": _round,
        "matching": _matching,
        "positions": _positions,
        "masks": _masks,
        "lattice": _lattice,
        "device": _device,
        "attack": _attack,
    }
)
"""What is measured, by name: each prints its own tables."""


OF_SUITES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "repetitions": ("round", "matching", "masks", "lattice", "device", "attack"),
        "values": ("lattice", "masks"),
        "torch_python": ("attack",),
        "attacked_pictures": ("attack",),
        "attack_cases": ("attack",),
        "chunk_scale": ("device",),
        "save_programs": ("device",),
    }
)
"""The suites that look at a flag of benchmarks; `--suite` is of all."""


@dataclasses.dataclass(frozen=True)
class Benchmark(Settings):
    """What is measured, and on which study."""

    suite: str = flag("suite", "round", "What to measure.", choices=SUITES)
    repetitions: int = flag(
        "repetitions", 15, "How often each side is timed.", rule=at_least(3)
    )
    values: tuple[int, ...] = flag(
        "values",
        (1_000_000,),
        "Lengths of the vectors of --suite=lattice and --suite=masks.",
        rule=at_least(1),
    )
    torch_python: str = flag(
        "torch_python",
        "",
        "The interpreter of an environment with PyTorch, for --suite=attack.",
    )
    attacked_pictures: int = flag(
        "attacked_pictures",
        5,
        "How many pictures --suite=attack recovers for the time to a PSNR; at most 3 "
        "of them where one takes a minute.",
        rule=at_least(0),
    )
    chunk_scale: int = flag(
        "chunk_scale",
        1,
        "How many times longer the chunks of --suite=device are; accelerators want long "
        "ones.",
        rule=at_least(1),
    )
    save_programs: str = flag(
        "save_programs",
        "",
        "A folder in which --suite=device saves what XLA compiles, which "
        "experiments/suites/device/run_programs.py runs where there is JAX and no "
        "TensorFlow.",
    )
    attack_cases: tuple[str, ...] = flag(
        "attack_cases", tuple(CASES), "What --suite=attack measures.", choices=CASES
    )


def execute(
    asked: Benchmark,
    _: Sequence[str],
    output: TextIO = sys.stdout,
    errors: TextIO = sys.stderr,
) -> int:
    """Runs a suite, which prints its tables, and gives the exit status."""

    def work(_: None) -> int:
        with outputs.native_output.dropped() as terminal:
            SUITES[asked.suite](asked, terminal if output is sys.stdout else output)
        return 0

    return command.perform(lambda: rules.check(asked, _suite), work, errors)


def _suite(asked: Benchmark) -> Iterator[str]:
    if asked.output.dry_run:
        yield (
            "`--dry_run` is for `experiments.run` and `experiments.analyse`. Leave it out."
        )
    if asked.training.weights_after_rounds:
        yield (
            "`--weights_after_rounds` is for `experiments.run` and `experiments.analyse`: "
            "no benchmark depends on what a model has learned. Leave it out."
        )
    if asked.suite == "lattice":
        try:
            outputs.run_directory.check_writable(
                run_folders.named(asked.output, "lattice")
            )
        except ValueError as error:
            yield str(error)
    python = asked.torch_python
    if asked.suite == "attack" and python and shutil.which(python) is None:
        yield f"`--torch_python` must be a program that can be run, got {python!r}."
    for field in dataclasses.fields(asked):
        about = field.metadata.get("flag")
        users = OF_SUITES.get(field.name, ())
        changed = getattr(asked, field.name) != field.default
        if about and users and changed and asked.suite not in users:
            yield (
                f"`--{about.name}` is for `--suite={'` and `--suite='.join(users)}`, and "
                f"would do nothing with `--suite={asked.suite}`. Leave it out."
            )
    if asked.suite == "positions" and asked.attack.num_images < 1:
        yield "`--num_images` must be at least 1 with `--suite=positions`, got 0."


def _print_machine(stream: TextIO) -> None:
    print(outputs.environment.in_words(outputs.environment.describe()), file=stream)


if __name__ == "__main__":
    command.start(Benchmark, execute)
