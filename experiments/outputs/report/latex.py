r"""`table.tex`: the tables for a paper, in LaTeX with booktabs, to be `\input`."""

import itertools
import math
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from experiments.outputs import blind
from experiments.outputs.report.grid import Grid, Row

_FIRST, _MOST_OF_A_CELL, _GAP = 0.22, 0.3, 0.016
"""Of the attacks' names, at most of another column, and between columns: shares of the
width of the text, whatever the page."""

_MOST_COLUMNS, _MOST_ROWS = 6, 14
"""More are another table; of several for the columns the rows of all are counted."""

_SPECIAL: Mapping[str, str] = MappingProxyType(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "$": r"\$",
        "&": r"\&",
        "%": r"\%",
        "#": r"\#",
        "_": r"\_",
        "^": r"\textasciicircum{}",
        "~": r"\textasciitilde{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': "''",
    }
)


def escaped(text: str) -> str:
    """A text that LaTeX sets as it is; what is not ASCII becomes "?"."""
    ascii_only = text.encode("ascii", "replace").decode()
    return re.sub(
        "|".join(re.escape(one) for one in _SPECIAL),
        lambda match: _SPECIAL[match.group()],
        ascii_only,
    )


def legend(grid: Grid) -> str:
    """What the numbers of a table are: only of what it has.

    Args:
      grid: The table.
    """
    rows = [row for row in grid.rows if row.kind != "member"]
    cells = [_values(cell) for row in rows for cell in row.cells]
    attacks = " ".join(f"{row.attack} " for row in rows)
    said = []
    if grid.seeds > 1:
        said.append("A value is the median over the examples of one seed.")
    elif is_listed(grid):
        said.append("All values, in the order of the examples.")
    if any(re.search(r"\[[^]]+, ", one) for one in cells):
        said.append("Medians with [95 % interval by order statistics].")
    if any(re.search(r"[^ ] \([^)]+, ", one) for one in cells):
        said.append("Medians (smallest and largest value).")
    if any(re.search(r"[a-z] \[\d", cell) for row in rows for cell in row.cells):
        said.append("A number in square brackets behind a word points to the reason.")
    if "in hindsight" in attacks:
        said.append("In hindsight: picked with the original, which no attacker has.")
    if "naive " in attacks:
        said.append(
            "Naive: as its authors published it, with zeros for hidden entries."
        )
    if "mask-aware " in attacks:
        said.append("Mask-aware: compares only what it sees.")
    return " ".join(said)


def is_listed(grid: Grid) -> bool:
    """Whether some cell lists its values and gives no median."""
    return any(
        ", " in re.sub(r" (\[[^]]*\]|\([^)]*\))", "", _values(cell))
        for row in grid.rows
        for cell in row.cells
    )


def _values(cell: str) -> str:
    """The numbers of a cell."""
    first = cell.partition("; ")[0]
    if first.startswith(f"{blind.NO_BETTER} ("):
        return first.removeprefix(f"{blind.NO_BETTER} (").removesuffix(")")
    return first


