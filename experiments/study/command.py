"""Starts a command: flags become settings, and a refusal a sentence."""

import os
import pathlib
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TextIO, TypeVar

from absl import app, flags

from experiments.outputs import native_output
from experiments.study import flag_files, flag_table, stopping

flags.disclaim_key_flags()

FORMER: Mapping[str, str] = MappingProxyType(
    {
        "output": "`--logdir` (the folder of all runs) and `--run_name` (in it)",
        "analysis": "`--logdir` and `--run_name`, those of the analysis",
    }
)
"""Flags that have another name now."""

T = TypeVar("T")
W = TypeVar("W")

REFUSED, STOPPED = 2, 130
"""Exit statuses: for flags or data that cannot be used, and after Ctrl-C or SIGTERM."""


def start(
    table: type[T],
    execute: Callable[[T, Sequence[str]], int],
    takes_paths: bool = False,
) -> None:
    """Defines and reads the flags of a command, does its work, and exits.

    Args:
      table: The settings class that has the flags.
      execute: `(settings, command line) -> exit status`: 0, `REFUSED` or `STOPPED`. The
        command line is the program and what it was given; of a command that takes
        paths, the program and the paths.
      takes_paths: Whether the command takes paths beside flags.
    """
    flag_table.define(flags.FLAGS, table)
    stopping.listen()

    def main(argv: Sequence[str]) -> int:
        line = argv if takes_paths else sys.argv
        return execute(flag_table.read(flags.FLAGS, table), line)

    try:
        app.run(main, flags_parser=_parse if takes_paths else _flags_only)
    except KeyboardInterrupt:
        stopping.heard()
        print("\nStopped. What was finished is kept.\n", file=sys.stderr)
        sys.exit(STOPPED)


def perform(prepare: Callable[[], W], work: Callable[[W], int], errors: TextIO) -> int:
    """Prepares and does what a command is for.

    Args:
      prepare: Raises ValueError, OSError or IndexError, with a sentence for people, for
        flags or data that cannot be used. What it prints to the standard output is not
        shown: tf-shell says there that it makes keys.
      work: Gets what was prepared, and gives the exit status. It may find, too, that
        data or flags cannot be used, and raises the same; what it has finished stays.
      errors: Where refusals go.

    Returns:
      The exit status.
    """
    try:
        with native_output.silenced():
            prepared = prepare()
        return work(prepared)
    except (ValueError, OSError, IndexError, MemoryError) as error:
        return _refuse(error, errors)


def program(name: str) -> str:
    """How a program of this environment is called from here.

    Args:
      name: Of the program.

    Returns:
      Its path: by its name the shell finds it in an activated environment alone, and
      which one the user has cannot be seen from inside (`uv run` changes it).
    """
    own = pathlib.Path(sys.executable).with_name(name)
    if not own.exists():
        return name
    here = pathlib.Path.cwd()
    return shlex.quote(str(own.relative_to(here) if own.is_relative_to(here) else own))


def as_text(module: str, command_line: Sequence[str]) -> str:
    """A command as it is typed, for files that say what made them."""
    return " ".join((f"python -m {module}", *command_line[1:]))


def _flush() -> None:
    """Writes what waits to be printed; if nobody reads it, nothing more is printed."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Otherwise the interpreter tries again as it ends, and complains.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refuse(error: Exception, errors: TextIO) -> int:
    if isinstance(error, BrokenPipeError):
        _flush()
        said = "Nobody reads what is printed any more. What was finished is kept."
        print(f"\nStopped. {said}\n", file=errors)
        return STOPPED
    print(f"\n{error or type(error).__name__}\n", file=errors)
    return REFUSED


def _parse(arguments: Sequence[str]) -> Any:
    try:
        whole = flag_files.expanded(arguments)
    except flags.Error as error:
        sys.exit(_refuse(error, sys.stderr))
    try:
        return flags.FLAGS([one.text for one in whole])
    except (SystemExit, BrokenPipeError):
        # Only --help and its like end here: what was asked for was given, as far as
        # somebody reads it (`| head`).
        _flush()
        sys.exit(0)
    except flags.UnrecognizedFlagError as error:
        now = FORMER.get(error.flagname)
        said = f"`--{error.flagname}` is {now} now." if now else str(error)
        place = flag_files.place_of(whole, error.flagname)
        sys.exit(_refuse(flags.Error(said + place), sys.stderr))
    except (flags.Error, ValueError) as error:
        name = str(error).partition("--")[2].partition("=")[0]
        place = flag_files.place_of(whole, name) if name else ""
        sys.exit(_refuse(flags.Error(str(error) + place), sys.stderr))


def _flags_only(arguments: Sequence[str]) -> Any:
    parsed = _parse(arguments)
    if len(parsed) > 1:
        error = flags.Error(
            f"The command takes flags only, got {parsed[1]!r}. Flags start with --"
        )
        sys.exit(_refuse(error, sys.stderr))
    return parsed
