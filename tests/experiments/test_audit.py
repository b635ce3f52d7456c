"""An audit: in Python, by the command, what it says, and what it refuses."""

import csv
import html
import io
import json
import pathlib

import keras
import numpy as np
import pytest

from experiments import audit as command
from experiments.audit import Audit, audit
from experiments.outputs import results
from experiments.study import flag_table, run_folders
from experiments.suites.audit import effort
from experiments.suites.audit.result import Audited
from tests.experiments import own_models
from tests.experiments.command import read

MODEL = "tests.experiments.own_models:normalised"
# The quickest audit that still encrypts, predicts and attacks.
QUICK = {
    "cipher": "identity_INSECURE",
    "significance": ("random",),
    "encryption_ratios": (0.0, 1.0),
    "attacks": ("dense_inversion",),
    "attack_iterations": 5,
}


def a_model(units=3):
    keras.utils.set_random_seed(0)
    layers = [keras.Input((4,)), keras.layers.Dense(units)]
    made = keras.Sequential(layers, name="small_net")
    made.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return made


def examples(count=40):
    rng = np.random.default_rng(0)
    return rng.normal(size=(count, 4)).astype(np.float32), np.arange(count) % 3


@pytest.mark.slow
def test_a_model_and_arrays_in_python(tmp_path, capfd):
    found = audit(a_model(), examples(), logdir=str(tmp_path), **QUICK)
    shown = capfd.readouterr().out
    own = {one["asked"]: one for one in found.cells}
    assert own[0.0]["exact"] == 1 or own[0.0]["leak"] > 50
    # Of everything hidden an attack by algebra has nothing, and says so.
    assert own[1.0]["status"] == "does_not_apply" and own[1.0]["leak"] is None
    assert own[1.0]["reason"] and "which is no protection shown" in found.summary
    assert str(found) in shown and found.summary in str(found)
    assert str(found.report) in str(found)
    assert "the least that leaks" in found.summary
    # Nobody else was asked, and the reader is told.
    left = "Not tried, though they may apply: dlg, idlg"
    assert left in found.summary and left in found.report.read_text()
    leakage, _ = found.prediction
    assert [row[:2] for row in leakage.rows] == [("0 %", "random"), ("100 %", "random")]
    assert leakage.rows[1][3] == "0 of 4"
    page = found.report.read_text()
    assert "What the masks alone predict" in page and "audit(model, data, " in page
    assert found.summary.split("\n")[0] in html.unescape(found._repr_html_())

    # A slower machine, or less time: what was not cut when it began stays so.
    again = audit(a_model(), examples(), logdir=str(tmp_path), minutes=1e-9, **QUICK)
    assert again.cells == found.cells and again.summary == found.summary
    folder = found.report.parent
    assert folder.name == "given-model_small_net_given-data_audit"
    assert len(results.load(folder)) == 2
    data = examples()
    data[0][0, 1] = 77.125
    with pytest.raises(ValueError, match="value range: expected numbers with") as told:
        audit(a_model(), data, logdir=str(tmp_path), **QUICK)
    assert "77.1" not in str(told.value)
    with pytest.raises(ValueError, match="weights sha256"):
        keras.utils.set_random_seed(1)
        other = a_model()
        other.set_weights([one + 1 for one in other.get_weights()])
        audit(other, examples(), logdir=str(tmp_path), **QUICK)
    with pytest.raises(ValueError, match="--significance"):
        flags = {**QUICK, "significance": ("magnitude",)}
        audit(a_model(), examples(), logdir=str(tmp_path), **flags)


