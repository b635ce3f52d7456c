"""The command as a whole: runs, is interrupted, resumes, refuses."""

import io
import json

import keras
import pytest
from tensorboard.backend.event_processing import event_accumulator

from experiments import run
from experiments.outputs import results
from experiments.outputs.records import AttackRecord, RoundRecord
from experiments.study import leakage, publishing, run_folders
from experiments.study.settings import Place, Settings
from tests.experiments.command import TINY, execute, read


def texts(folder):
    """The titles of TensorBoard's texts."""
    read = event_accumulator.EventAccumulator(str(folder / "tb" / "report"))
    read.Reload()
    return [title.split("/")[0] for title in read.Tags()["tensors"]]


@pytest.mark.slow
def test_interrupted_then_resumed_then_refused(tmp_path, monkeypatch, capfd):
    """One run through its whole life; each step needs the one before."""
    real = leakage.run
    taken = []

    def stops_after_one_task(study, tasks):
        for item in real(study, tasks):
            if taken:
                raise KeyboardInterrupt
            taken.append(item[0])
            yield item

    on_cards = []
    draw = publishing.tensorboard.write_cards

    def drawn(folder, rows, meanings, leaks):
        on_cards.extend(meanings.values())
        draw(folder, rows, meanings, leaks)

    with monkeypatch.context() as patch:
        patch.setattr(leakage, "run", stops_after_one_task)
        patch.setattr(publishing.tensorboard, "write_cards", drawn)
        assert execute(tmp_path)[0] == 130
    assert on_cards and on_cards[-1][0].startswith("Unfinished: 3 of 3 trainings")
    folder = tmp_path / "tiny"
    first = results.load(folder)
    assert sum(isinstance(record, RoundRecord) for record in first) == 3
    assert sum(isinstance(record, AttackRecord) for record in first) == 1
    shown = capfd.readouterr().out
    assert "goes on from there" in shown
    assert "Unfinished: 3 of 3 trainings and 1 of 5 attacks are done." in shown
    assert "unfinished" in texts(folder)
    page = (folder / "report.html").read_text()
    assert "Unfinished: 1 of 5 attacks are there" in page

    assert execute(tmp_path)[0] == 0
    shown = capfd.readouterr().out
    second = results.load(folder)
    assert second[: len(first)] == first
    attacks = [record for record in second if isinstance(record, AttackRecord)]
    # Two ratios, two attackers, one picture; two pictures of the aggregate.
    assert len(attacks) == 2 * 2 + 2
    assert "mnist-5k" in shown
    assert "Deserializing" not in shown
    assert json.loads((folder / "config.json").read_text())["datasets"] == ["mnist-5k"]
    assert "unfinished" not in texts(folder)
    assert (folder / "summary.csv").stat().st_size > 0
    assert list((folder / "tb").rglob("events.out.tfevents.*"))
    page = (folder / "report.html").read_text()
    assert "Unfinished" not in page
    assert "original of mnist-5k" in page
    cells = (folder / "cells.csv").read_text().splitlines()
    assert len(cells) == 1 + len(attacks)
    assert f"The report: {folder / 'report.html'}" in shown
    for name in ("plain_none_0", "random_public_seed_0", "random_public_seed_1"):
        model = keras.models.load_model(folder / "models" / f"{name}.keras")
        assert model.count_params() == 13_426

    by_ratio = {
        (record.cell.encryption_ratio, record.attacker): record
        for record in attacks
        if record.target == "client"
    }
    # Nothing hidden: both attackers do the same. Everything hidden: no information.
    leaked = {place: record.number("psnr_db") for place, record in by_ratio.items()}
    assert leaked[0.0, "naive"] == leaked[0.0, "mask_aware"]
    assert by_ratio[0.0, "naive"].label_correct
    assert by_ratio[1.0, "mask_aware"].details["matched_entries"] == 0
    assert by_ratio[1.0, "mask_aware"].hidden == 13_426
    assert leaked[1.0, "mask_aware"] < leaked[0.0, "mask_aware"]
    # Among 2,000 digits this one is known again from what leaked, or it is not.
    assert by_ratio[0.0, "mask_aware"].measures["identified"]
    assert not by_ratio[1.0, "mask_aware"].measures["identified"]
    for measure in ("perceptual", "feature_mse"):
        leaked, hidden = (
            by_ratio[ratio, "mask_aware"].measures[measure] for ratio in (0.0, 1.0)
        )
        assert 0 < leaked < hidden
    rounds = {
        record.cell.encryption_ratio: record
        for record in second
        if isinstance(record, RoundRecord) and record.cell.metric == "random"
    }
    # At 28 bits a value is encrypted in about ten bytes: two clients, whole blocks.
    assert rounds[1.0].ciphertext_bytes > 8 * 13_426 * 2
    details = dict(rounds[1.0].details)
    assert 0 < sum(details.pop("stage_seconds").values()) < rounds[1.0].round_seconds
    # What always naming the most frequent class of as many test examples gets right.
    assert details == {
        "accuracy_by_guess": 0.1,
        "test_examples": 50,
        "saturated": 0,
        "idle": 0,
        "refused": 0,
        "refusals": {},
    }
    assert rounds[0.0].hidden == 0

    status, errors = execute(tmp_path, "--seed=1")
    assert status == 2
    assert "--seed" in errors
    assert results.load(folder) == second


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--dataset=nothing", "--dataset"),
        ("--client_examples=5000", "--client_examples"),
        ("--num_images=6000", "--num_images"),
        ("--data_dir=/nonexistent", "/nonexistent"),
        ("--num_clients=100000", "--codec_bits"),
    ],
)
def test_refusals_come_before_any_folder(tmp_path, argument, message):
    status, errors = execute(tmp_path, argument)
    assert status == 2
    assert message in errors
    assert not list(tmp_path.iterdir())


