"""What the README shows runs."""

import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]


pytestmark = pytest.mark.slow


def printed(*arguments):
    """The lines that an interpreter of its own prints."""
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def test_own_model():
    lines = [
        line for line in printed("examples/own_model.py") if line.startswith("round")
    ]
    # 8 * 16 + 16 + 4 * 16 + 16 * 3 + 3 = 259 entries with the normalisation's weights
    # and statistics; all of them in the first round, then a tenth.
    assert "259 entries encrypted" in lines[0]
    assert " 26 entries encrypted" in lines[1]
    losses = [float(line.split("loss ")[1].split(",")[0]) for line in lines]
    assert losses[-1] < losses[0]


def test_bert_embeddings():
    lines = [line for line in printed("examples/bert_embeddings.py") if "rank" in line]
    ranks = [int(line.split("rank ")[1].split(",")[0]) for line in lines]
    # Five ratios for each of two orders. The first layer normalises every token, which
    # takes its mean and its length from it: 4 * (128 - 2) directions are left.
    assert ranks == [504] * 10


def test_audit(tmp_path):
    """The notebook's cells, one after the other, in an interpreter of their own."""
    cells = json.loads((ROOT / "examples/audit.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    # Its runs/ would be that of the checkout.
    code[1] = code[1].replace("minutes=1,", f"minutes=1, logdir={str(tmp_path)!r},")
    assert str(tmp_path) in code[1]
    lines = printed("-c", "\n".join(code))
    rows = [line.split() for line in lines]
    asked = {row[0] for row in rows if row[-2:-1] == ["dense_inversion"]}
    assert {float(each) for each in asked} == {0.0, 0.5, 1.0}
    assert any("report.html" in line for line in lines)