def test_several_seeds_are_audits_with_equal_searches_and_a_report(
    tmp_path, monkeypatch
):
    """Searches of other lengths would be other settings, which are never one set."""
    done, reported = [], []

    def execute(asked, line, output, errors):
        done.append(asked)
        folder = run_folders.of(asked)
        folder.mkdir()
        flags = {"attack_iterations": 40}
        (folder / "config.json").write_text(json.dumps({"flags": flags}))
        return 0

    monkeypatch.setattr(command, "execute", execute)
    monkeypatch.setattr(
        run_folders, "of", lambda asked: tmp_path / asked.output.run_name
    )
    monkeypatch.setattr(effort.run_directory, "read_config", _flags_alone)
    monkeypatch.setattr(
        command.report, "execute", lambda place, line, *_: reported.append(line) or 0
    )
    line = [f"--model={MODEL}", f"--logdir={tmp_path}", "--run_name=mine"]
    asked = read(Audit, *line, "--seeds=3,1", "--minutes=6")
    errors = io.StringIO()
    assert command.main(asked, ["audit", *line], io.StringIO(), errors) == 0
    assert "Run 2 of 2: seed 1" in errors.getvalue()
    assert [(one.seed, one.seeds, one.minutes) for one in done] == [
        (3, (), 3.0),
        (1, (), 0.0),
    ]
    assert [one.attack.max_iterations for one in done] == [300, 40]
    folders = [str(tmp_path / f"mine_seed{seed}") for seed in (3, 1)]
    assert reported == [["report", *folders]]
    with pytest.raises(ValueError, match="takes one seed a call"):
        audit(a_model(), examples(), seeds=(0, 1))


def _flags_alone(folder):
    return json.loads((folder / "config.json").read_text())


def test_a_result_is_printed_as_the_command_ends():
    found = Audited(
        "* 10 % hidden: 9 dB\n* more", pathlib.Path("a/report.html"), (), ()
    )
    assert str(found) == "* 10 % hidden: 9 dB\n* more\na/report.html"
    assert repr(found) == "<Audited: 0 cells, report 'a/report.html'>"


def test_a_model_that_is_built_again_has_the_same_name(monkeypatch):
    def of(name):
        asked = []

        def stop(line, *_):
            asked.append(line)
            raise InterruptedError

        monkeypatch.setattr("experiments.audit.execute", stop)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)], name=name)
        with pytest.raises(InterruptedError):
            audit(model, examples())
        return asked[0].model

    assert of("net") == of("net_7") == "given:model_net"
    assert of("net2") == "given:model_net2"


@pytest.mark.parametrize(
    ("model", "data", "flags", "message"),
    [
        ("lenet", examples(), {}, "must be a keras.Model .* got str"),
        (a_model, examples(), {}, "must be a keras.Model .* got function"),
        (a_model(), examples()[0], {}, "`data` must be .* got ndarray"),
        (a_model(), (np.eye(9)[:, :5], np.arange(9) % 3), {}, "does not fit the model"),
        (a_model(), examples(), {"num_image": 3}, "Did you mean: num_images"),
        (a_model(), examples(), {"num_images": 1.5}, "num_images=1.5"),
        (a_model(), examples(), {"num_images": True}, "num_images=True"),
        (a_model(), examples(), {"num_images": "three"}, "num_images=three"),
        (a_model(), examples(), {"run_name": None}, "`run_name` .* got NoneType"),
        (a_model(), examples(), {"seed": len}, "`seed` .* got builtin_function"),
        (a_model(), examples(), {"dry_run": True}, "got dry_run"),
        (a_model(), examples(), {"minutes": -1.0}, "`--minutes` must be"),
        (a_model(), examples(), {"num_images": 0}, "at least 1 for an audit"),
        (a_model(), examples(1), {}, "at least 2 examples"),
        (own_models.diverged(), examples(), {}, "must start from finite weights"),
    ],
)
def test_what_cannot_be_audited_is_a_sentence(tmp_path, model, data, flags, message):
    with pytest.raises(ValueError, match=message):
        audit(model, data, logdir=str(tmp_path), **flags)
    assert not list(tmp_path.iterdir())


