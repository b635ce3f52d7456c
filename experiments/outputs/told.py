"""In whose words a modality's results are told: those of pictures or of rows, say."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.outputs.leaks import Leaks
from experiments.outputs.records import AttackRecord, Record


def of(leaks: Leaks, records: Iterable[Record]) -> Leaks:
    """What is measured, in the words for these records.

    Args:
      leaks: Of their modality.
      records: Of one run, or of runs of the same settings.

    Returns:
      The one of `Leaks.told_as` whose key all results have in their details; else `leaks`.
    """
    details = [
        one.details
        for one in records
        if isinstance(one, AttackRecord) and one.status == "ok"
    ]
    return of_details(leaks, details)


def of_details(leaks: Leaks, details: Sequence[Mapping[str, Any]]) -> Leaks:
    """The same of the details of results."""
    for key, own in leaks.told_as.items():
        if details and all(key in one for one in details):
            return own
    return leaks
