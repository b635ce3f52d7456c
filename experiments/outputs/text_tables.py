"""Tables of text: on a terminal, as Markdown for the docs, and as CSV for programs."""

import csv
import io
import statistics
import textwrap
from collections.abc import Iterable, Sequence
from typing import TextIO

import rich.box
import rich.console
import rich.table
import rich.text

from experiments.outputs.table import Table as Table

_LONGEST, _BETWEEN = 24, 3
_IN_PLACE_OF_NUMBERS = ("", "-", "exact", "diverged", "n/a", "failed")


def show(table: Table, stream: TextIO, width: int | None = 100) -> None:
    """Prints a table for people.

    On a terminal in colour, elsewhere as plain text. Columns of numbers are set to the
    right, and what stands in brackets after a number goes below it, which is narrower.

    Args:
      table: The table.
      stream: Where to.
      width: Columns to use; None for those of the terminal. More, if numbers need more.
    """
    made = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    rows = [
        [c.replace(" (", "\n(") if _is_number(c) else c for c in row]
        for row in table.rows
    ]
    to = console(stream, width)
    natural = [
        max(len(part) for cell in column for part in (cell.splitlines() or [""]))
        for column in zip(table.headings, *rows, strict=True)
    ]
    tight = sum(natural) + _BETWEEN * len(natural) > to.width
    least_widths: list[int] = []
    for index, heading in enumerate(table.headings):
        numbers = all(_is_number(row[index]) for row in table.rows)
        # One with words behind it breaks there: or columns beside it would be left out.
        numbers &= all(
            len(part) <= _LONGEST for row in rows for part in row[index].splitlines()
        )
        # Headings break between words; a number is never cut, nor a column left out.
        parts = [
            part
            for row in rows
            for part in (row[index].splitlines() if numbers else row[index].split())
        ]
        words = [min(len(part), _LONGEST) for part in (*parts, *heading.split())]
        least_widths.append(max(words))
        made.add_column(
            textwrap.fill(heading, least_widths[-1]) if numbers and tight else heading,
            justify="right" if numbers else "left",
            no_wrap=numbers,
            min_width=least_widths[-1],
        )
    for row in rows:
        # As texts: brackets in a sentence are no markup.
        made.add_row(*(rich.text.Text(cell) for cell in row))
    least = sum(least_widths) + _BETWEEN * len(least_widths)
    if least > to.width:
        to = console(stream, least)
    if table.title:
        to.print(rich.text.Text(f"\n{table.title}", style="bold"))
    to.print(made)


def console(stream: TextIO, width: int | None = None) -> rich.console.Console:
    """What prints tables: in colour on a terminal only, and without guessing colours."""
    return rich.console.Console(file=stream, width=width, highlight=False)


def to_markdown(table: Table) -> str:
    """A Markdown table, below a line with its title if it has one."""
    lines = [table.headings, ("---",) * len(table.headings), *table.rows]
    body = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
    return f"{table.title}.\n\n{body}" if table.title else body


def to_csv(lines: Iterable[Iterable[object]]) -> str:
    """CSV of a heading and rows; None is an empty field."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(lines)
    return buffer.getvalue()


def spread(values: Sequence[float], form: str) -> str:
    """The median; and the smallest and largest, if there are several."""
    middle = format(statistics.median(values), form)
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):{form}}, {max(values):{form}})"


def _is_number(text: str) -> bool:
    return text[:1].isdigit() or text in _IN_PLACE_OF_NUMBERS
