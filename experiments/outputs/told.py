"""In whose words a modality's results are told: those of pictures, or of rows."""

from collections.abc import Iterable

from experiments.outputs.leaks import Leaks
from experiments.outputs.records import Record

_OF_ROWS = "feature_errors"
"""In the details of a record: it is of a row of a table."""


def of(leaks: Leaks, records: Iterable[Record]) -> Leaks:
    """What is measured, in the words for these records.

    Args:
      leaks: Of their modality.
      records: Of one run, or of runs of the same settings.

    Returns:
      The words for rows of tables where there are some and every attack that has a
      result is on one; else `leaks`.
    """
    if leaks.of_rows is None:
        return leaks
    rows = [
        _OF_ROWS in one.details for one in records if getattr(one, "status", "") == "ok"
    ]
    return leaks.of_rows if rows and all(rows) else leaks
