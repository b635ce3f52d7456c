"""The command that makes reports."""

import io

import pytest

from experiments import report
from experiments.outputs import plan
from experiments.study.settings import Place
from tests.experiments.outputs.report import folders


def execute(*paths, place=None):
    shown, errors = io.StringIO(), io.StringIO()
    line = ["report", *(str(path) for path in paths)]
    asked = Place(str(place.parent), place.name) if place else Place()
    status = report.execute(asked, line, shown, errors)
    return status, shown.getvalue(), errors.getvalue()


def test_a_run_gets_its_report_in_its_own_folder(tmp_path):
    path = folders.write(tmp_path / "run", folders.found())
    (path / plan.FILE_NAME).unlink()
    status, shown, errors = execute(path)
    assert (status, errors) == (0, "")
    assert f"{path}: Whether the run is finished is not known" in shown
    assert f"{path / 'report.html'}\n" in shown
    assert (path / "cells.csv").exists()
    # The tables that a run ends with, again.
    assert "Encr." not in shown
    again = io.StringIO()
    asked = report.Report(table=True)
    assert report.execute(asked, ["report", str(path)], again, io.StringIO()) == 0
    assert "attack on the client, batch 1" in again.getvalue()
    assert "Encr." in again.getvalue()
    # Again, and the run's own files are as they were.
    before = (path / "results.jsonl").read_bytes()
    assert execute(path)[0] == 0
    assert (path / "results.jsonl").read_bytes() == before


def test_several_runs_get_a_folder_of_their_own(tmp_path):
    paths = [
        folders.write(tmp_path / f"s{seed}", folders.found(seed), seed)
        for seed in (0, 1)
    ]
    status, shown, _ = execute(*paths, place=tmp_path / "out")
    assert status == 0
    assert (tmp_path / "out" / "report.html").exists()
    assert not (paths[0] / "report.html").exists()
    # What all of them mean together is read at the end.
    assert shown.splitlines()[-1].startswith("What this means for you (")
    assert "of 2 seeds; no interval" in shown.splitlines()[-1]
    assert "seeds 0, 1" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize("copies", [0, 1])
def test_what_cannot_be_reported_is_refused_in_a_sentence(tmp_path, copies):
    path = folders.write(tmp_path / "run", folders.found())
    if copies:
        other = folders.write(tmp_path / "copy", folders.found())
        status, shown, errors = execute(path, other, place=tmp_path / "out")
        assert "the same seed 0" in errors
    else:
        status, shown, errors = execute(tmp_path / "none", place=tmp_path / "out")
        assert "no folder" in errors
    assert (status, shown) == (2, "")
    assert not (tmp_path / "out").exists()


def test_an_unknown_modality_is_refused():
    assert report.leaks_of("pictures").main.key == "psnr_db"
    with pytest.raises(ValueError, match="pictures, text; got 'smells'"):
        report.leaks_of("smells")
