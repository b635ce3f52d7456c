"""Tables that a run keeps for its report: recovered sentences, and a prediction.

A report has no vocabulary to decode sentences with, and no model to predict from.
"""

import pathlib
from collections.abc import Sequence

from experiments.outputs import files
from experiments.outputs.table import Table

SENTENCES, PREDICTION = "sentences.json", "prediction.json"
NO_PREDICTION = "no_prediction.json"


def save(path: pathlib.Path, tables: Sequence[Table]) -> None:
    """Keeps tables in a file of a run, if there are any."""
    if tables:
        content = [
            {**table._asdict(), "rows": [list(row) for row in table.rows]}
            for table in tables
        ]
        files.write_atomically(path, files.to_json(content).encode())


def save_reasons(run_folder: pathlib.Path, reasons: Sequence[str]) -> None:
    """Keeps why something has no prediction; nothing is left of an earlier try."""
    path = run_folder / NO_PREDICTION
    if reasons:
        content = [" ".join(reason.split()) for reason in reasons]
        files.write_atomically(path, files.to_json(content).encode())
    else:
        path.unlink(missing_ok=True)


def reasons(run_folder: pathlib.Path) -> list[str]:
    """Why something has no prediction, a sentence each; none where all has one."""
    found = files.read_json(run_folder / NO_PREDICTION) or ()
    return [f"No prediction: {reason}" for reason in found]


def load(path: pathlib.Path) -> list[Table]:
    """Reads the tables of a file; none if it is not there, or damaged."""
    return [
        Table(
            each["title"],
            tuple(each["headings"]),
            [tuple(row) for row in each["rows"]],
        )
        for each in files.read_json(path) or ()
    ]
