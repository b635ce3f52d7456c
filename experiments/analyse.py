"""Predicts from masks alone how much leaks, without an attack.

    python -m experiments.analyse --flagfile=experiments/flagfiles/analyse_lenet.flags

Started again with the same flags, it goes on with the pictures that are missing.
"""

import sys
from collections.abc import Sequence
from typing import TextIO

from experiments import analysis
from experiments.analysis.options import Options
from experiments.study import command


def execute(
    options: Options,
    command_line: Sequence[str],
    output: TextIO = sys.stdout,
    errors: TextIO = sys.stderr,
) -> int:
    """Analyses what is missing, shows the result, and gives the exit status."""
    return command.perform(
        lambda: analysis.running.prepare(options, command_line),
        lambda prepared: analysis.running.run(prepared, output, errors),
        errors,
    )


if __name__ == "__main__":
    command.start(Options, execute)
