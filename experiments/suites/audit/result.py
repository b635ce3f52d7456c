"""What an audit found, as a program or a notebook takes it."""

import dataclasses
import html
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from experiments.outputs.leaks import Leaks
from experiments.outputs.report import folder as folder_lib
from experiments.outputs.report import kept, long_form, paragraph, reading, writing
from experiments.outputs.table import Table


@dataclasses.dataclass(frozen=True, repr=False)
class Audited:
    """What an audit found.

    Attributes:
      summary: What leaks, how sure that is, what it costs, and what was not tried.
      report: The page with all of it.
      cells: A row for each example, attack, attacker and mask, by the columns of
        `cells.csv` (docs/results.md).
      prediction: Tables of what masks alone predict; none where that does not apply.
    """

    summary: str
    report: pathlib.Path
    cells: tuple[Mapping[str, Any], ...]
    prediction: tuple[Table, ...]

    def __str__(self) -> str:
        """The summary and where the report is, as the command ends with them."""
        return f"{self.summary}\n{self.report}"

    def __repr__(self) -> str:
        """What it is and where the report is: the rest is a page."""
        return f"<Audited: {len(self.cells)} cells, report {str(self.report)!r}>"

    def _repr_html_(self) -> str:
        """The summary, with a link to the report, for a notebook."""
        place = html.escape(str(self.report))
        return (
            f'<p style="white-space: pre-wrap">{html.escape(self.summary)}</p>'
            f'<p>The report: <a href="{place}" target="_blank">{place}</a></p>'
        )


def of(run_folder: pathlib.Path, leaks_of: Callable[[str], Leaks]) -> Audited:
    """Reads what an audit found.

    Args:
      run_folder: Of its run, which is finished.
      leaks_of: What is measured in a modality, by its name in records.

    Returns:
      The result.
    """
    runs = [reading.read(run_folder)]
    found = writing.families_of(runs, leaks_of)
    page = writing.page_of(found, runs)
    return Audited(
        paragraph.of(page),
        run_folder / folder_lib.PAGE,
        tuple(long_form.rows(found)),
        tuple(kept.load(run_folder / kept.PREDICTION)),
    )
