"""The command as a whole: runs, is interrupted, goes on, refuses."""

import csv
import io
import math
import pathlib
import types

import numpy as np
import pytest

from experiments import analyse, analysis, check_prediction
from experiments.analysis import attacked, noises, options, report, results, study
from experiments.modalities.pictures import loading
from experiments.outputs import files
from experiments.study import flag_table
from experiments.study.settings import Place
from selenc_tf.distance.predict import Prediction
from tests.experiments import made_up
from tests.experiments.command import read

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
    """Real classes and few pixels."""
    made = made_up.pictures()
    monkeypatch.setattr(loading.data_catalog, "load", lambda *_: made)
    return made


def execute(folder: pathlib.Path, *arguments: str) -> tuple[int, str, str]:
    line = [
        *ARGUMENTS,
        f"--logdir={folder.parent}",
        f"--run_name={folder.name}",
        *arguments,
    ]
    output, errors = io.StringIO(), io.StringIO()
    asked = read(options.Options, *line)
    status = analyse.execute(asked, ["analyse", *line], output, errors)
    return status, output.getvalue(), errors.getvalue()


def table(folder):
    return list(csv.DictReader(io.StringIO((folder / "analysis.csv").read_text())))


@pytest.mark.slow
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
    first = results.load(folder)

    status, output, _ = execute(folder)
    assert status == 0
    assert results.load(folder)[:1] == first
    assert len(results.load(folder)) == 2
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
            assert bound == pytest.approx(-10 * np.log10(0.8**2 / 12), abs=0.5)
        low = float(row["identifiability_threshold_low"])
        high = float(row["identifiability_threshold_high"])
        assert 0 <= low < high <= min(1.0, low + 0.05)
    text = (folder / "analysis.md").read_text()
    for needed in ("python -m experiments.analyse", "tensorflow 2", " cores, ", "dB"):
        assert needed in text
    assert (folder / "analysis.png").read_bytes().startswith(b"\x89PNG")

    status, _, errors = execute(folder, "--seed=1")
    assert status == 2
    assert "--seed" in errors

    # What was analysed can be attacked: every metric and ratio of both batches.
    shown = io.StringIO()
    asked = check_prediction.Check(
        Place(str(folder.parent), folder.name), ("dlg", "r_gap"), iterations=2
    )
    assert check_prediction.execute(asked, ["check"], shown, io.StringIO()) == 0
    said = " ".join(shown.getvalue().split())
    assert "Spearman's correlation" in said and "stationary, pixels alike" in said
    assert "No result: r_gap does not apply" in said and "(16 masks)" in said
    cases = attacked.cases_of(folder)
    assert len(cases) == 2 * 2 * 4
    assert all(np.isfinite(case.attack_db) for case in cases)


def test_wrong_flags_are_all_listed(tmp_path):
    status, _, errors = execute(
        tmp_path / "a",
        "--model=none",
        "--dataset=none",
        "--significance=none,magnitude,magnitude",
        "--encryption_ratios=2,nan",
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


def test_records_survive_a_round_trip():
    prediction = Prediction(3, 0.1, 0.5, 0.9, 16, 12, 11.5, 5, 0.0, float("inf"), 30.0)
    analysed = results.Analysed(
        (4, 2),
        (results.Row("magnitude", 0.1, prediction),),
        (results.Threshold("magnitude", "psnr", 1.0, float("inf")),),
        1.5,
    )
    text = files.to_json(results.to_record(analysed))
    (record,) = files.parse_lines(text.encode(), "").records
    assert results.from_record(record) == analysed
    # Of a version whose bound knew nothing of the box.
    del record["rows"][0]["psnr_without_box_db"]
    with pytest.raises(ValueError, match=r"psnr_without_box_db.*Start a new analysis"):
        results.from_record(record)


def test_the_prior_that_fits():
    assert analysis.catalog.prior_of("auto", (28, 28, 1)) == "dct"
    assert analysis.catalog.prior_of("auto", (6,)) == "isotropic"
    assert analysis.catalog.prior_of("stationary", (28, 28, 1)) == "stationary"
    said = analysis.report.assumed("dct", 1000)
    assert "1,000 public examples" in said and "frequency" in said


def test_the_committed_flagfile_is_valid():
    path = pathlib.Path(analyse.__file__).parent / "flagfiles" / "analyse_lenet.flags"
    asked = read(options.Options, f"--flagfile={path}")
    flag_table.check(asked)
    gradient = np.ones(3)
    np.testing.assert_allclose(noises.sigma(asked.noise, gradient), 1e-5)


def test_every_noise_is_added():
    gradient = np.array([3.0, 4.0])
    parts = ("relative:0.1", "quantisation:0.5", "gaussian:0.2")
    alone = [noises.sigma([part], gradient) for part in parts]
    np.testing.assert_allclose(alone[0], 0.1 * np.sqrt(12.5))
    np.testing.assert_allclose(alone[1], 0.5 / np.sqrt(12))
    np.testing.assert_allclose(alone[2], 0.2)
    together = noises.sigma(parts, gradient)
    np.testing.assert_allclose(together, np.sqrt(np.sum(np.square(alone), axis=0)))
    assert np.all(noises.sigma(["float32"], gradient) > 0)


@pytest.mark.parametrize(
    ("prior_db", "said"),
    [
        (21.3, ": the prior alone gives 21.3 dB"),
        (9.0, "granted the numbers at exactly 0 or 1 has more, without them 9.0 dB"),
    ],
)
def test_a_threshold_below_the_prior_is_never_reached_and_it_is_said_why(
    prior_db, said
):
    """A bare "never" looks as if attacks always recovered so much."""
    heading = report.Heading("m", "d", "none", "p", "", prior_db, 20.0)
    thresholds = (results.Threshold("random", results.PSNR, 1.0, math.inf),)
    found = results.Analysed((0,), (), thresholds, 0.0)
    _, table = report.tables(heading, [found])
    ((metric, criterion, reached),) = table.rows
    assert (metric, criterion) == ("random", "predicted PSNR below 20 dB")
    assert reached.startswith("never") and reached.endswith(said)


def test_a_gradient_of_zeros_is_left_out_and_named(
    tmp_path, monkeypatch, small_pictures
):
    """The analysis of the others goes on."""
    analysed = results.Analysed((), (), (), 1.0)
    calls = []

    def zero_at_first(made, batch, progress):
        calls.append(batch)
        if len(calls) == 1:
            raise study.ZeroGradient("all zeros")
        return analysed._replace(pictures=batch)

    monkeypatch.setattr(study, "analyse", zero_at_first)
    monkeypatch.setattr(report, "publish", lambda *_: None)
    status, _, errors = execute(tmp_path / "analysis")
    assert status == 0 and "all zeros" in errors
    (kept,) = results.load(tmp_path / "analysis")
    assert kept.pictures == calls[1]


def test_a_gradient_of_zeros_is_told_from_others(monkeypatch, small_pictures):
    linear = types.SimpleNamespace(gradient=np.zeros(3), unknowns=2)
    monkeypatch.setattr(study.jacobian, "linearise", lambda *_: linear)
    monkeypatch.setattr(study.examples, "targets", lambda model, labels: labels)
    made = study.Study(*[None] * len(study.Study._fields))._replace(
        dataset=small_pictures
    )
    with pytest.raises(
        study.ZeroGradient, match=r"example 2 is all zeros \(a loss of 0"
    ):
        study.analyse(made, (2,), print)
