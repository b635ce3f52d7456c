"""The command of a study, called as a test calls it."""

import io
import pathlib

from absl import flags as absl_flags

from experiments import run
from experiments.study import flags, settings


def parse(*arguments: str) -> settings.Settings:
    values = absl_flags.FlagValues()
    flags.define(values)
    values(["run", *arguments])
    return flags.to_settings(values)


TINY = pathlib.Path(run.__file__).parent / "flagfiles" / "tiny.flags"


def execute(logdir: pathlib.Path, *arguments: str) -> tuple[int, str]:
    values = absl_flags.FlagValues()
    flags.define(values)
    line = ["run", *_lines(TINY), f"--logdir={logdir}", *arguments]
    values(line)
    errors = io.StringIO()
    return run.execute(values, [], line, errors), errors.getvalue()


def _lines(flagfile: pathlib.Path) -> list[str]:
    return [
        line
        for line in flagfile.read_text().splitlines()
        if line and not line.startswith("#")
    ]
