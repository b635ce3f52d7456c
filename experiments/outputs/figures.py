"""Matplotlib's figures as PNG files.

Nothing here or in what draws them touches pyplot, so no figure stays open and no display
is needed.
"""

import io
import pathlib

import matplotlib.figure
from matplotlib.backends import backend_agg

from experiments.outputs import files, records

FOLDER_NAME = "figures"

_DPI = 100


def to_png(figure: matplotlib.figure.Figure) -> bytes:
    """Renders a figure as a PNG file."""
    buffer = io.BytesIO()
    backend_agg.FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()


def save_png(run_folder: pathlib.Path, name: str, png: bytes) -> None:
    """Keeps a figure as `figures/<name>.png` of a run.

    What does not belong into a file name is replaced.
    """
    path = run_folder / FOLDER_NAME / f"{records.path_name(name)}.png"
    path.parent.mkdir(exist_ok=True)
    files.write_atomically(path, png)
