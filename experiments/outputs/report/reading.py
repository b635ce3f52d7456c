"""Reads the folder of a run: all that can be read, and a sentence for what cannot."""

import json
import math
import pathlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from experiments.outputs import (
    ciphers,
    files,
    reconstructions,
    results,
    run_directory,
)
from experiments.outputs import plan as plan_lib
from experiments.outputs import records as records_lib
from experiments.outputs.plan import Plan
from experiments.outputs.records import AttackKey, Key, Record
from experiments.outputs.report import kept, limits, predicted

_NAMED = 5
"""Damaged files that are named; of more it is said how many."""


class Run(NamedTuple):
    """What the folder of a run says.

    Attributes:
      path: The folder.
      name: What it is called in a report: its folder's name, or its path where several
        have the same.
      config: What `config.json` has; empty without one.
      records: In the order in which they were made; of work done twice the last.
      plan: All the work; None if it is not known.
      notes: What a reader must know: what is missing or damaged, a sentence each.
    """

    path: pathlib.Path
    name: str
    config: Mapping[str, Any]
    records: tuple[Record, ...]
    plan: Plan | None
    notes: tuple[str, ...]


def read(path: pathlib.Path) -> Run:
    """Reads a run, finished or not.

    Args:
      path: Its folder.

    Returns:
      The run, with a note for everything that is not there.

    Raises:
      ValueError: If it is no folder of a run, or of a version with other records.
    """
    _check(path)
    notes = []
    config: Mapping[str, Any] = {}
    if (path / run_directory.FILE_NAME).exists():
        config = run_directory.read_config(path)
    else:
        notes.append(
            f"{run_directory.FILE_NAME} is missing: the command, the flags, the versions "
            "and the machine are not known."
        )
    found: dict[Key, Record] = {}
    if (path / results.FILE_NAME).exists():
        values, damaged = _lines((path / results.FILE_NAME).read_bytes())
        notes += list(_damage(damaged, len(values)))
        for number, each in values:
            record = _record(each, number, path, config)
            found[record.key] = record
    else:
        notes.append(f"{results.FILE_NAME} is missing: there is no result.")
    plan = plan_lib.load(path)
    made = ciphers.named(found.values(), config)
    return Run(
        path,
        path.resolve().name,
        config,
        tuple(made),
        plan,
        (
            *notes,
            *_damaged(path),
            *_unfinished(plan, found),
            *limits.load(path, found.values()),
            *kept.reasons(path),
        ),
    )


def read_all(paths: Sequence[pathlib.Path]) -> list[Run]:
    """Reads several runs; each has a name of its own. Raises as `read`."""
    runs = [read(path) for path in paths]
    names = [run.name for run in runs]
    return [
        run if names.count(run.name) == 1 else run._replace(name=str(run.path))
        for run in runs
    ]


def data(run: Run) -> str:
    """What the data of a run are, of which source and how cut; empty if it is not said."""
    session = (run.config.get("sessions") or [{}])[-1]
    return str(session.get("data") or "").strip()


def version(config: Mapping[str, Any]) -> str:
    """Which version of selenc-tf made a run, with its commit, as far as it is known."""
    session = (config.get("sessions") or [{}])[-1]
    number = session.get("versions", {}).get("selenc-tf") or "of unknown version"
    commit = (session.get("git") or {}).get("commit", "")
    changed = " with changes" if (session.get("git") or {}).get("dirty") else ""
    return f"selenc-tf {number}" + (
        f", commit {commit[:10]}{changed}" if commit else ""
    )


def _check(path: pathlib.Path) -> None:
    if any(
        (path / name).exists() for name in (run_directory.FILE_NAME, results.FILE_NAME)
    ):
        return
    inner = sorted(path.glob(f"*/{results.FILE_NAME}")) if path.is_dir() else []
    hint = f" Runs are inside: give {path}/*." if inner else ""
    what = "is no folder"
    if path.is_dir():
        what = f"has neither {run_directory.FILE_NAME} nor {results.FILE_NAME}"
    raise ValueError(f"A report is made of folders of runs, but {path} {what}.{hint}")


