"""Runs selectively encrypted rounds and attacks what the server saw of them.

    python -m experiments.run --flagfile=experiments/flagfiles/quickstart.flags

Started again with the same flags, it goes on where it stopped. With `--seeds=0,1,2` it is
a run for each of them, and one report of all.
"""

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO, TypeVar

from experiments import modalities, outputs, report, study
from experiments.study import command, flag_table, rules, run_folders, stopping
from experiments.study.flag_table import flag, within
from experiments.study.settings import Place, Settings

if TYPE_CHECKING:
    from experiments.outputs.run_directory import RunFolder
    from experiments.study.inputs import Inputs
    from experiments.study.modality import Modality


@dataclasses.dataclass(frozen=True)
class Runs(Settings):
    """A run, or one for each of several seeds."""

    seeds: tuple[int, ...] = flag(
        "seeds",
        (),
        "Several seeds in the place of --seed: a run for each, in a folder whose name ends "
        "with it, and one report of all.",
        rule=within(0, 2**31 - 1),
        optional=True,
    )


R = TypeVar("R", bound=Runs)


def main(asked: Runs, command_line: Sequence[str], errors: TextIO = sys.stderr) -> int:
    """Does one run or several, and gives the exit status: that of the worst."""

    def once(one: Runs) -> int:
        return execute(flag_table.narrowed(one, Settings), command_line, errors)

    if not asked.seeds:
        return once(asked)
    return of_seeds(asked, run_folders.of(asked).name, once, errors, errors)


def of_seeds(
    asked: R,
    name: str,
    once: Callable[[R], int],
    output: TextIO,
    errors: TextIO,
) -> int:
    """Does a run for each of several seeds, and one report of all.

    Args:
      asked: As read from flags, with at least one of `seeds`.
      name: Of the report's folder; those of the runs have the seed behind it.
      once: Does the run of one seed, and gives its exit status.
      output: Where it is said what all of them mean.
      errors: Where it is said which run goes on, and refusals.

    Returns:
      The worst exit status: none goes on after a run that was refused or stopped.
    """
    runs = [
        dataclasses.replace(
            asked,
            seeds=(),
            seed=seed,
            output=dataclasses.replace(asked.output, run_name=f"{name}_seed{seed}"),
        )
        for seed in asked.seeds
    ]

    def work(_: None) -> int:
        status = 0
        for number, one in enumerate(runs, start=1):
            title = f"Run {number} of {len(runs)}: seed {one.seed}"
            print(title, file=errors, flush=True)
            status = max(status, once(one))
            if status:
                break
        if asked.output.dry_run or status == command.REFUSED:
            return status
        begun = [one for one in runs if run_folders.of(one).exists()]
        left = ", ".join(str(one.seed) for one in runs if one not in begun)
        notes = [f"Not begun: seed {left}. The same command goes on."] if left else []
        line = ["report", *(str(run_folders.of(one)) for one in begun)]
        place = Place(asked.output.logdir, name)
        return max(status, report.execute(place, line, output, errors, notes))

    return command.perform(lambda: rules.check(asked, _no_seed), work, errors)


def _no_seed(asked: Runs) -> Iterator[str]:
    if asked.seed:
        yield f"`--seed` is said by `--seeds` here, got {asked.seed} too. Leave one out."


def execute(
    settings: Settings, command_line: Sequence[str], errors: TextIO = sys.stderr
) -> int:
    """Does the work, shows the result, and gives the exit status."""
    if settings.output.dry_run:
        return command.perform(
            lambda: check(settings, errors), rehearse(settings), errors
        )
    return command.perform(
        lambda: prepare(settings, command_line, errors),
        lambda prepared: work(settings, *prepared),
        errors,
    )


