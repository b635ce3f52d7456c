"""What a run did not try, as its report says it: a report has no model to ask."""

import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from experiments.outputs import files
from experiments.outputs.records import AttackRecord, Record

FILE_NAME = "limits.json"


class Limit(NamedTuple):
    """A sentence of what was left out.

    Attributes:
      said: The sentence.
      of: Attacks without a try of which it is of no matter; empty if it holds anyway.
    """

    said: str
    of: tuple[str, ...] = ()


def save(run_folder: pathlib.Path, limits: Sequence[Limit]) -> None:
    """Keeps what was left out; the first time counts."""
    path = run_folder / FILE_NAME
    if not path.exists():
        content = [{"said": one.said, "of": list(one.of)} for one in limits]
        files.write_atomically(path, files.to_json(content).encode())


def load(run_folder: pathlib.Path, records: Iterable[Record]) -> list[str]:
    """The sentences that are of matter for what a run has really tried.

    Args:
      run_folder: The folder of a run; it may have no such file, or a damaged one.
      records: Of the run.

    Returns:
      The sentences.
    """
    tried = {name for record in records for name in _searched(record)}
    listed = files.read_json(run_folder / FILE_NAME) or ()
    # Older versions kept the sentences alone.
    found = [
        Limit(one["said"], tuple(one["of"])) if isinstance(one, dict) else Limit(one)
        for one in listed
    ]
    return [one.said for one in found if not one.of or tried.intersection(one.of)]


def _searched(record: Record) -> Iterator[str]:
    """The attacks that ran on something: not where another was exact or all is hidden."""
    if not isinstance(record, AttackRecord):
        return
    if record.target == "client" and record.hidden == record.parameters:
        return
    for name, status in (
        (record.attack, record.status),
        *((one.name, one.status) for one in record.members),
    ):
        if status in ("ok", "failed"):
            yield name