def seeds(*arguments):
    """The exit status of a study of several seeds, its runs' settings and its report."""
    line = [f"--flagfile={TINY}", *arguments]
    errors = io.StringIO()
    return run.main(read(run.Runs, *line), ["run", *line], errors), errors.getvalue()


def test_several_seeds_are_runs_and_a_report(tmp_path, monkeypatch):
    done, reported = [], []

    def execute(asked, line, errors):
        done.append(asked)
        run_folders.of(asked).mkdir()
        return 0

    monkeypatch.setattr(run, "execute", execute)
    monkeypatch.setattr(
        run.report,
        "execute",
        lambda place, line, *_: reported.append((place, line)) or 0,
    )
    status, shown = seeds(f"--logdir={tmp_path}", "--seeds=3,1")
    assert status == 0 and "Run 2 of 2: seed 1" in shown
    assert [one.seed for one in done] == [3, 1]
    # Of a run alone, whose folder says nothing of the others.
    assert all(type(one) is Settings for one in done)
    folders = [str(tmp_path / f"tiny_seed{seed}") for seed in (3, 1)]
    assert reported == [(Place(str(tmp_path), "tiny"), ["report", *folders])]


def test_a_stopped_run_is_the_last_and_is_in_the_report(tmp_path, monkeypatch):
    done, reported = [], []

    def execute(asked, line, errors):
        done.append(asked.seed)
        run_folders.of(asked).mkdir()
        return 130

    monkeypatch.setattr(run, "execute", execute)
    monkeypatch.setattr(
        run.report,
        "execute",
        lambda place, line, *more: reported.append((line[1:], more[-1])) or 0,
    )
    assert seeds(f"--logdir={tmp_path}", "--seeds=3,1")[0] == 130
    said = ["Not begun: seed 1. The same command goes on."]
    assert done == [3] and reported == [([str(tmp_path / "tiny_seed3")], said)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seeds=1,1"], "must not name anything twice"),
        (["--seeds=1,2", "--seed=3"], "Leave one out"),
        (["--seeds=-1"], "--seeds"),
    ],
)
def test_seeds_that_are_none_are_refused(tmp_path, arguments, said):
    status, shown = seeds(f"--logdir={tmp_path}", *arguments)
    assert status == 2 and said in shown.replace("`", "")
    assert list(tmp_path.iterdir()) == []
