"""Tables of text: on a terminal, as Markdown for the docs, and as CSV for programs."""

import csv
import io
import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TextIO

import rich.box
import rich.console
import rich.table
import rich.text

_IN_PLACE_OF_NUMBERS = ("", "-", "exact", "diverged", "n/a", "failed")


class Table(NamedTuple):
    """Cells of text, with a title and headings.

    Attributes:
      title: One line, or "".
      headings: One for each column.
      rows: Cells of each row, as many as there are headings.
    """

    title: str
    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def show(table: Table, stream: TextIO, width: int | None = 100) -> None:
    """Prints a table for people.

    On a terminal in colour, elsewhere as plain text. Columns of numbers are set to the
    right, and what stands in brackets after a number goes below it, which is narrower.

    Args:
      table: The table.
      stream: Where to.
      width: Columns to use; None for those of the terminal.
    """
    made = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for index, heading in enumerate(table.headings):
        numbers = all(_is_number(row[index]) for row in table.rows)
        made.add_column(
            heading, justify="right" if numbers else "left", no_wrap=numbers
        )
    for row in table.rows:
        cells = (c.replace(" (", "\n(") if _is_number(c) else c for c in row)
        # As texts: brackets in a sentence are no markup.
        made.add_row(*(rich.text.Text(cell) for cell in cells))
    to = console(stream, width)
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