def test_an_audit_is_a_run_with_other_defaults():
    found = read(Audit)
    assert found.training.rounds == 0 and found.attack.methods == ("strongest",)
    assert found.masks.ratios == (0.0, 0.1, 0.5, 1.0)
    assert flag_table.as_typed(found) == []
    line = ["--seed=3", "--encryption_ratios=0.0,0.2", "--notraining_mode"]
    typed = flag_table.as_typed(read(Audit, *line))
    assert read(Audit, *typed) == read(Audit, *line)


@pytest.mark.parametrize(
    ("iterations", "minutes", "limit", "said"),
    [
        (300, 2.0, 5.0, "300 iterations of each search; 7 searches"),
        (62, 5.0, 5.0, "62 iterations of each search, cut from 300 by --minutes=5"),
        (20, 9.0, 5.0, "That is more than was asked for"),
        (300, 0.02, 5.0, "7 searches at most, less than a minute from the time"),
    ],
)
def test_what_was_cut_is_said(iterations, minutes, limit, said):
    text = effort.in_words(effort.Effort(iterations, 7, minutes), read(Audit), limit)
    assert said in text
    assert ("A longer search may recover more." in text) == (iterations < 300)


@pytest.mark.slow
def test_the_command_says_what_it_would_do_does_it_and_goes_on(tmp_path, capfd):
    path = tmp_path / "pictures.npz"
    rng = np.random.default_rng(0)
    pixels = rng.random((60, 4, 4, 1)).astype(np.float32)
    np.savez(path, x=pixels, y=(np.arange(60) % 3).astype(np.int32))
    runs = tmp_path / "runs"
    line = [
        f"--model={MODEL}",
        f"--data={path}",
        f"--logdir={runs}",
        "--run_name=mine",
        "--cipher=identity_INSECURE",
        "--significance=magnitude",
        "--encryption_ratios=0,1",
        "--minutes=0.001",
    ]

    def execute(*more):
        output, errors = io.StringIO(), io.StringIO()
        asked = read(Audit, *line, *more)
        status = command.execute(asked, ["audit", *line, *more], output, errors)
        return status, output.getvalue(), errors.getvalue()

    status, shown, _ = execute("--dry_run")
    assert status == 0 and not runs.exists()
    assert "Tried by strongest: dlg" in shown and "Not of use here: dager" in shown
    assert "20 iterations of each search, cut from 300 by --minutes=0.001" in shown
    assert "That is more than was asked for" in shown
    assert "Prediction: applies, of 1 gradient(s)." in shown

    status, shown, _ = execute()
    assert status == 0
    # What the run shows before that has its table, and does not say it, too.
    assert "What this means for you" not in "".join(capfd.readouterr())
    assert shown.count("What this means for you") == 1
    assert "Who attacks" in shown and "the least that leaks" in shown
    assert shown.rindex("What this means for you") < shown.index("the least that leaks")
    records = (runs / "mine" / "results.jsonl").read_bytes()
    found = results.load(runs / "mine")
    assert [record.attack for record in found] == ["strongest"] * 2
    of_members = [one for record in found for one in record.members]
    assert all(bool(one.stop) == (one.status == "ok") for one in of_members)
    assert any(one.iterations for one in of_members)
    flags = json.loads((runs / "mine" / "config.json").read_text())["flags"]
    assert flags["attack_iterations"] == 20
    with (runs / "mine" / "cells.csv").open() as file:
        rows = list(csv.DictReader(file))
    members = [row for row in rows if row["member_of"] == "strongest"]
    # Those that do not fit are there, with a reason and without a number.
    assert any(row["status"] == "does_not_apply" and row["reason"] for row in members)
    assert all(row["leak"] or row["status"] != "ok" for row in members)
    assert (runs / "mine_analysis" / "analysis.md").exists()

    # More time changes nothing of what has begun.
    status, shown, _ = execute("--minutes=9")
    assert status == 0 and "20 iterations of each search, as the audit began" in shown
    assert (runs / "mine" / "results.jsonl").read_bytes() == records
