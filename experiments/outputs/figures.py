"""Matplotlib's figures as PNG files.

Nothing here or in what draws them touches pyplot, so no figure stays open and no display
is needed.
"""

import contextlib
import io
import pathlib
from collections.abc import Iterator

import matplotlib.figure
from matplotlib.backends import backend_agg

from experiments.outputs import files, records

FOLDER_NAME = "figures"

_DPI = 100
_SUFFIXES = (".png", ".svg", ".pdf")


def to_png(figure: matplotlib.figure.Figure, dpi: int = _DPI) -> bytes:
    """Renders a figure as a PNG file, with so many pixels an inch."""
    buffer = io.BytesIO()
    backend_agg.FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def save_png(run_folder: pathlib.Path, name: str, png: bytes) -> None:
    """Keeps a figure as `figures/<name>.png` of a run.

    What does not belong into a file name is replaced.
    """
    path = run_folder / FOLDER_NAME / f"{records.path_name(name)}.png"
    path.parent.mkdir(exist_ok=True)
    files.write_atomically(path, png)


@contextlib.contextmanager
def made_anew(run_folder: pathlib.Path) -> Iterator[None]:
    """Removes those figures of a run that are not written within, unless that fails.

    What a figure is of may be gone, as a training's own table is once attacks stand
    beside it.
    """
    before = _versions(run_folder)
    yield
    for path, version in _versions(run_folder).items():
        if before.get(path) == version:
            path.unlink(missing_ok=True)


def _versions(run_folder: pathlib.Path) -> dict[pathlib.Path, tuple[int, int]]:
    """Each figure, and what changes when it is replaced."""
    found = {}
    for path in (run_folder / FOLDER_NAME).glob("*"):
        if path.suffix in _SUFFIXES:
            status = path.stat()
            found[path] = (status.st_ino, status.st_mtime_ns)
    return found
