"""The device suite at its smallest."""

import io
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from experiments.suites.device import steps, suite


@pytest.mark.slow
def test_every_cipher_and_step_has_a_row():
    output = io.StringIO()
    suite.run(suite.Request(repetitions=1, rlwe_columns=1, pad_columns=8), output)
    text = output.getvalue()
    for words in ("shared key", "a key for each client", "additive_pad", "memory"):
        assert words in text
    for step in ("encrypt", "expand and add a seed", "open a sum of 10"):
        assert step in text
    for part in ("Parts of encrypting", "draw a seed", "- product and transform"):
        assert part in text
    assert "3.125" in text and "3.250" in text and "2.750" in text


def programs_in(folder):
    request = suite.Request(1, rlwe_columns=1, pad_columns=8, programs=folder)
    suite.run(request, io.StringIO())


def run_programs(*arguments):
    """As on a machine that has neither TensorFlow nor this project."""
    script = pathlib.Path(suite.__file__).with_name("run_programs.py")
    return subprocess.run(
        [sys.executable, "-I", str(script), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )


@pytest.mark.slow
def test_saved_programs_give_the_same_by_another_client(tmp_path):
    programs_in(tmp_path)
    ended = run_programs(str(tmp_path), "1")
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert len(lines) == 1 + 10 and all("values/s" in line for line in lines[1:])
    # Another result has no time.
    (path,) = tmp_path.glob("additive_pad_encrypt.npz")
    with np.load(path) as data:
        arrays = {**data, "result": data["result"] + 1}
    np.savez(path, **arrays)
    ended = run_programs(str(tmp_path), "1")
    assert ended.returncode == 1
    assert "additive_pad, encrypt: another result" in ended.stdout


@pytest.mark.slow
def test_a_folder_without_programs_is_no_success(tmp_path):
    ended = run_programs(str(tmp_path))
    assert ended.returncode == 1 and "No programs" in ended.stdout


def test_a_cipher_that_opens_to_something_else_has_no_row(monkeypatch):
    def wrong(columns, groups):
        return steps.Side("wrong", 1, 1.0, {}, lambda: False)

    monkeypatch.setattr(steps, "build_pad", wrong)
    monkeypatch.setattr(steps, "build_rlwe", lambda *_: wrong(1, 1))
    with pytest.raises(RuntimeError, match="wrong must open a sum"):
        suite.run(suite.Request(1), io.StringIO())
