"""Attacks what `experiments.analyse` has analysed, and compares the two.

    python -m experiments.check_prediction --run_name=check_lenet

Every mask of the analysis is attacked, at its weights, mask-aware, with the labels and
the prior's public pictures known; the best of the attacks counts. Beside it stands the
mean of the public pictures, which needs no gradient. Started again, it goes on with the
cases that are missing.
"""

import dataclasses
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from attacks import catalog as attack_catalog
from experiments import analysis, outputs
from experiments.analysis import catalog
from experiments.analysis.options import Options
from experiments.study import (
    command,
    flag_table,
    rules,
    run_folders,
    stopping,
    text_rules,
)
from experiments.study.flag_table import SettingsError, at_least, flag
from experiments.study.settings import Place

if TYPE_CHECKING:
    from experiments.analysis.attacked import Work


@dataclasses.dataclass(frozen=True)
class Check:
    """What is checked, and how hard."""

    analysis: Place = Place()
    attacks: tuple[str, ...] = flag(
        "attacks",
        catalog.CHECKED,
        "Attacks (docs/attacks.md), of which the best counts; one that does not apply "
        "says so.",
        choices=attack_catalog.ATTACKS,
    )
    iterations: int = flag(
        "attack_iterations",
        400,
        "Iterations of an attack, in its own unit.",
        rule=at_least(1),
    )
    restarts: int = flag("attack_restarts", 1, "Starts of an attack.", rule=at_least(1))

    @property
    def folder(self) -> pathlib.Path:
        """The folder of the analysis."""
        return run_folders.named(self.analysis, "").absolute()


def execute(
    asked: Check,
    command_line: Sequence[str],
    output: TextIO = sys.stdout,
    errors: TextIO = sys.stderr,
) -> int:
    """Attacks what is missing, shows the comparison, and gives the exit status."""

    def work(prepared: "Work") -> int:
        status = 0
        try:
            analysis.attacked.attack(prepared, asked.folder, errors)
        except KeyboardInterrupt:
            stopping.heard()
            print(f"\nStopped. Finished cases are in {asked.folder}.", file=errors)
            status = command.STOPPED
        analysis.comparison.publish(
            asked.folder,
            analysis.attacked.cases_of(asked.folder),
            _notes(prepared, asked.folder),
            command.as_text("experiments.check_prediction", command_line),
            output,
        )
        return status

    return command.perform(lambda: prepare(asked, errors), work, errors)


def prepare(asked: Check, stream: TextIO) -> "Work":
    """Reads a finished analysis.

    Args:
      asked: As read from flags.
      stream: Where the progress of training the attacked weights goes, if the analysis
        was of trained ones and they are not kept any more.

    Returns:
      The work.

    Raises:
      SettingsError: If there is no analysis.
      ValueError: If its flags cannot be read.
    """
    flag_table.check(asked)
    records = asked.folder / "analysis.jsonl"
    if not records.exists():
        raise SettingsError(
            "`--run_name` must be that of a finished `python -m experiments.analyse` in "
            f"`--logdir`, but {asked.folder} has no {records.name}. Run the analysis first."
        )
    stored = outputs.run_directory.read_config(asked.folder)
    # What does not change results stands with the session that it was of.
    flags = stored["flags"] | stored["sessions"][-1]["neutral_flags"]
    options = flag_table.from_dict(flags, Options)
    flag_table.check(options, rules.subject, text_rules.without_text, rules.federation)
    return analysis.attacked.Work(
        analysis.inputs.load(options, stream).study,
        analysis.results.load(asked.folder),
        asked.attacks,
        asked.iterations,
        asked.restarts,
    )


def _notes(work: "Work", folder: pathlib.Path) -> tuple[str, ...]:
    """For whom the prediction is, and which attacks have no result."""
    made = work.study
    prior = catalog.prior_of(made.options.prior, made.model.input_shape)
    rounds = made.options.training.weights_after_rounds
    return (
        analysis.report.assumed(prior, len(made.public)),
        *(
            [f"The weights are those after {rounds} rounds of averaging."]
            * (rounds > 0)
        ),
        *(f"No result: {line}" for line in analysis.attacked.reasons_of(folder)),
    )


if __name__ == "__main__":
    command.start(Check, execute)
