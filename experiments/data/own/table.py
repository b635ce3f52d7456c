"""A table of numbers with a label column, in a `.csv` file."""

import csv
import pathlib
import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.data.own.assembling import Raw

_WHOLE = re.compile(r"[+-]?[0-9]+")
# Of names: 07 and 7 are two.
_NUMBER = re.compile(r"0|-?[1-9][0-9]*")


class _Table(NamedTuple):
    """Cells as text.

    Attributes:
      columns: By the names of the header.
      lines: The line of the file in which each row ends, from 1.
    """

    columns: dict[str, tuple[str, ...]]
    lines: tuple[int, ...]


def read(path: pathlib.Path, label: str, client: str) -> Raw:
    """Reads the columns of numbers as [N, d], the label column and the client column.

    Args:
      path: Of a file in UTF-8 with commas, whose first line names the columns.
      label: The column of labels: text names classes, whole numbers number them from
        0, other numbers are values to predict.
      client: The column that says whose a row is; empty for none.

    Returns:
      float64 [N, d] with the columns' names, labels and clients.

    Raises:
      ValueError: If the table is ragged or empty, a column is missing, or a cell is not
        of its column's kind; line and column are named, cells are not shown.
    """
    table = _table(path)
    wanted = {"--label_column": label} | ({"--client_column": client} if client else {})
    for flag, name in wanted.items():
        if name not in table.columns:
            raise ValueError(
                f"`{flag}` must name a column, one of: {', '.join(table.columns)}; got "
                f"{name!r}."
            )
    if label == client:
        raise ValueError(
            f"`--label_column` and `--client_column` must differ, got {label!r} twice."
        )
    features = tuple(name for name in table.columns if name not in (label, client))
    if not features:
        raise ValueError("There must be a column of numbers beside the label column.")
    columns = [_floats(table.columns[name]) for name in features]
    text = [
        name
        for name, column in zip(features, columns, strict=True)
        if not np.all(np.isfinite(column))
    ]
    if text:
        bad = columns[features.index(text[0])]
        line = table.lines[int(np.flatnonzero(~np.isfinite(bad))[0])]
        raise ValueError(
            "Columns of features must hold finite numbers, but some cells are text, empty "
            f"or not finite in {', '.join(map(repr, text))} (the first: column {text[0]!r},"
            f" line {line}). Leave such rows out; encode text as numbers, or leave it out."
        )
    return Raw(
        inputs=np.stack(columns, axis=1),
        labels=_labels(table, label),
        clients=_names(table, client) if client else None,
        feature_names=features,
    )


def _table(path: pathlib.Path) -> _Table:
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            for row in reader:
                if row:  # Blank lines are no rows.
                    rows.append([cell.strip() for cell in row])
                    lines.append(reader.line_num)
    except (csv.Error, UnicodeError) as error:
        after = lines[-1] if lines else 0
        raise ValueError(
            "The file must be a table in UTF-8 with commas, but it cannot be read after "
            f"line {after} ({type(error).__name__})."
        ) from error
    if len(rows) < 2:
        raise ValueError("The table must have a line of names and rows; it has none.")
    names = rows[0]
    _check_names(names)
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(names):
            raise ValueError(
                f"Every line must have {len(names)} cells, as the first, but line {line} "
                f"has {len(row)}."
            )
    columns = zip(*rows[1:], strict=True)
    return _Table(dict(zip(names, columns, strict=True)), tuple(lines[1:]))


def _check_names(names: list[str]) -> None:
    if not np.isnan(_floats(names)).all():
        raise ValueError(
            "The first line must name the columns, but a name is a number: put a line of "
            "names above the rows."
        )
    if not all(names) or len(set(names)) != len(names):
        raise ValueError(
            "The first line must name each column differently, but a name is empty or "
            "stands there twice."
        )


def _floats(cells: list[str] | tuple[str, ...]) -> NDArray[np.float64]:
    """float64 [N], NaN for what is no number."""

    def number(cell: str) -> float:
        try:
            return float(cell) if "_" not in cell else float("nan")
        except ValueError:
            return float("nan")

    return np.array([number(cell) for cell in cells], np.float64)


def _labels(table: _Table, label: str) -> NDArray[Any]:
    cells = table.columns[label]
    if all(_WHOLE.fullmatch(cell) for cell in cells):
        return _whole(cells, label)
    values = _floats(cells)
    if np.isnan(values).all():
        return _names(table, label)
    strange = np.flatnonzero(~np.isfinite(values))
    if strange.size:
        raise ValueError(
            f"Column {label!r} must hold labels of one kind, text or finite numbers, but "
            f"line {table.lines[int(strange[0])]} differs from others."
        )
    return values


def _names(table: _Table, column: str) -> NDArray[Any]:
    """Names as text; whole numbers as such, so that 2 comes before 10."""
    cells = table.columns[column]
    empty = [line for line, cell in zip(table.lines, cells, strict=True) if not cell]
    if empty:
        raise ValueError(
            f"Column {column!r} must say something in every row, but line {empty[0]} is "
            "empty there."
        )
    if all(_NUMBER.fullmatch(cell) for cell in cells):
        return _whole(cells, column)
    return np.array(cells, np.str_)


def _whole(cells: tuple[str, ...], column: str) -> NDArray[np.int64]:
    try:
        return np.array([int(cell) for cell in cells], np.int64)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"Column {column!r} has a whole number with too many digits. Number anew."
        ) from error
