"""How a run was made: the command, versions, machine and seed."""

import pathlib
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from experiments.outputs import environment
from experiments.outputs.report import reading
from experiments.outputs.report.reading import Run


class Start(NamedTuple):
    """One start of a run.

    Attributes:
      when: In UTC.
      command: As it is typed.
      machine: Cores, devices and versions.
      version: Of selenc-tf, with its commit.
    """

    when: str
    command: str
    machine: str
    version: str


class Provenance(NamedTuple):
    """How one run was made.

    Attributes:
      folder: Its path, as the report was given it.
      seed: Of the run; "not known" without a configuration.
      hash: Of everything that determines its results.
      starts: Each start of it.
      flags: What determines results, with its values.
      notes: What is missing of it.
    """

    folder: str
    seed: str
    hash: str
    starts: tuple[Start, ...]
    flags: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def of(run: Run) -> Provenance:
    """What the folder of a run says of how it was made."""
    config = run.config
    flags = config.get("flags", {})
    return Provenance(
        folder=run.name,
        seed=str(flags.get("seed", "not known")),
        hash=str(config.get("config_hash", "not known")),
        starts=tuple(_start(each) for each in config.get("sessions", ())),
        flags=tuple((f"--{name}", _text(value)) for name, value in flags.items()),
        notes=run.notes,
    )


def command(command_line: Sequence[str]) -> str:
    """A command line as it is typed at the root of the project; a call as in Python."""
    program, *arguments = command_line or ["run"]
    if program.endswith(")"):
        return program
    module = f"experiments.{pathlib.Path(program).stem}"
    return shlex.join(["python", "-m", module, *arguments])


def _start(session: Mapping[str, Any]) -> Start:
    known = {"versions", "devices", "cpu"} <= session.keys()
    return Start(
        session.get("started_utc", "not known"),
        command(session.get("command_line", ())),
        environment.in_words(session) if known else "not known",
        reading.version({"sessions": [session]}),
    )


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(str(each) for each in value)
    return str(value)
