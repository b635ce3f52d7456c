"""Predicts from masks alone how much leaks, without an attack.

    python -m experiments.analyse --flagfile=experiments/flagfiles/analyse_lenet.flags

Started again with the same flags, it goes on with the pictures that are missing.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from experiments import analysis
from experiments.analysis.options import Options
from experiments.study import command

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
        analysis.options.check(options)
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


def _checked(options: Options, errors: TextIO) -> "Inputs":
    analysis.options.check(options)
    return analysis.inputs.load(options, errors)


def _rehearse(options: Options, loaded: "Inputs", output: TextIO) -> int:
    """What `--dry_run` does instead of the work: says what it would be."""
    for line in analysis.dry_run.report(options, loaded):
        print(line, file=output, flush=True)
    return 0


if __name__ == "__main__":
    command.start(Options, execute)
