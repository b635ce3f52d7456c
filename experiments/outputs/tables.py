"""Summary rows as CSV for programs and as a table for people."""

import csv
import io
import pathlib
from collections.abc import Sequence
from typing import TextIO

import rich.box
import rich.console
import rich.table
import rich.text

from attacks.metrics.success import Rate
from experiments.outputs import files
from experiments.outputs.statistic import Statistic
from experiments.outputs.summary import Context, SummaryRow

FILE_NAME = "summary.csv"

_WIDE_COLUMNS = 100
_ROOMY_COLUMNS = 120
_PARTS: dict[str, tuple[str, ...]] = {
    name: kind._fields
    for name, annotation in SummaryRow.__annotations__.items()
    for kind in (Statistic, Rate)
    if annotation == kind | None
}
"""The fields of a row that are several numbers, and the names of these."""


def to_csv(rows: Sequence[SummaryRow]) -> str:
    """Writes rows as CSV; None is an empty field.

    A statistic becomes six columns (`psnr_strongest_median`, ..), a share five
    (`success_25db_rate`, `_low` and `_high` of its interval, `_successes`, `_trials`).

    Args:
      rows: From `summarise`.

    Returns:
      The text with a header. An infinite PSNR reads "inf".
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_header())
    writer.writerows(_values(row) for row in rows)
    return buffer.getvalue()


def write_csv(run_folder: pathlib.Path, rows: Sequence[SummaryRow]) -> pathlib.Path:
    """Writes `summary.csv` anew.

    Args:
      run_folder: The folder of the run.
      rows: From `summary.summarise`.

    Returns:
      The file.
    """
    path = run_folder / FILE_NAME
    files.write_atomically(path, to_csv(rows).encode())
    return path


def print_tables(
    rows: Sequence[SummaryRow], stream: TextIO, width: int | None = None
) -> None:
    """Prints one table for each context, for people.

    On a terminal in colour, elsewhere as plain text without escape codes. From 100
    columns on, the leakage comes with its quartiles, from 120 on with a column of the
    share of successes.

    Args:
      rows: From `summarise`.
      stream: Where to.
      width: Columns to use; that of the terminal (or $COLUMNS, or 80) by default.
    """
    console = rich.console.Console(file=stream, width=width, highlight=False)
    for context in dict.fromkeys(row.context for row in rows):
        group = [row for row in rows if row.context == context]
        console.print(rich.text.Text(_title(group), style="bold"))
        console.print(table(group, console.width))
        for reason in dict.fromkeys(row.without_result for row in group):
            if reason:
                console.print(rich.text.Text(f"No result: {reason}"))
    console.print(rich.text.Text(_caption(console.width), style="dim"))


def table(rows: Sequence[SummaryRow], width: int) -> rich.table.Table:
    """A table of rows of one context.

    Args:
      rows: At least one.
      width: Columns that it may take.

    Returns:
      The table, to be printed by a `rich` console.
    """
    wide, roomy = width >= _WIDE_COLUMNS, width >= _ROOMY_COLUMNS
    one_agreement = len({row.agreement for row in rows}) == 1
    made = rich.table.Table(
        box=rich.box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1 if roomy else 0, 0, 0),
    )
    made.add_column("Encr.\n%", justify="right", no_wrap=True)
    made.add_column("Policy", overflow="fold")
    made.add_column("PSNR\nnaive", justify="right", no_wrap=True)
    made.add_column("PSNR\naware", justify="right", no_wrap=True)
    if roomy:
        made.add_column("Succ. %\n25 dB", justify="right", no_wrap=True)
    made.add_column("SSIM", justify="right", no_wrap=True)
    made.add_column("Strongest\nattacker", overflow="fold", min_width=9)
    made.add_column("Bytes\nx plain", justify="right", no_wrap=True)
    made.add_column("Time\nx plain", justify="right", no_wrap=True)
    made.add_column("Accu-\nracy %", justify="right", no_wrap=True)
    previous: float | None = None
    for row in rows:
        if previous is not None and row.encryption_ratio != previous:
            made.add_section()
        policy = row.policy if one_agreement else f"{row.policy}, {row.agreement}"
        made.add_row(
            f"{100 * row.encryption_ratio:g}",
            policy,
            _decibels(row.psnr_naive, wide),
            _decibels(row.psnr_mask_aware, wide),
            *([_percent(row.success_25db)] if roomy else []),
            _number(row.ssim_strongest and row.ssim_strongest.median, ".2f"),
            row.strongest or "-",
            _times(row.relative_bytes),
            _times(row.relative_seconds),
            _number(row.accuracy and 100 * row.accuracy.median, ".1f"),
        )
        previous = row.encryption_ratio
    return made


def _header() -> list[str]:
    header: list[str] = list(Context._fields)
    for name in SummaryRow._fields:
        if name in _PARTS:
            header += [f"{name}_{part}" for part in _PARTS[name]]
        elif name != "context":
            header.append(name)
    return header


def _values(row: SummaryRow) -> list[object]:
    values: list[object] = list(row.context)
    for name, value in row._asdict().items():
        if name in _PARTS:
            values += value or _nothing(_PARTS[name])
        elif name != "context":
            values.append(value)
    return ["" if value is None or value != value else value for value in values]


def _nothing(parts: Sequence[str]) -> list[int | None]:
    """Nothing was measured: the number of measurements is known, nothing else."""
    return [0 if part in ("n", "successes", "trials") else None for part in parts]


def _title(rows: Sequence[SummaryRow]) -> str:
    """What the rows of a table share, and how many examples are behind a number."""
    parts = [rows[0].context.title]
    agreements = {row.agreement for row in rows}
    if len(agreements) == 1:
        parts.append(f"mask: {rows[0].agreement}")
    samples = [row.psnr_strongest.n for row in rows if row.psnr_strongest]
    if samples:
        least, most = min(samples), max(samples)
        parts.append(f"n={least}" if least == most else f"n={least} to {most}")
    return ", ".join(parts)


def _caption(width: int) -> str:
    quartiles = " [quartiles]" if width >= _WIDE_COLUMNS else ""
    shares = (
        "Succ.: share of examples that the strongest attacker recovers with at least "
        "25 dB [95 % interval]. "
        if width >= _ROOMY_COLUMNS
        else ""
    )
    return (
        "PSNR: leakage in dB, median over examples, higher = more leaked"
        f"{quartiles}; aware = the attacker uses the mask. {shares}Bytes, time: of a "
        "round, relative to the round without encryption. '-' = not measured."
    )


def _times(value: float | None) -> str:
    """A factor with two digits after the point, or three significant ones if large."""
    return _number(value, ".2f" if value is not None and value < 10 else ".3g")


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _decibels(value: Statistic | None, wide: bool) -> str:
    if value is None:
        return "-"
    if not wide or value.n < 2:
        return f"{value.median:.1f}"
    return f"{value.median:.1f} [{value.low_quartile:.0f}, {value.high_quartile:.0f}]"


def _percent(value: Rate | None) -> str:
    if value is None:
        return "-"
    share, low, high = (100 * part for part in (value.rate, value.low, value.high))
    return f"{share:.0f} [{low:.0f}, {high:.0f}]"
