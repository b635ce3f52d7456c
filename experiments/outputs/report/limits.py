"""What a run did not try, as its report says it: a report has no model to ask."""

import pathlib
from collections.abc import Sequence

from experiments.outputs import files

FILE_NAME = "limits.json"


def save(run_folder: pathlib.Path, limits: Sequence[str]) -> None:
    """Keeps a sentence for each limit; the first time counts."""
    path = run_folder / FILE_NAME
    if not path.exists():
        files.write_atomically(path, files.to_json(list(limits)).encode())


def load(run_folder: pathlib.Path) -> list[str]:
    """Reads the sentences; none if the run has no such file, or it is damaged."""
    return list(map(str, files.read_json(run_folder / FILE_NAME) or ()))
