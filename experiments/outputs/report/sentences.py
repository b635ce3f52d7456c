"""`sentences.json`: recovered sentences as a modality shows them, kept for reports."""

import json
import pathlib
from collections.abc import Sequence

from experiments.outputs import files
from experiments.outputs.text_tables import Table

FILE_NAME = "sentences.json"


def save(run_folder: pathlib.Path, tables: Sequence[Table]) -> None:
    """Keeps tables of a run, if there are any: a report has no vocabulary to decode."""
    if tables:
        content = [
            {**table._asdict(), "rows": [list(row) for row in table.rows]}
            for table in tables
        ]
        path = run_folder / FILE_NAME
        files.write_atomically(path, files.to_json(content).encode())


def load(run_folder: pathlib.Path) -> list[Table]:
    """Reads the tables of a run; none if there is no file."""
    path = run_folder / FILE_NAME
    if not path.exists():
        return []
    return [
        Table(
            each["title"],
            tuple(each["headings"]),
            [tuple(row) for row in each["rows"]],
        )
        for each in json.loads(path.read_bytes())
    ]
