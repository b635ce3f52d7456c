"""Puts a finished quickstart into the README: its table, its records, its pictures.

    python docs/quickstart/update.py runs/quickstart

Run on a quiet machine; the README says which. A test compares the table with the records.
The screens are those of a browser: it needs the package chromium.
"""

import io
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from experiments.outputs import results, summary, tables, tensorboard
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.report import families, page, reading

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


def screen(address: str, to: pathlib.Path, width: int, height: int) -> None:
    """What a browser's window shows of an address after its scripts have run."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("No browser here: install the package chromium.")
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                f"--user-data-dir={profile}",
                f"--window-size={width},{height}",
                "--virtual-time-budget=20000",
                f"--screenshot={to}",
                address,
            ],
            check=True,
            capture_output=True,
        )


def tensorboard_screen(run: pathlib.Path, to: pathlib.Path) -> None:
    """TensorBoard's first screen, by the address with which the run ended."""
    (family,) = families.join([reading.read(run)])
    meanings = page.meanings(family, PICTURES)
    link = tensorboard.to_first_screen(summary.summarise(results.load(run)), meanings)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = f"http://127.0.0.1:{port}/"
    line = [sys.executable, "-m", "tensorboard.main", "--logdir", str(run)]
    server = subprocess.Popen(
        [*line, "--host", "127.0.0.1", "--port", str(port)], stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(120):
            time.sleep(1)
            try:
                with urllib.request.urlopen(
                    f"{own}data/plugin/timeseries/tags"
                ) as tags:
                    if "1_in_words" in tags.read().decode():
                        break
            except OSError:
                continue
        screen(link.replace("http://localhost:6006/", own), to, 1280, 800)
    finally:
        server.terminate()
        server.wait()


def main(run: pathlib.Path) -> None:
    """Copies a run's records, figures and screens, and writes its table into the README."""
    text = README.read_text()
    README.write_text(text.replace(table_in(text), table_of(run)))
    shutil.copy(run / results.FILE_NAME, HERE / results.FILE_NAME)
    for pattern, name in FIGURES.items():
        shutil.copy(
            sorted((run / "figures").glob(f"{pattern}.png"))[0], HERE.parent / name
        )
    address = (run / "report.html").resolve().as_uri()
    screen(address, HERE.parent / "report.png", 1280, 1400)
    tensorboard_screen(run, HERE.parent / "tensorboard.png")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
