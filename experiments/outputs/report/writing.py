"""Writes a report: the page, and what a paper needs."""

import pathlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

from experiments.outputs import blind, files, records, summary, tables, told
from experiments.outputs.leaks import Leaks
from experiments.outputs.records import AttackRecord
from experiments.outputs.report import (
    families,
    kept,
    latex,
    long_form,
    meaning,
    page,
    paper,
    predicted,
)
from experiments.outputs.report import folder as folder_lib
from experiments.outputs.report.families import Family
from experiments.outputs.report.page import Page
from experiments.outputs.report.reading import Run
from experiments.outputs.table import Table


def write(
    folder: pathlib.Path,
    runs: Sequence[Run],
    leaks_of: Callable[[str], Leaks],
    notes: Sequence[str] = (),
) -> tuple[pathlib.Path, ...]:
    """Writes `report.html`, `cells.csv`, `table.tex`, and figures as SVG and PDF.

    Args:
      folder: Where to; made if need be.
      runs: What the report is of.
      leaks_of: What is measured in a modality, by its name in records.
      notes: What is missing and no run knows.

    Returns:
      The files.

    Raises:
      ValueError: If two runs hold the same work.
      OSError: If the folder cannot be written.
    """
    found = families_of(runs, leaks_of)
    made = page_of(found, runs, notes)
    contents = {
        folder_lib.PAGE: page.to_html(made).encode(),
        folder_lib.CELLS: long_form.to_csv(found).encode(),
        folder_lib.TABLES: _latex(made).encode(),
        **dict(_figures(made)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        files.write_atomically(path, content)
    return tuple(folder / name for name in contents)


def in_words(runs: Sequence[Run], leaks_of: Callable[[str], Leaks]) -> Iterator[str]:
    """What the results of all these runs together mean, for a terminal.

    Args:
      runs: What the report is of.
      leaks_of: What is measured in a modality, by its name in records.

    Yields:
      A paragraph for each context of each family.
    """
    for family, leaks in families_of(runs, leaks_of):
        whose = f"{family.name}: " if family.name else ""
        for context, sentences in page.meanings(family, leaks).items():
            yield f"{meaning.HEADING} ({whose}{context.title}): {' '.join(sentences)}"


def print_tables(
    runs: Sequence[Run], leaks_of: Callable[[str], Leaks], stream: TextIO
) -> None:
    """Prints the tables with which a run ends, of each family of runs.

    Args:
      runs: What they are of.
      leaks_of: What is measured in a modality, by its name in records.
      stream: Where to.
    """
    for family, leaks in families_of(runs, leaks_of):
        heading = f"{family.name} ({family.differs})" if family.differs else family.name
        print(f"\n{heading}" if heading else "", file=stream)
        tables.print_tables(
            summary.summarise(family.records, leaks), stream, None, leaks
        )


def families_of(
    runs: Sequence[Run], leaks_of: Callable[[str], Leaks]
) -> list[tuple[Family, Leaks]]:
    """Runs that belong together, each family with what is measured there."""
    return [
        (one, told.of(leaks_of(modality(one)), one.records))
        for one in families.join(runs)
    ]


def page_of(
    found: Sequence[tuple[Family, Leaks]],
    runs: Sequence[Run],
    notes: Sequence[str] = (),
) -> Page:
    """The page of families of these runs, as values, with notes that stand on top."""

    def kept_tables(file: str) -> list[Table]:
        return [
            table._replace(title=f"{run.name}: {table.title}")
            for run in runs
            for table in kept.load(run.path / file)
        ]

    beside = [
        table._replace(title=f"{run.name}: {table.title}")
        for run in runs
        for table in predicted.beside(predicted.load(run.path), run.records)
    ]

    def compared(how: Callable[..., Iterator[str]]) -> list[str]:
        return [
            f"{run.name}: {line}" if len(runs) > 1 else line
            for run in runs
            for line in how(predicted.load(run.path), run.records)
        ]

    return page.of(
        found,
        kept_tables(kept.SENTENCES),
        [*beside, *kept_tables(kept.PREDICTION)],
        compared(predicted.passed),
        (*notes, *compared(predicted.fell_short)),
    )


def modality(family: Family) -> str:
    """The modality of its records; that of pictures without an attack."""
    attacked = (one for one in family.records if isinstance(one, AttackRecord))
    return next((one.modality for one in attacked), "pictures")


def _latex(made: Page) -> str:
    return latex.document(
        [
            latex.table(
                group.grid,
                group.title,
                f"{_caption(group)}. {group.rests} {_measure(group)}. "
                f"{latex.legend(group.grid)}"
                f"{f' {group.looked_up}' if group.looked_up else ''}"
                f"{f' Data: {made.data}' if made.data else ''}",
                group.leaks.beyond_shortly,
            )
            for group in made.groups
        ]
    )


def _caption(group: page.Group) -> str:
    """A caption without the rule of a verdict: where it is shown, `latex` has it short."""
    said = f". {blind.NO_BETTER.capitalize()}: on no example {group.leaks.beyond_words}"
    return group.caption.replace(said, "")


def _measure(group: page.Group) -> str:
    """What the measure is; no median where values are listed."""
    said = group.leaks.caption
    if latex.is_listed(group.grid):
        return re.sub(r", median over \w+", "", said)
    return group.leaks.caption_of(group.grid.seeds)


def _figures(made: Page) -> Iterator[tuple[str, bytes]]:
    for number, group in enumerate(made.groups, 1):
        if group.drawn:
            drawn = paper.figure(group.curves, group.leaks, group.heights)
            name = records.path_name(f"leakage_over_hidden_{number}_{group.title}")
            place = f"{folder_lib.FIGURES}/{name[:120]}"
            yield f"{place}.svg", paper.to_svg(drawn)
            yield f"{place}.pdf", paper.to_pdf(drawn)
