"""Puts a finished quickstart into the README: its table, its records, its pictures.

    python docs/quickstart/update.py runs/quickstart

Run on a quiet machine; the README says which. A test compares the table with the records.
"""

import io
import pathlib
import shutil
import sys

from experiments.outputs import results, summary, tables

HERE = pathlib.Path(__file__).parent
README = HERE.parent.parent / "README.md"
FIGURES = {
    "reconstruction_*-client": "reconstructions.png",
    "over_ratio_*server_blind*": "over-the-ratio.png",
    "leakage_vs_overhead_*server_blind*": "leakage-vs-overhead.png",
}
"""Which of a run's figures stand under which name in `docs/`: the first that fits."""

_BEGIN, _END = "ends with this table:\n\n```\n", "\n```\n"
_COLUMNS = 80


def table_of(folder: pathlib.Path) -> str:
    """The tables of a run's records, as a terminal of 80 columns shows them."""
    stream = io.StringIO()
    tables.print_tables(summary.summarise(results.load(folder)), stream, _COLUMNS)
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    return "\n".join(lines).strip()


def table_in(text: str) -> str:
    """The block of the README that shows the table."""
    begin = text.index(_BEGIN) + len(_BEGIN)
    return text[begin : text.index(_END, begin)]


def main(run: pathlib.Path) -> None:
    """Copies the records and the figures of a run, and writes its table into the README."""
    text = README.read_text()
    README.write_text(text.replace(table_in(text), table_of(run)))
    shutil.copy(run / results.FILE_NAME, HERE / results.FILE_NAME)
    for pattern, name in FIGURES.items():
        shutil.copy(
            sorted((run / "figures").glob(f"{pattern}.png"))[0], HERE.parent / name
        )


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
