"""Makes a report of one run or of several: what leaks, how sure that is, what it costs.

    python -m experiments.report runs/quickstart
    python -m experiments.report runs/seed_0 runs/seed_1 runs/other --run_name=report

Runs that differ only in `--seed` are put together; others stand side by side. It writes
`report.html` (everything, in one file), `cells.csv` (a row for each example, attack,
attacker and mask), `table.tex` (for a paper) and `figures/` (SVG and PDF), and prints where
they are and what the result means; with `--table` also the tables that a run ends with.
"""

import dataclasses
import pathlib
import pkgutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from experiments import modalities
from experiments.outputs import report, run_directory
from experiments.study import command, places, run_folders
from experiments.study.flag_table import flag
from experiments.study.settings import Place

if TYPE_CHECKING:
    from experiments.outputs.leaks import Leaks
    from experiments.outputs.report.reading import Run


@dataclasses.dataclass(frozen=True)
class Report(Place):
    """Where a report goes, and what is printed of it."""

    table: bool = flag(
        "table",
        False,
        "Print the tables that a run ends with, for finished runs, too.",
        neutral=True,
    )


NAME = "report"
"""The folder of a report of several runs, if it is given no name."""


def execute(
    asked: Place,
    line: Sequence[str],
    output: TextIO = sys.stdout,
    errors: TextIO = sys.stderr,
    notes: Sequence[str] = (),
) -> int:
    """Reads the runs, writes the report, and gives the exit status.

    Args:
      asked: Where it goes: by default into the folder of the run, or that of `NAME` for
        several.
      line: The program and the folders of the runs.
      output: Where it is said what was written, what is missing and what it means.
      errors: Where refusals go.
      notes: What is missing and no run knows; stands on top of the page.

    Returns:
      0, or `command.REFUSED` for folders that cannot be used.
    """

    def prepare() -> "tuple[pathlib.Path, list[Run]]":
        paths = list(dict.fromkeys(places.path_of(each) for each in line[1:]))
        if not paths:
            raise ValueError(
                "A report is made of folders of runs, got none: python -m "
                "experiments.report RUN.. --run_name=NAME"
            )
        if asked.run_name:
            run_directory.check_name(asked.run_name)
        alone = len(paths) == 1 and not asked.run_name
        folder = paths[0] if alone else run_folders.named(asked, NAME)
        run_directory.check_writable(folder)
        report.folder.check(folder, paths)
        return folder, report.reading.read_all(paths)

    def work(prepared: "tuple[pathlib.Path, list[Run]]") -> int:
        folder, runs = prepared
        written = report.writing.write(folder, runs, leaks_of, notes)
        for run in runs:
            for note in run.notes:
                print(f"{run.path}: {note}", file=output)
        for path in written:
            print(path, file=output, flush=True)
        if isinstance(asked, Report) and asked.table:
            report.writing.print_tables(runs, leaks_of, output)
        for line in report.writing.in_words(runs, leaks_of):
            print(f"\n{line}", file=output, flush=True)
        return 0

    return command.perform(prepare, work, errors)


def leaks_of(modality: str) -> "Leaks":
    """What is measured in a modality, by its name in records.

    Raises:
      ValueError: If there is none of the name.
    """
    offers = modalities.catalog.MODALITIES
    if modality not in offers:
        raise ValueError(
            f"Records must be of a modality of: {', '.join(offers)}; got {modality!r}. "
            "Use the version of selenc-tf that wrote them."
        )
    found: Leaks = pkgutil.resolve_name(offers[modality].place).leaks
    return found


if __name__ == "__main__":
    command.start(Report, execute, takes_paths=True)