def prepare(
    settings: Settings, command_line: Sequence[str], stream: TextIO
) -> "tuple[Inputs, RunFolder]":
    """Checks the settings, loads data and weights and opens the folder.

    Args:
      settings: As read from flags.
      command_line: Goes to `config.json`.
      stream: Where the progress of training the attacked weights goes.

    Returns:
      What the run works on, and its folder.

    Raises:
      ValueError: For flags or data that cannot be used.
      OSError: For data that are not there.
    """
    inputs = check(settings, stream)
    return inputs, opened(settings, inputs, command_line)


def opened(
    settings: Settings, inputs: "Inputs", command_line: Sequence[str]
) -> "RunFolder":
    """Opens the folder of a run. Raises a ValueError where it is another run's."""
    given, neutral = flag_table.as_dict(settings), flag_table.neutral(settings)
    config = outputs.run_directory.RunConfig(
        flags=given,
        neutral_flags=neutral,
        datasets=(inputs.dataset.name,),
        seeds={"run": settings.seed},
        facts=inputs.facts,
        defaults=flag_table.as_dict(type(settings)()),
    )
    place = run_folders.of(settings)
    return outputs.run_directory.open_run(
        place.parent,
        place.name,
        config,
        {**outputs.environment.describe(), "data": inputs.dataset.note},
        command_line,
    )


def check(
    settings: Settings, stream: TextIO, modality: "Modality | None" = None
) -> "Inputs":
    """Checks the settings and loads the data; makes no folder.

    Args:
      settings: As read from flags.
      stream: Where the progress of training the attacked weights goes.
      modality: What an example is; None for that of the model and the data of the flags.

    Returns:
      What the run works on.

    Raises:
      ValueError: For flags or data that cannot be used.
      OSError: For data that are not there.
    """
    rules.check(settings)
    given, neutral = flag_table.as_dict(settings), flag_table.neutral(settings)
    if settings.output.run_name:
        outputs.run_directory.check_name(settings.output.run_name)
    place = run_folders.of(settings)
    defaults = flag_table.as_dict(type(settings)())
    outputs.run_directory.check_place(place, given, neutral, defaults)
    of_flags = modality or modalities.catalog.of(settings)
    return study.inputs.load(settings, of_flags, stream)


def rehearse(settings: Settings) -> "Callable[[Inputs], int]":
    """What `--dry_run` does instead of the work: says what it would be."""

    def say(inputs: "Inputs") -> int:
        for line in study.dry_run.report(settings, inputs):
            print(line, flush=True)
        print("Nothing was done (--dry_run).")
        return 0

    return say


def work(
    settings: Settings, inputs: "Inputs", folder: "RunFolder", means: bool = True
) -> int:
    """Does the work and shows the result.

    Args:
      settings: Checked.
      inputs: The data and the model.
      folder: Of the run.
      means: Whether it says in sentences what the result means.

    Returns:
      The exit status.
    """
    notes = study.publishing.Notes(
        study.masking.describe(settings.masks), inputs.weights_note
    )

    whole = study.work.listed(settings, inputs)

    def publish() -> None:
        done = outputs.results.finished_keys(folder.path)
        study.publishing.everything(
            folder.path,
            inputs.dataset,
            notes,
            inputs.modality,
            whole.unfinished(done),
        )

    with outputs.native_output.redirected(folder.path) as stream:
        try:
            study.running.run(
                settings, inputs, folder, stream, study.following.following(publish)
            )
        except KeyboardInterrupt:
            stopping.heard()
            publish()
            state = whole.unfinished(outputs.results.finished_keys(folder.path))
            print(
                f"\nStopped. {state}\nWhat is done is in {folder.path}; the same command "
                "goes on from there.",
                file=stream,
                flush=True,
            )
            return command.STOPPED
        except (ValueError, OSError) as error:
            with contextlib.suppress(OSError):
                publish()
            print(
                f"\n{error}\nWhat was finished before is in {folder.path}.",
                file=stream,
                flush=True,
            )
            return command.REFUSED
        publish()
        study.publishing.summary(
            folder.path, inputs.dataset, notes, inputs.modality, stream, means
        )
    return 0


if __name__ == "__main__":
    command.start(Runs, main)
