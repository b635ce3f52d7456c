"""Audits a model: what a curious server recovers of the examples behind its gradients.

    python -m experiments.audit --model=my_project.models:build --data=readings.npz

or, of a Keras model and arrays that are there:

    from experiments.audit import audit
    audit(model, (x, y))

It is `experiments.run` with other defaults, after the prediction of
`experiments.analyse`: no training, every attack that fits at a few ratios, in about
`--minutes`. Started again with the same flags, it goes on where it stopped. With
`--seeds=0,1` it is an audit for each of them, and one report of all.
"""

import dataclasses
import io
import pathlib
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from experiments import report, run, study, suites
from experiments.outputs.report import limits
from experiments.study import command, flag_table, places, rules, run_folders
from experiments.study.flag_table import at_least, flag
from experiments.study.settings import (
    AttackSettings,
    MaskSettings,
    Settings,
    TrainingSettings,
)

if TYPE_CHECKING:
    from experiments.study.inputs import Inputs
    from experiments.study.modality import Modality
    from experiments.suites.audit.result import Audited


@dataclasses.dataclass(frozen=True)
class Audit(run.Runs):
    """A run with the defaults of an audit, and its time."""

    training: TrainingSettings = TrainingSettings(rounds=0)
    masks: MaskSettings = MaskSettings(ratios=(0.0, 0.1, 0.5, 1.0))
    attack: AttackSettings = AttackSettings(
        num_images=1,
        methods=("strongest",),
        restarts=1,
        max_iterations=300,
        aggregate_clients=0,
    )
    minutes: float = flag(
        "minutes",
        5.0,
        "For the searches of all attacks, on this machine: --attack_iterations are cut "
        "until they take about as long; 0 for no limit. An audit that goes on keeps its "
        "iterations, and one of several seeds has those of the first.",
        rule=at_least(0),
        neutral=True,
    )


def main(
    asked: Audit,
    command_line: Sequence[str],
    output: TextIO = sys.stdout,
    errors: TextIO = sys.stderr,
) -> int:
    """Audits with one seed or several, and gives the exit status: that of the worst.

    Searches of all seeds have the iterations of the first: what was measured with others
    is never put together.
    """
    if not asked.seeds:
        return execute(asked, command_line, output, errors)
    places: list[pathlib.Path] = []
    a_seed = dataclasses.replace(asked, minutes=asked.minutes / len(asked.seeds))

    def once(one: Audit) -> int:
        places.append(run_folders.of(_named(one)))
        first = suites.audit.effort.stored(places[0])
        if first is not None:
            searching = dataclasses.replace(one.attack, max_iterations=first)
            one = dataclasses.replace(one, attack=searching, minutes=0.0)
        return execute(one, command_line, output, errors)

    name = _named(asked).output.run_name
    return run.of_seeds(a_seed, name, once, output, errors)


def execute(
    asked: Audit,
    command_line: Sequence[str],
    output: TextIO = sys.stdout,
    errors: TextIO = sys.stderr,
    modality: "Modality | None" = None,
    tell: "Callable[[Audited], object]" = lambda found: None,
) -> int:
    """Predicts, attacks, shows the result, and gives the exit status.

    Args:
      asked: As read from flags.
      command_line: The program and its arguments.
      output: Where the prediction, its progress and the answer go.
      errors: Where refusals go, and progress of what comes before.
      modality: Of a model and data that no flag names; None for what the flags say.
      tell: Gets what was found.

    Returns:
      0, `command.REFUSED` or `command.STOPPED`.
    """

    def prepare() -> "tuple[Settings, Inputs, str, list[limits.Limit]]":
        rules.check(asked, _nothing_left_out)
        settings = _named(asked)
        effort = suites.audit.effort
        before = effort.stored(run_folders.of(settings))
        if before is not None and before <= settings.attack.max_iterations:
            settings = _searching(settings, before)
            said = f"Effort: {before} iterations of each search, as the audit began."
            return settings, run.check(settings, errors, modality), said, []
        inputs = run.check(settings, errors, modality)
        chosen = effort.of(settings, inputs, asked.minutes)
        said = effort.in_words(chosen, settings, asked.minutes)
        left_out = effort.limits(chosen, settings, inputs)
        return _searching(settings, chosen.iterations), inputs, said, left_out

    def work(prepared: "tuple[Settings, Inputs, str, list[limits.Limit]]") -> int:
        settings, inputs, said, left_out = prepared
        effort = suites.audit.effort
        if asked.output.dry_run:
            for line in (
                *study.dry_run.report(settings, inputs),
                *effort.tried(settings, inputs),
                said,
                suites.audit.prediction.rehearsed(settings, inputs, errors),
                "Nothing was done (--dry_run).",
            ):
                print(line, file=output, flush=True)
            return 0
        folder = run.opened(settings, inputs, command_line)
        # Of the start: one that goes on knows no more how much was asked for.
        limits.save(folder.path, left_out)
        print(said, file=output, flush=True)
        status = suites.audit.prediction.make(settings, inputs, folder.path, output)
        if status != command.STOPPED:
            # What it means stands at the end, with what was not tried.
            status = run.work(settings, inputs, folder, means=False)
        if not status:
            found = suites.audit.result.of(folder.path, report.leaks_of)
            print(f"\n{found}", file=output, flush=True)
            tell(found)
        return status

    return command.perform(prepare, work, errors)