def table(grid: Grid, title: str, legend: str, beyond: str = "above it") -> str:
    """Tables of one context: attacks down, the shares hidden across.

    They fit a page of two columns: cells break, what is said behind numbers stands below,
    and many shares or rows are several tables. Attacks that another one only tried are
    left out: `cells.csv` has them.

    Args:
      grid: The table.
      title: What it is of; becomes the caption.
      legend: What its numbers are; follows the title.
      beyond: What is better than a blind guess, in words that go on after "on no example".

    Returns:
      One or more `table*` environments.
    """
    rows = [row for row in grid.rows if row.kind != "member"]
    most = max(1, _MOST_ROWS // math.ceil(len(grid.columns) / _MOST_COLUMNS))
    pages = [rows[at : at + most] for at in range(0, len(rows), most)]
    said = f"{title}. {legend}"
    if any(blind.NO_BETTER in cell for row in rows for cell in row.cells):
        said += f" In italics: {blind.NO_BETTER}, on no example {beyond}."
    captions = [said, *[f"{title}, continued."] * (len(pages) - 1)]
    return "\n".join(
        _page(grid, page, caption)
        for page, caption in zip(pages, captions, strict=True)
    )


def _page(grid: Grid, rows: Sequence[Row], caption: str) -> str:
    """One `table*`: a `tabular` for so many shares each, and below them the notes."""
    notes: dict[str, str] = {}
    lines = [
        r"\begin{table*}",
        rf"  \centering\small\setlength{{\tabcolsep}}{{{_GAP / 2:g}\textwidth}}",
        f"  \\caption{{{escaped(caption)}}}",
    ]
    for first in range(0, len(grid.columns), _MOST_COLUMNS):
        lines += _tabular(grid, rows, slice(first, first + _MOST_COLUMNS), notes)
    below = [
        rf"\textsuperscript{{{mark}}} {escaped(note)}" for note, mark in notes.items()
    ]
    below += [
        f"[{number}] {escaped(reason)}"
        for number, reason in enumerate(grid.reasons, 1)
        # Of what another attack tried the rows are not here, nor is what points to it.
        if any(f"[{number}]" in cell for row in rows for cell in row.cells)
    ]
    if below:
        listed = "; ".join(below)
        lines.append(rf"  \par\smallskip{{\raggedright\footnotesize {listed}\par}}")
    return "\n".join([*lines, r"\end{table*}", ""])


def _tabular(
    grid: Grid, rows: Sequence[Row], part: slice, notes: dict[str, str]
) -> list[str]:
    """A `tabular` of some columns; adds to the notes what stands behind their numbers."""
    columns = grid.columns[part]
    space = 1.0 - _FIRST - len(columns) * _GAP
    width = min(space / len(columns), _MOST_OF_A_CELL)
    form = "".join(
        rf"p{{{each:.3f}\textwidth}}" for each in (_FIRST, *[width] * len(columns))
    )
    lines = [
        rf"  \begin{{tabular}}{{@{{}}{form}@{{}}}}",
        r"    \toprule",
        _line("Entries hidden", map(escaped, columns)),
    ]
    for metric, group in itertools.groupby(rows, key=lambda row: row.metric):
        lines += [
            r"    \midrule",
            rf"    \multicolumn{{{1 + len(columns)}}}{{@{{}}l@{{}}}}"
            rf"{{\emph{{{escaped(metric)}}}}} \tabularnewline",
        ]
        lines += [
            _line(row.attack, [_cell(each, notes) for each in row.cells[part]])
            for row in group
        ]
    return [*lines, r"    \bottomrule", r"  \end{tabular}"]


def _cell(text: str, notes: dict[str, str]) -> str:
    """A cell as it is set: numbers, and letters for the notes of what else it says."""
    first, *rest = text.split("; ")
    if first.startswith(f"{blind.NO_BETTER} ("):
        values = first.removeprefix(f"{blind.NO_BETTER} (").removesuffix(")")
        shown = rf"\textit{{{escaped(values)}}}"
    else:
        shown = escaped(first)
    # What points to a reason is short, and is read with the numbers.
    here = [one for one in rest if one.endswith("]") or one.endswith(" diverged")]
    below = [one for one in rest if one not in here]
    marks = ",".join(notes.setdefault(one, _mark(len(notes))) for one in below)
    raised = rf"\textsuperscript{{{marks}}}" if marks else ""
    return "; ".join([f"{shown}{raised}", *map(escaped, here)])


def _mark(number: int) -> str:
    """a, b, .., z, aa, ab, .."""
    before, last = divmod(number, len(string.ascii_lowercase))
    return (_mark(before - 1) if before else "") + string.ascii_lowercase[last]


def document(tables: Sequence[str]) -> str:
    """The whole file."""
    return "\n".join(
        ["% Made by selenc-tf. In the preamble: \\usepackage{booktabs}", *tables]
    )


def _line(first: str, cells: Iterable[str]) -> str:
    """A line whose cells break where a word ends."""
    set_cells = " & ".join(rf"\raggedright {each}" for each in (escaped(first), *cells))
    return rf"    {set_cells} \tabularnewline"