def _lines(data: bytes) -> tuple[list[tuple[int, dict[str, Any]]], list[int]]:
    """The objects of a JSON Lines file, and the numbers of lines that are none."""
    values, damaged = [], []
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError:
            value = None
        if isinstance(value, dict):
            values.append((number, value))
        else:
            damaged.append(number)
    return values, damaged


def _damage(damaged: Sequence[int], kept: int) -> Iterator[str]:
    if damaged:
        lines = ", ".join(str(number) for number in damaged[:10])
        more = ", .." if len(damaged) > 10 else ""
        yield (
            f"{len(damaged)} damaged line{'s' if len(damaged) > 1 else ''} of "
            f"{results.FILE_NAME} left out (line {lines}{more}); {kept} whole lines are "
            "read. The same command does the missing work again, after a line that is "
            "not the last one is deleted."
        )


def _damaged(path: pathlib.Path) -> Iterator[str]:
    """What beside the records cannot be read: it is left out, the numbers stay."""
    for name in (
        kept.SENTENCES,
        kept.PREDICTION,
        kept.NO_PREDICTION,
        predicted.FILE_NAME,
        limits.FILE_NAME,
    ):
        if (path / name).exists() and files.read_json(path / name) is None:
            yield (
                f"{name} is damaged: what it holds is left out here. Delete it; the same "
                "command writes it anew if it can."
            )
    names = reconstructions.damaged(path)
    if names:
        listed = ", ".join(names[:_NAMED])
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        yield (
            f"Damaged in {reconstructions.FOLDER_NAME}: {listed}{more}. Those examples are "
            "not shown; their numbers are in the records and stay."
        )


def _record(
    values: Mapping[str, Any],
    number: int,
    path: pathlib.Path,
    config: Mapping[str, Any],
) -> Record:
    try:
        return records_lib.from_dict(values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{path} was written by {version(config)}, and line {number} of its "
            f"{results.FILE_NAME} is no record of this version: {error}"
        ) from error


def _unfinished(plan: Plan | None, found: Mapping[Key, Record]) -> Iterator[str]:
    if plan is None:
        yield (
            f"Whether the run is finished is not known: it has no {plan_lib.FILE_NAME} "
            "(older versions wrote none)."
        )
        return
    left = plan.missing(found)
    for what, missing, planned in (
        ("trainings", left.trainings, plan.trainings),
        ("attacks", left.attacks, plan.attacks),
    ):
        if missing:
            done, every = _pieces(planned) - _pieces(missing), _pieces(planned)
            yield (
                f"Unfinished: {done} of {every} {what} are there. The same "
                "command goes on."
            )
    to_come = _to_come(plan, left)
    if to_come:
        yield f"Nothing is there yet of {to_come}."


def _pieces(work: Iterable[Key]) -> int:
    """How much work that is, as a terminal counts it: all examples of a batch are one."""
    batches: Counter[Key] = Counter()
    for key in work:
        if isinstance(key, AttackKey):
            batches[key._replace(image_index=0)] += 1
        else:
            batches[key] += 1
    return sum(
        math.ceil(count / key.batch_size) if isinstance(key, AttackKey) else count
        for key, count in batches.items()
    )


def _to_come(plan: Plan, left: Plan) -> str:
    """The masks on which no attack has ended yet."""
    missing = set(left.attacks)
    begun = {key.cell for key in plan.attacks if key not in missing}
    shares: dict[str, dict[str, None]] = {}
    for key in plan.attacks:
        if key.cell not in begun:
            percent = f"{100 * key.cell.encryption_ratio:g}"
            shares.setdefault(key.cell.metric, {})[percent] = None
    return ", ".join(f"{metric} at {', '.join(at)} %" for metric, at in shares.items())
