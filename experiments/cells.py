"""Runs attacks over a grid of models, weights and batches, and puts it into one table.

    python -m experiments.cells --flagfile=experiments/flagfiles/cells.flags

Every model, number of rounds behind its weights and batch size is a run of its own
(`experiments.run`) in a folder of the study. Started again with the same flags, it goes on
where it stopped; the table is written anew after every run, of what is there.
"""

import dataclasses
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from experiments import outputs, run, suites
from experiments.study import command, flag_table, rules
from experiments.study.flag_table import at_least, flag
from experiments.study.settings import AttackSettings, Settings, TrainingSettings
from selenc_tf import catalog

if TYPE_CHECKING:
    from experiments.suites.cells import Point


@dataclasses.dataclass(frozen=True)
class Cells(Settings):
    """What every run is asked for, and what runs differ in."""

    training: TrainingSettings = TrainingSettings(rounds=0)
    attack: AttackSettings = AttackSettings(aggregate_clients=0)
    models: tuple[str, ...] = flag(
        "cell_models",
        ("lenet", "small_cnn", "fedavg_cnn", "convnet16", "mlp"),
        "The models.",
        choices=catalog.MODELS,
    )
    rounds: tuple[int, ...] = flag(
        "cell_rounds",
        (0, 20),
        "Rounds of averaging behind the attacked weights (--weights_after_rounds).",
        rule=at_least(0),
    )
    batch_sizes: tuple[int, ...] = flag(
        "cell_batch_sizes",
        (1, 4, 8),
        "Pictures behind an attacked message (--attack_batch_size).",
        rule=at_least(1),
    )


def execute(
    asked: Cells,
    command_line: Sequence[str],
    output: TextIO = sys.stdout,
    errors: TextIO = sys.stderr,
) -> int:
    """Does the runs that are missing, shows the tables, and gives the exit status."""

    def prepare() -> "tuple[Point, ...]":
        rules.check(asked, _alone)
        points = suites.cells.points(asked.models, asked.rounds, asked.batch_sizes)
        for point in points:
            settings = suites.cells.settings_of(asked, point)
            if settings is not None:
                rules.check(settings)
        outputs.run_directory.check_writable(suites.cells.folder(asked))
        return points

    def work(points: "tuple[Point, ...]") -> int:
        status, folder = 0, suites.cells.folder(asked)
        text = command.as_text("experiments.cells", command_line)
        for number, point in enumerate(points, start=1):
            settings = suites.cells.settings_of(asked, point)
            if settings is None:
                continue
            print(
                f"Cell {number} of {len(points)}: {point.name}", file=errors, flush=True
            )
            line = [*command_line, *suites.cells.as_arguments(point)]
            status = max(status, run.execute(settings, line, errors))
            if not asked.output.dry_run:
                suites.cells.write(asked, points, text)
            if status == command.STOPPED:
                break
        if not asked.output.dry_run:
            suites.cells.show(asked, points, output)
            print(f"The tables are in {folder}.", file=output)
        return status

    return command.perform(prepare, work, errors)


def _alone(asked: Cells) -> Iterator[str]:
    default = flag_table.as_dict(Settings())
    given = flag_table.as_dict(asked)
    for name, instead in (
        ("model", "cell_models"),
        ("weights_after_rounds", "cell_rounds"),
        ("attack_batch_size", "cell_batch_sizes"),
    ):
        if given[name] != default[name]:
            yield f"`--{name}` is said by `--{instead}` here. Leave it out."
    if asked.training.rounds or asked.attack.aggregate_clients:
        yield (
            "`--rounds` and `--aggregate_clients` must be 0: the tables are of attacks on "
            f"clients, got {asked.training.rounds} and {asked.attack.aggregate_clients}."
        )
    if pathlib.Path(asked.output.run_name).name != asked.output.run_name:
        yield f"`--run_name` must be the name of one folder, got {asked.output.run_name!r}."


if __name__ == "__main__":
    command.start(Cells, execute)
