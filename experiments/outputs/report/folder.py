"""The files of a report, and where they may be written."""

import pathlib
from collections.abc import Sequence

PAGE, CELLS, TABLES = "report.html", "cells.csv", "table.tex"
FIGURES = "figures"

_MARK = b'content="selenc-tf"'


def check(folder: pathlib.Path, runs: Sequence[pathlib.Path]) -> None:
    """Checks that a report may be written into a folder.

    Args:
      folder: Where to.
      runs: Folders of runs, which are ours to write into.

    Raises:
      ValueError: If it has files of the same names that are no report's.
    """
    if folder.resolve() in [run.resolve() for run in runs]:
        return
    own = folder / PAGE
    if own.is_file() and _MARK in own.read_bytes()[:2000]:
        return
    taken = [
        name for name in (PAGE, CELLS, TABLES, FIGURES) if (folder / name).exists()
    ]
    if taken:
        raise ValueError(
            f"`--run_name` must be a new folder, a run or an earlier report, but {folder} "
            f"has {', '.join(taken)} and no report of ours. Choose another."
        )
