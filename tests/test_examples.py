"""What the README shows runs."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]


def test_own_model():
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "own_model.py"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("round")]
    # 8 * 16 + 16 + 16 * 3 + 3 = 195 entries; all of them in the first round, then 20.
    assert "195 of 195 entries encrypted" in lines[0]
    assert "20 of 195 entries encrypted" in lines[1]
    losses = [float(line.split("loss ")[1].split(",")[0]) for line in lines]
    assert losses[-1] < losses[0]
