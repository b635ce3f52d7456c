"""The command as a whole: runs, is interrupted, goes on, refuses."""

import csv
import io
import pathlib

import numpy as np
import pytest
from absl import flags as absl_flags

from experiments import analyse
from experiments.analysis import options, report, study
from experiments.data import dataset as dataset_lib
from selenc_tf.distance.predict import Prediction

ARGUMENTS = (
    "--dataset=mnist",
    "--model=lenet",
    "--significance=magnitude,random",
    "--encryption_ratios=0.3,0,0.8,1",
    "--num_images=2",
    "--attack_batch_size=2",
    "--noise=float32,relative:1e-4",
    "--prior=stationary",
    "--threshold_tolerance=0.05",
    "--noallow_download",
)


@pytest.fixture
def small_pictures(monkeypatch):
    """Real classes and few pixels: random 4x4 pictures."""
    rng = np.random.default_rng(0)
    made = dataset_lib.Dataset(
        name="made-up",
        images=rng.uniform(0, 1, (12, 4, 4, 1)).astype(np.float32),
        labels=(np.arange(12) % 3).astype(np.int32),
        num_classes=3,
        source="random",
        licence="none",
        citation="none",
        note="Random pictures.",
    )
    monkeypatch.setattr(analyse.data_catalog, "load", lambda *_: made)
    return made


def execute(folder: pathlib.Path, *arguments: str) -> tuple[int, str, str]:
    values = absl_flags.FlagValues()
    options.define(values)
    line = ["analyse", *ARGUMENTS, f"--output={folder}", *arguments]
    values(line)
    output, errors = io.StringIO(), io.StringIO()
    status = analyse.execute(values, [], line, output, errors)
    return status, output.getvalue(), errors.getvalue()


def table(folder):
    return list(csv.DictReader(io.StringIO((folder / "analysis.csv").read_text())))


def test_interrupted_then_finished_then_refused(tmp_path, monkeypatch, small_pictures):
    folder = tmp_path / "analysis"
    real = study.analyse
    calls = []

    def stops_at_the_second(made, batch, progress):
        if calls:
            raise KeyboardInterrupt
        calls.append(batch)
        return real(made, batch, progress)

    with monkeypatch.context() as patch:
        patch.setattr(study, "analyse", stops_at_the_second)
        status, _, errors = execute(folder)
    assert status == 130
    assert "goes on" in errors
    assert len(table(folder)) == 8
    first = report.load(folder)

    status, output, _ = execute(folder)
    assert status == 0
    assert report.load(folder)[:1] == first
    assert len(report.load(folder)) == 2
    assert "made-up" in output and "a direction of the input is lost" in output

    rows = table(folder)
    assert len(rows) == 2 * 2 * 4
    chosen = np.random.default_rng(0).permutation(12)[:4]
    assert {row["pictures"] for row in rows} == {
        f"{chosen[0]} {chosen[1]}", f"{chosen[2]} {chosen[3]}"
    }  # fmt: skip
    for start in range(0, len(rows), 4):
        # More hidden never raises the bound or the rank.
        for name in ("psnr_bound_db", "rank", "zero_fill_cosine"):
            values = [float(row[name]) for row in rows[start : start + 4]]
            assert values == sorted(values, reverse=True)
    for row in rows:
        bound = float(row["psnr_bound_db"])
        if row["asked_ratio"] == "0.0":
            assert (row["rank"], row["identifiable"]) == ("32", "True")
            assert float(row["zero_fill_cosine"]) == 1.0
            assert bound > 40
        if row["asked_ratio"] == "1.0":
            assert (row["rank"], row["identifiable"]) == ("0", "False")
            assert float(row["zero_fill_cosine"]) == 0.0
            assert bound == pytest.approx(-10 * np.log10(1 / 12), abs=0.5)
        low = float(row["identifiability_threshold_low"])
        high = float(row["identifiability_threshold_high"])
        assert 0 <= low < high <= min(1.0, low + 0.05)
    text = (folder / "analysis.md").read_text()
    for needed in ("python -m experiments.analyse", "tensorflow 2", "cores of", "dB"):
        assert needed in text
    assert (folder / "analysis.png").read_bytes().startswith(b"\x89PNG")

    status, _, errors = execute(folder, "--seed=1")
    assert status == 2
    assert "--seed" in errors


def test_wrong_flags_are_all_listed(tmp_path):
    status, _, errors = execute(
        tmp_path / "a",
        "--model=none",
        "--dataset=none",
        "--significance=none,magnitude,magnitude",
        "--encryption_ratios=2,x",
        "--noise=relative,float32:1,none:2",
        "--prior=none",
        "--num_images=0",
        "--rank_threshold=-1",
        "--psnr_threshold_db=nan",
    )
    assert status == 2
    for flag in (
        "--model", "--dataset", "--significance", "--encryption_ratios", "--noise",
        "--prior", "--num_images", "--rank_threshold", "--psnr_threshold_db",
    ):  # fmt: skip
        assert f"`{flag}" in errors
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--num_images=6", "--num_images"),
        ("--max_memory_gb=1e-6", "--max_memory_gb"),
    ],
)
def test_refusals_come_before_any_folder(tmp_path, small_pictures, argument, message):
    status, _, errors = execute(tmp_path / "a", argument)
    assert status == 2
    assert message in errors
    assert not (tmp_path / "a").exists()


def test_arguments_that_are_no_flags(tmp_path):
    values = absl_flags.FlagValues()
    options.define(values)
    values(["analyse"])
    errors = io.StringIO()
    assert analyse.execute(values, ["x"], ["analyse"], io.StringIO(), errors) == 2
    assert "'x'" in errors.getvalue()


def test_records_survive_a_round_trip():
    prediction = Prediction(3, 0.1, 0.5, 0.9, 16, 12, 11.5, 0.0, float("inf"))
    analysed = study.Analysed(
        (4, 2),
        (study.Row("magnitude", 0.1, prediction),),
        (study.Threshold("magnitude", "psnr", 1.0, float("inf")),),
        1.5,
    )
    text = report.files.to_json(report.to_record(analysed))
    assert report.from_record(
        report.files.parse_lines(text.encode(), "").records[0]
    ) == (analysed)


def test_the_committed_flagfile_is_valid():
    path = pathlib.Path(analyse.__file__).parent / "flagfiles" / "analyse_lenet.flags"
    values = absl_flags.FlagValues()
    absl_flags.DEFINE_string("flagfile", "", "", flag_values=values)
    options.define(values)
    values(["analyse", f"--flagfile={path}"])
    read = options.read(values, ["lenet"], ["cifar100"], ["magnitude", "random"])
    assert read.noises == (("relative", 1e-5),)
