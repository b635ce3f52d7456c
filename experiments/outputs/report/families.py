"""Which runs belong together: those that differ in nothing but their seed."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from experiments.outputs import run_directory
from experiments.outputs.records import Record
from experiments.outputs.report import reading
from experiments.outputs.report.reading import Run

_NAMED = 3
_OF_THE_SEED = ("attacked_weights_sha256", "attacked_weights_test")


class Family(NamedTuple):
    """Runs that measured the same thing with one seed each.

    Attributes:
      differs: What tells them from the other families, as flags; "" if data and model do.
      name: Of its runs, where there are other families; "" for the only one.
      runs: At least one.
      notes: What a reader must know of them together.
    """

    differs: str
    name: str
    runs: tuple[Run, ...]
    notes: tuple[str, ...]

    @property
    def records(self) -> tuple[Record, ...]:
        """Of all its runs."""
        return tuple(record for run in self.runs for record in run.records)

    @property
    def seeds(self) -> tuple[int, ...]:
        """All seeds that have a record."""
        return tuple(sorted({record.cell.seed for record in self.records}))


def join(runs: Sequence[Run]) -> tuple[Family, ...]:
    """Puts runs together that differ only in `--seed`.

    Everything else that determines results, flag or fact, makes another family: numbers
    of different settings are never averaged.

    Args:
      runs: At least one.

    Returns:
      The families, in the order of their first runs.

    Raises:
      ValueError: If two runs hold the same work, which would be counted twice.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(json.dumps(_identity(run), sort_keys=True), []).append(run)
    for group in groups.values():
        _check_seeds(group)
    settings = [_settings(group[0]) for group in groups.values()]
    return tuple(
        Family(
            _differs(own, settings),
            _name(group) if len(groups) > 1 else "",
            tuple(group),
            tuple(_notes(group)),
        )
        for group, own in zip(groups.values(), settings, strict=True)
    )


def _name(group: Sequence[Run]) -> str:
    names = [run.name for run in group]
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _identity(run: Run) -> dict[str, Any]:
    if not run.config:
        # Nothing is known of it: it is like no other run.
        return {"path": str(run.path)}
    facts = dict(run.config.get("facts", {}))
    flags = dict(run.config["flags"])
    for name in _OF_THE_SEED:
        facts.pop(name, None)
    if not flags.get("weights"):
        # First weights that are drawn anew for each seed.
        facts.pop("weights_sha256", None)
    flags.pop("seed", None)
    return {"flags": flags, "datasets": run.config["datasets"], "facts": facts}


def _settings(run: Run) -> dict[str, str]:
    """What is told of a family: its flags, or where it is if they are not known."""
    identity = _identity(run)
    if "path" in identity:
        return {"folder": run.name}
    flags = {f"--{name}": value for name, value in identity["flags"].items()}
    facts = identity["facts"].items()
    return {name: _text(value) for name, value in flags.items()} | {
        name: run_directory.fact_in_words(value) for name, value in facts
    }


def _differs(own: Mapping[str, str], everyone: Sequence[Mapping[str, str]]) -> str:
    """The settings in which a family is not like all others."""
    told = [
        f"{name}={value}" if value else f"{name}="
        for name, value in own.items()
        if name not in ("--model", "--dataset")
        and any(other.get(name) != value for other in everyone)
    ]
    return ", ".join(told)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(str(each) for each in value)
    return str(value)


def _check_seeds(group: Sequence[Run]) -> None:
    owner: dict[Any, Run] = {}
    for run in group:
        for record in run.records:
            other = owner.setdefault(record.key, run)
            if other is not run:
                raise ValueError(
                    f"Runs must not hold the same work twice, but {other.path} and "
                    f"{run.path} have the same flags and the same seed "
                    f"{record.cell.seed}. Give one of them."
                )


def _notes(group: Sequence[Run]) -> Iterator[str]:
    flags = group[0].config.get("flags", {})
    if "INSECURE" in str(flags.get("cipher", "")):
        names = ", ".join(run.name for run in group)
        yield (
            f"{names}: nothing was really encrypted (--cipher={flags['cipher']}), so "
            "bytes and seconds are not those of encryption."
        )
    versions = list(dict.fromkeys(reading.version(run.config) for run in group))
    if len(versions) > 1:
        yield f"Runs of different versions are put together: {'; '.join(versions)}."
    counts = {run.name: len(run.records) for run in group}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        yield f"The seeds have different numbers of records: {listed}."
