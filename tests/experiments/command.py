"""The command of a study, called as a test calls it."""

import io
import pathlib

from absl import flags as absl_flags

from experiments import run
from experiments.study import flag_table
from experiments.study.settings import Settings

TINY = pathlib.Path(run.__file__).parent / "flagfiles" / "tiny.flags"


def read(table: type, *arguments: str):
    """The settings that a command line gives."""
    values = absl_flags.FlagValues()
    flag_table.define(values, table)
    absl_flags.DEFINE_string("flagfile", "", "", flag_values=values)
    values(["command", *arguments])
    return flag_table.read(values, table)


def parse(*arguments: str) -> Settings:
    return read(Settings, *arguments)


def execute(logdir: pathlib.Path, *arguments: str) -> tuple[int, str]:
    line = [f"--flagfile={TINY}", f"--logdir={logdir}", *arguments]
    errors = io.StringIO()
    return run.execute(parse(*line), ["run", *line], errors), errors.getvalue()
