"""`results.jsonl`: the records of a run, appended one by one and never rewritten."""

import contextlib
import pathlib

from experiments.outputs import files, records
from experiments.outputs.records import Key, Record

FILE_NAME = "results.jsonl"


class ResultsWriter(contextlib.AbstractContextManager["ResultsWriter"]):
    """Appends records to the file of a run; each is on the disk when `write` returns.

    One process at a time. Opening repairs a last line that a kill cut off.
    """

    def __init__(self, run_folder: pathlib.Path) -> None:
        """Opens `results.jsonl` in the folder, or creates it.

        Args:
          run_folder: An existing folder.

        Raises:
          RuntimeError: If another process is writing to it.
          ValueError: If the file is damaged elsewhere than at its end.
        """
        self._lines = files.LineAppender(run_folder / FILE_NAME)

    def write(self, record: Record) -> None:
        """Adds a record.

        Raises:
          TypeError: If `details` holds what JSON cannot.
          OSError: If it cannot be written; the file is then as before.
        """
        self._lines.append(records.to_dict(record))

    def __exit__(self, *exception: object) -> None:
        """Closes the file."""
        self._lines.close()


def load(run_folder: pathlib.Path) -> tuple[Record, ...]:
    """Reads the records of a run, in the order in which they were written.

    A last line that a kill cut off is left out with a warning.

    Args:
      run_folder: The folder; without a `results.jsonl` there are no records.

    Returns:
      The records. If a piece of work was recorded twice, the last record counts.

    Raises:
      ValueError: If the file is damaged elsewhere or written by another version.
    """
    latest: dict[Key, Record] = {}
    for values in files.read_lines(run_folder / FILE_NAME):
        record = records.from_dict(values)
        latest[record.key] = record
    return tuple(latest.values())


def finished_keys(run_folder: pathlib.Path) -> frozenset[Key]:
    """Which pieces of work are done, so that a caller can skip them.

    An attack that does not apply is done; one that failed is tried again.

    Raises:
      ValueError: As `load`.
    """
    return frozenset(
        record.key
        for record in load(run_folder)
        if not (isinstance(record, records.AttackRecord) and record.status == "failed")
    )
