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
    """Checks the options, analyses what is missing and shows the result.

    Args:
      options: As read from flags.
      command_line: The program and its arguments, for the files.
      output: Where the table goes.
      errors: Where refusals and progress go.

    Returns:
      The exit status: 0, 2 for flags or data that cannot be used, 130 after Ctrl-C.
    """
    return command.perform(
        lambda: analysis.running.prepare(options, command_line),
        lambda prepared: analysis.running.run(prepared, output, errors),
        errors,
    )


if __name__ == "__main__":
    command.start(Options, execute)
