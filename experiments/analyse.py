"""Predicts from masks alone how much leaks, without an attack.

    python -m experiments.analyse --flagfile=experiments/flagfiles/analyse_lenet.flags

Started again with the same flags, it goes on with the pictures that are missing.
"""

import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from experiments import analysis, outputs
from experiments.analysis.options import Options
from experiments.study import command, flag_table

if TYPE_CHECKING:
    from experiments.analysis.running import Prepared


def execute(
    options: Options,
    command_line: Sequence[str],
    output: TextIO = sys.stdout,
    errors: TextIO = sys.stderr,
) -> int:
    """Analyses what is missing, shows the result, and gives the exit status."""

    def prepare() -> "Prepared":
        # Here, so that a refusal does not wait for TensorFlow.
        flag_table.check(options)
        outputs.run_directory.check_place(
            pathlib.Path(options.output).expanduser(),
            flag_table.as_dict(options),
            flag_table.neutral(options),
        )
        return analysis.running.prepare(options, command_line)

    return command.perform(
        prepare, lambda prepared: analysis.running.run(prepared, output, errors), errors
    )


if __name__ == "__main__":
    command.start(Options, execute)
