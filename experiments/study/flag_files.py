"""Files of flags, put into the command line: each is read once, as a pipe can be.

absl reads them itself, but is silent about a file that leads back to itself, and raw about
one that is not there or no text. What counts as a line is as there: blank lines and those
that begin with # or // are left out.
"""

import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from absl import flags

_FLAG = "--flagfile"

_SOURCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "dataset": ("text_file", "data"),
        "text_file": ("dataset", "data"),
        "data": ("dataset", "text_file"),
        "data_dir": ("text_file", "data"),
    }
)
"""Of each flag that says what the data are those that say it otherwise."""


class Argument(NamedTuple):
    """An argument of a command line, and where it stands.

    Attributes:
      text: As it is typed.
      file: The file of flags that it is in; "" for the command line itself.
      line: Its line there, from 1.
    """

    text: str
    file: str = ""
    line: int = 0


def expanded(arguments: Sequence[str]) -> list[Argument]:
    """A command line with the lines of files in the place of their names.

    Args:
      arguments: The program and what it was given.

    Returns:
      The program and all arguments, but for lines of files that cannot be together with
      what follows them on the command line itself, which wins as it does of one flag;
      what stands behind a `--` is left as it is.

    Raises:
      flags.Error: If a file is not there, is no text, or leads back to itself.
    """
    program, *given = arguments
    end = given.index("--") if "--" in given else len(given)
    first = [Argument(one) for one in given[:end]]
    last = [Argument(one) for one in given[end:]]
    return [Argument(program), *_without_losers([*_expanded(first, ())]), *last]


def place_of(arguments: Sequence[Argument], name: str) -> str:
    """Where a flag stands in the files, in words; empty if it is in none of them."""
    for one in arguments:
        said = _name(one)
        if one.file and said in (name, f"no{name}"):
            return f"\nIt stands in {one.file}, line {one.line}."
    return ""


def _without_losers(given: Sequence[Argument]) -> Iterator[Argument]:
    for place, one in enumerate(given):
        later = {_name(other) for other in given[place + 1 :] if not other.file}
        if not one.file or not later.intersection(_SOURCES.get(_name(one), ())):
            yield one


def _name(one: Argument) -> str:
    return one.text.removeprefix("-").removeprefix("-").partition("=")[0]


def _expanded(given: list[Argument], above: tuple[str, ...]) -> Iterator[Argument]:
    waiting = list(given)
    while waiting:
        one = waiting.pop(0)
        name, equals, value = one.text.partition("=")
        if name not in (_FLAG, _FLAG[1:]):
            yield one
            continue
        if not equals:
            value = waiting.pop(0).text if waiting else ""
        path = value.strip("\"'")
        if path in above:
            raise flags.Error(
                f"`{_FLAG}` must not lead back to itself, but {path} names itself, maybe "
                "by way of others. Take the line out."
            )
        yield from _expanded(_lines(path), (*above, path))


def _lines(path: str) -> list[Argument]:
    if not path:
        raise flags.Error(f"`{_FLAG}` must name a file of flags, got nothing.")
    place = pathlib.Path(os.path.expanduser(path))
    try:
        endless = place.is_char_device() and not os.path.samefile(place, "/dev/null")
        text = "" if endless else place.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise flags.Error(
            f"`{_FLAG}` must be a file of flags, one a line, but {path} cannot be read: "
            f"{why}."
        ) from None
    if endless:
        raise flags.Error(f"`{_FLAG}` must be a file of flags, but {path} is a device.")
    return [
        Argument(line.strip(), path, number)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.startswith(("#", "//"))
    ]
