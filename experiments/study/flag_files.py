"""Files of flags, looked into before they are read: absl is silent or raw about some."""

import pathlib
from collections.abc import Iterator, Sequence

from absl import flags

_FLAG = "--flagfile"


def check(arguments: Sequence[str]) -> None:
    """Checks the files that a command line names, and those that they name.

    Args:
      arguments: The program and what it was given.

    Raises:
      flags.Error: If one is not there, is no text, or comes back to itself.
    """
    for path in _named(arguments[1:]):
        _check(path, ())


def place_of(arguments: Sequence[str], name: str) -> str:
    """Where a flag stands in the files, in words; empty if it is in none of them."""
    for path in _named(arguments[1:]):
        for file, number, line in _lines(path):
            said = line.removeprefix("-").removeprefix("-").partition("=")[0]
            if said in (name, f"no{name}"):
                return f"\nIt stands in {file}, line {number}."
    return ""


def _check(path: str, above: tuple[str, ...]) -> None:
    if not path:
        raise flags.Error(f"`{_FLAG}` must name a file of flags, got nothing.")
    if path in above:
        raise flags.Error(
            f"`{_FLAG}` must not lead back to itself, but {path} names itself, maybe by "
            "way of others. Take the line out."
        )
    try:
        text = _text(path)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise flags.Error(
            f"`{_FLAG}` must be a file of flags, one a line, but {path} cannot be read: "
            f"{why}."
        ) from None
    for inner in _named([line.strip() for line in text.splitlines()]):
        _check(inner, (*above, path))


def _lines(path: str) -> Iterator[tuple[str, int, str]]:
    for number, line in enumerate(_text(path).splitlines(), start=1):
        stripped = line.strip()
        yield path, number, stripped
        for inner in _named([stripped]):
            yield from _lines(inner)


def _text(path: str) -> str:
    return pathlib.Path(path).expanduser().read_text(encoding="utf-8")


def _named(arguments: Sequence[str]) -> Iterator[str]:
    waiting = list(arguments)
    while waiting:
        one = waiting.pop(0)
        if one == "--":
            return
        name, equals, value = one.partition("=")
        if name in (_FLAG, _FLAG[1:]):
            yield value.strip("\"'") if equals else waiting.pop(0) if waiting else ""