def audit(model: Any, data: Any, **flags: Any) -> "Audited":
    """Audits a model that is there, at the weights that it has.

    Args:
      model: A Keras model, best compiled, which says its loss; or a `LearningTask`.
      data: (x, y) or (x, y, client) of arrays, or a `tf.data.Dataset` of batches (x, y).
        Examples that the model was trained on are the harder case for an attacker.
      **flags: Of the command by name: `minutes=2`, `encryption_ratios=(0, 0.2)`,
        `run_name="mine"`. A folder that holds an audit of the same goes on; one of
        another model, data or flags is refused.

    Returns:
      What was found; `print` and notebooks show it as text.

    Raises:
      ValueError: If model, data or flags cannot be audited, in a sentence.
      KeyboardInterrupt: If it was stopped; the same call goes on.
    """
    own = sorted(flags.keys() & {"model", "data", "dataset", "text_file", "dry_run"})
    if own:
        raise ValueError(
            f"`audit` takes flags of `python -m experiments.audit --help` that are not of "
            f"the model or the data, got {', '.join(own)}. Leave them out."
        )
    if "seeds" in flags:
        raise ValueError(
            "`audit` takes one seed a call, got `seeds`. Call it with `seed=0`, `seed=1` "
            "and a `run_name` for each, and put them together by `python -m "
            "experiments.report`."
        )
    name = re.sub(r"\W", "_", str(getattr(model, "name", type(model).__name__)))
    # Keras numbers the models of a process; a model that is built anew is the same.
    name = re.sub(r"_\d+$", "", name)
    named = {"model": f"{places.GIVEN}:model_{name}", "data": f"{places.GIVEN}:data"}
    asked = flag_table.given({**flags, **named}, Audit)
    given = ", ".join(f"{name}={value!r}" for name, value in flags.items())
    line = f"audit(model, data{f', {given}' if given else ''})"
    from experiments.modalities.pictures import modality  # It loads TensorFlow.

    refused = io.StringIO()
    told: list[Audited] = []
    status = execute(
        asked, [line], sys.stdout, refused, modality.of_given(model, data), told.append
    )
    if status == command.STOPPED:
        raise KeyboardInterrupt
    if status:
        place = run_folders.of(_named(asked))
        raise ValueError(
            refused.getvalue().strip()
            or f"The audit ended; {place} has what is finished."
        )
    return told[0]


def _nothing_left_out(asked: Audit) -> Iterator[str]:
    if not asked.attack.num_images and not asked.attack.aggregate_clients:
        yield "`--num_images` must be at least 1 for an audit, got 0."


def _named(asked: Audit) -> Settings:
    """The run, in a folder that has the name of an audit by default."""
    settings = flag_table.narrowed(asked, Settings)
    name = asked.output.run_name or f"{run_folders.of(settings).name}_audit"
    place = dataclasses.replace(asked.output, run_name=name)
    return dataclasses.replace(settings, output=place)


def _searching(settings: Settings, iterations: int) -> Settings:
    attack = dataclasses.replace(settings.attack, max_iterations=iterations)
    return dataclasses.replace(settings, attack=attack)


if __name__ == "__main__":
    command.start(Audit, main)
