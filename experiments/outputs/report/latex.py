r"""`table.tex`: the tables for a paper, in LaTeX with booktabs, to be `\input`."""

import itertools
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from experiments.outputs.report.grid import Grid, Row

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


def table(grid: Grid, title: str, legend: str) -> str:
    """A table of one context: attacks down, the shares hidden across.

    Attacks that another one only tried are left out: `cells.csv` has them.

    Args:
      grid: The table.
      title: What it is of; becomes the caption.
      legend: What its numbers are; follows the title.

    Returns:
      A `table*` environment.
    """
    columns = "l" + "r" * len(grid.columns)
    shares = " & ".join(escaped(each) for each in grid.columns)
    lines = [
        r"\begin{table*}",
        r"  \centering\small",
        f"  \\caption{{{escaped(title)}. {escaped(legend)}}}",
        f"  \\begin{{tabular}}{{{columns}}}",
        r"    \toprule",
        f"    Entries hidden & {shares} \\\\",
    ]
    rows = [row for row in grid.rows if row.kind != "member"]
    for metric, group in itertools.groupby(rows, key=lambda row: row.metric):
        lines += [
            r"    \midrule",
            f"    \\multicolumn{{{1 + len(grid.columns)}}}{{l}}"
            f"{{\\emph{{{escaped(metric)}}}}} \\\\",
        ]
        lines += [_line(row) for row in group]
    lines += [r"    \bottomrule", r"  \end{tabular}"]
    lines += [
        rf"  \par\smallskip{{\raggedright\footnotesize [{number}] {escaped(reason)}\par}}"
        for number, reason in enumerate(grid.reasons, 1)
        # Of what another attack tried the rows are not here, nor is what points to it.
        if any(f"[{number}]" in cell for row in rows for cell in row.cells)
    ]
    return "\n".join([*lines, r"\end{table*}", ""])


def document(tables: Sequence[str]) -> str:
    """The whole file."""
    return "\n".join(
        ["% Made by selenc-tf. In the preamble: \\usepackage{booktabs}", *tables]
    )


def _line(row: Row) -> str:
    cells = " & ".join(escaped(each) for each in row.cells)
    return f"    {escaped(row.attack)} & {cells} \\\\"
