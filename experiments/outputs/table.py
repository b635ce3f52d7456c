"""A table as cells of text; `text_tables` shows it."""

from collections.abc import Sequence
from typing import NamedTuple


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
