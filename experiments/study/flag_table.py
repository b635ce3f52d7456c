"""The table of flags: one field of a settings class is one flag.

    seed: int = flag("seed", 0, "Seed of weights and data.", rule=at_least(0))

The annotation is the type. From such fields are made the flags of a command and their
help (`define`), its settings (`read`), what is wrong with them (`check`), and what
`config.json` keeps (`as_dict`). A field that is no flag is a section: a class of such
fields, whose values by default are those of the field's own default. A class has the flags
of those that it inherits from, too.
"""

import dataclasses
import functools
import math
import os
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias, TypeVar

from absl import flags

from selenc_tf import validation

# In `--help` flags belong to the module that has them defined, the entry point.
flags.disclaim_key_flags()

T = TypeVar("T")

Rule: TypeAlias = Callable[[str, Any], object]
"""`(flag, value) -> anything`; raises ValueError with a sentence for people."""


class SettingsError(ValueError):
    """One or more flags cannot be used; the message lists all of them."""


class Flag(NamedTuple):
    """What a field says of its flag, besides type and default.

    Attributes:
      name: Without dashes.
      help: What it means; the choices are added.
      rule: Of a value, or of each in a list.
      choices: The names of the catalogue that a value, or each in a list, is one of.
      neutral: Whether it does not change results: where to read and write.
      optional: Whether a list may be empty.
    """

    name: str
    help: str
    rule: Rule | None
    choices: tuple[str, ...]
    neutral: bool
    optional: bool


def flag(
    name: str,
    default: Any,
    help: str,
    *,
    rule: Rule | None = None,
    choices: Collection[str] = (),
    neutral: bool = False,
    optional: bool = False,
) -> Any:
    """Returns a field that is a flag; the arguments are those of `Flag`."""
    about = Flag(name, help, rule, tuple(choices), neutral, optional)
    return dataclasses.field(default=default, metadata={"flag": about})


def at_least(least: float) -> Rule:
    """The rule of a finite number that is not below `least`."""
    return functools.partial(validation.check_at_least, least=least)


def within(low: float, high: float) -> Rule:
    """The rule of a number from `low` to `high`, both allowed."""

    def rule(name: str, value: Any) -> None:
        if not low <= value <= high:
            raise ValueError(
                f"`{name}` must be a number from {low} to {high}, got {value}."
            )

    return rule


def define(values: flags.FlagValues, table: type) -> None:
    """Defines the flags of a settings class.

    Args:
      values: Where to define them: `flags.FLAGS`, or a holder of a test.
      table: The class.
    """
    _define(values, table())


def _define(values: flags.FlagValues, defaults: Any) -> None:
    for field, kind in _fields(type(defaults)):
        about, default = field.metadata.get("flag"), getattr(defaults, field.name)
        if about is None:
            _define(values, default)
        elif isinstance(default, tuple):
            flags.DEFINE(
                _ListOf(typing.get_args(kind)[0]),
                about.name,
                list(default),
                _help(about, "Any of"),
                values,
                flags.CsvListSerializer(","),
            )
        else:
            _DEFINERS[kind](
                about.name, default, _help(about, "One of"), flag_values=values
            )


def read(values: flags.FlagValues, table: type[T]) -> T:
    """Puts parsed flags into their settings class.

    Args:
      values: With the flags of `define`.
      table: The class.

    Returns:
      The settings, not yet checked.
    """
    return _build(table(), lambda about, _: values[about.name].value)


def given(values: Mapping[str, Any], table: type[T]) -> T:
    """Settings from values of a program, read as if they were typed.

    Args:
      values: By the names of their flags; a list for several values.
      table: The class.

    Returns:
      The settings, not yet checked; the default for each that is missing.

    Raises:
      SettingsError: If there is no such flag, or a value is not of its type.
    """
    holder = flags.FlagValues()
    define(holder, table)
    line = [f"--{name}={_typed(name, value)}" for name, value in values.items()]
    try:
        holder(["", *line])
    except flags.Error as error:
        raise SettingsError(str(error)) from None
    return read(holder, table)


def _typed(name: str, value: Any) -> str:
    several = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(several, list | tuple):
        return ",".join(map(str, several))
    if isinstance(several, str | int | float | os.PathLike):
        return str(several)
    raise SettingsError(
        f"`{name}` must be a value that can be typed as a flag, got "
        f"{type(value).__name__}. Leave it out for its default."
    )


def from_dict(stored: Mapping[str, Any], table: type[T]) -> T:
    """Undoes `as_dict`.

    Args:
      stored: Values by the names of their flags; the default is taken for one that is
        missing.
      table: The class.

    Returns:
      The settings, not yet checked.
    """
    return _build(table(), lambda about, default: stored.get(about.name, default))


def narrowed(asked: Any, table: type[T]) -> T:
    """The settings of a table from those of one that has more: a class made of it."""
    return table(
        **{field.name: getattr(asked, field.name) for field, _ in _fields(table)}
    )


def as_dict(settings: Any) -> dict[str, Any]:
    """The settings by the names of their flags, as JSON can write them."""
    return {
        about.name: list(value) if isinstance(value, tuple) else value
        for about, value in flags_of(settings)
    }


def as_typed(settings: Any) -> list[str]:
    """The flags whose values are not those by default, as they are typed."""
    default = as_dict(type(settings)())
    return [
        f"--{name}={','.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in as_dict(settings).items()
        if value != default[name]
    ]


