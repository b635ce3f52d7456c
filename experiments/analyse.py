"""Predicts from masks alone how much leaks, without an attack.

    python -m experiments.analyse --flagfile=experiments/flagfiles/analyse_lenet.flags

Started again with the same flags, it goes on with the pictures that are missing.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from experiments import analysis, outputs
from experiments.analysis.options import Options
from experiments.study import command, flag_table, rules, run_folders, text_rules

if TYPE_CHECKING:
    from experiments.analysis.inputs import Inputs
    from experiments.analysis.running import Prepared


def execute(
    options: Options,
    command_line: Sequence[str],
    output: TextIO = sys.stdout,
    errors: TextIO = sys.stderr,
) -> int:
    """Analyses what is missing, shows the result, and gives the exit status."""

    def prepare() -> "Prepared":
        check_flags(options)
        return analysis.running.prepare(options, command_line, errors)

    if options.output.dry_run:
        return command.perform(
            lambda: _checked(options, errors),
            lambda loaded: _rehearse(options, loaded, output),
            errors,
        )
    return command.perform(
        prepare, lambda prepared: analysis.running.run(prepared, output, errors), errors
    )


def check_flags(options: Options) -> None:
    """Checks flags and folder; light, so that a refusal does not wait for TensorFlow."""
    flag_table.check(options, rules.subject, text_rules.without_text, rules.federation)
    if options.output.run_name:
        outputs.run_directory.check_name(options.output.run_name)
    outputs.run_directory.check_place(
        run_folders.of_analysis(options, options.output),
        flag_table.as_dict(options),
        flag_table.neutral(options),
    )


def _checked(options: Options, errors: TextIO) -> "Inputs":
    check_flags(options)
    return analysis.inputs.load(options, errors)


def _rehearse(options: Options, loaded: "Inputs", output: TextIO) -> int:
    """What `--dry_run` does instead of the work: says what it would be."""
    for line in analysis.dry_run.report(options, loaded):
        print(line, file=output, flush=True)
    return 0


if __name__ == "__main__":
    command.start(Options, execute)