def neutral(settings: Any) -> tuple[str, ...]:
    """The names of those flags that do not change results."""
    return tuple(about.name for about, _ in flags_of(settings) if about.neutral)


def flags_of(settings: Any) -> Iterator[tuple[Flag, Any]]:
    """All flags of a settings object with their values, in the order of the table."""
    for field in dataclasses.fields(settings):
        value, about = getattr(settings, field.name), field.metadata.get("flag")
        if about is None:
            yield from flags_of(value)
        else:
            yield about, value


def check(settings: T, *rules: Callable[[T], Iterable[str]]) -> None:
    """Checks settings and reports everything that is wrong at once.

    Args:
      settings: The settings.
      *rules: Of several flags together: each gives a sentence for each problem, which
        begins with the flag. They are asked whatever the single flags are, so they must
        take any values; of a flag that is wrong alone they are not heard.

    Raises:
      SettingsError: With one line for each problem.
    """
    alone = [
        line for about, value in flags_of(settings) for line in _wrong(about, value)
    ]
    named = {_subject(line) for line in alone}
    together: list[str] = []
    try:
        together += [line for rule in rules for line in rule(settings)]
    except ValueError:  # Of a flag that is wrong alone.
        if not alone:
            raise
    problems = [*alone, *(line for line in together if _subject(line) not in named)]
    if problems:
        raise SettingsError(
            "The flags cannot be used:\n" + "\n".join(f"  {line}" for line in problems)
        )


def _subject(line: str) -> str:
    return line.split("`", 2)[1] if line.startswith("`") else line


class _ListOf(flags.ListParser):
    """Reads values of one type, separated by commas."""

    def __init__(self, element: type) -> None:
        super().__init__()
        self._element = element

    def parse(self, argument: str | list[Any]) -> list[Any]:
        found = []
        for each in super().parse(argument):
            try:
                found.append(self._element(each))
            except ValueError:
                what = "whole numbers" if self._element is int else "numbers"
                raise ValueError(
                    f"it must be {what} separated by commas, got {each!r}."
                ) from None
        return found


class _Whole(flags.IntegerParser):
    """Reads a whole number."""

    def convert(self, argument: int | str) -> int:
        try:
            return super().convert(argument)
        except (TypeError, ValueError):
            raise ValueError(f"it must be a whole number, got {argument!r}.") from None


class _Number(flags.FloatParser):
    """Reads a number."""

    def convert(self, argument: float | int | str) -> float:
        try:
            return super().convert(argument)
        except (TypeError, ValueError):
            raise ValueError(f"it must be a number, got {argument!r}.") from None


_LARGEST = 2**31 - 1
"""TensorFlow counts in int32."""


class _Switch(flags.BooleanParser):
    """Reads yes or no."""

    def parse(self, argument: str | int | bool) -> bool:
        try:
            return super().parse(argument)
        except (TypeError, ValueError):
            raise ValueError(f"it must be true or false, got {argument!r}.") from None


def _define_switch(
    name: str, default: bool, help: str, flag_values: flags.FlagValues
) -> None:
    made = flags.BooleanFlag(name, default, help)
    made.parser = _Switch()
    flags.DEFINE_flag(made, flag_values)


_TEXT = flags.ArgumentSerializer()
_DEFINERS: Mapping[Any, Callable[..., Any]] = {
    str: flags.DEFINE_string,
    int: functools.partial(flags.DEFINE, _Whole(), serializer=_TEXT),
    float: functools.partial(flags.DEFINE, _Number(), serializer=_TEXT),
    bool: _define_switch,
}


def _help(about: Flag, of_which: str) -> str:
    if not about.choices:
        return about.help
    return f"{about.help} {of_which}: {', '.join(about.choices)}."


def _fields(table: type) -> Iterator[tuple[dataclasses.Field[Any], Any]]:
    kinds = typing.get_type_hints(table)
    for field in dataclasses.fields(table):
        yield field, kinds[field.name]


def _build(defaults: T, value_of: Callable[[Flag, Any], Any]) -> T:
    found: dict[str, Any] = {}
    for field, _ in _fields(type(defaults)):
        about, default = field.metadata.get("flag"), getattr(defaults, field.name)
        if about is None:
            found[field.name] = _build(default, value_of)
        else:
            value = value_of(about, default)
            found[field.name] = tuple(value) if isinstance(value, list) else value
    return type(defaults)(**found)


def _wrong(about: Flag, value: Any) -> Iterator[str]:
    name = f"--{about.name}"
    several = value if isinstance(value, tuple) else (value,)
    if not several and not about.optional:
        offered = f" of: {', '.join(about.choices)}" if about.choices else ""
        yield f"`{name}` must name at least one{offered}, got nothing."
    comparable = [each for each in several if not _is_nan(each)]
    if len(set(comparable)) < len(comparable):
        listed = ",".join(str(each) for each in several)
        yield f"`{name}` must not name anything twice, got {listed}."
    for each in several:
        rules = [] if about.rule is None else [about.rule]
        if about.choices:
            rules.append(functools.partial(validation.check_in, allowed=about.choices))
        found = [line for rule in rules for line in _failure(rule, name, each)]
        if not found and isinstance(each, int) and abs(each) > _LARGEST:
            found = [f"`{name}` must be at most {_LARGEST}, got {each}."]
        yield from found


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _failure(rule: Callable[..., object], name: str, *arguments: Any) -> Iterator[str]:
    try:
        rule(name, *arguments)
    except ValueError as error:
        yield str(error)
