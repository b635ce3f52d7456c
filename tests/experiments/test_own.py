"""Models and data of the user's own, by flags alone, through the commands."""

import csv
import io
import json

import numpy as np
import pytest

from experiments import analyse, run
from experiments.analysis.options import Options
from experiments.outputs import results
from experiments.outputs.records import AttackRecord, RoundRecord
from experiments.study.settings import Settings
from tests.experiments import made_up
from tests.experiments.command import read

MODELS = "tests.experiments.own_models"
TWO_INPUTS = f"--model={MODELS}:two_inputs"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Two named inputs in their own units, and three classes."""
    path = tmp_path_factory.mktemp("data") / "readings.npz"
    rng = np.random.default_rng(0)
    left = (3 * rng.normal(size=(80, 3))).astype(np.float32)
    right = rng.normal(size=(80, 2)).astype(np.float32)
    np.savez(path, x_left=left, x_right=right, y=left.argmax(axis=1).astype(np.int32))
    return path


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    """A table with a label of two values and the site that a row is of."""
    path = tmp_path_factory.mktemp("data") / "patients.csv"
    features = np.random.default_rng(0).normal(size=(120, 4))
    with path.open("w") as file:
        lines = csv.writer(file)
        lines.writerow(["a", "b", "c", "d", "sick", "site"])
        for index, row in enumerate(features):
            lines.writerow([*row.round(3), int(row[0] + row[1] > 0), f"s{index % 3}"])
    return path


def executed(*line):
    """Exit status and errors of a run."""
    errors = io.StringIO()
    return run.execute(read(Settings, *line), ["run", *line], errors), errors.getvalue()


@pytest.mark.slow
def test_two_inputs_with_batch_normalisation_and_dropout_through_run_and_analyse(
    table, tmp_path, capfd
):
    line = (
        TWO_INPUTS,
        f"--data={table}",
        f"--logdir={tmp_path}",
        "--run_name=own",
        "--cipher=identity_INSECURE",
        "--significance=random,label_sensitivity",
        "--encryption_ratios=0.5",
        "--rounds=1",
        "--num_clients=2",
        "--client_examples=16",
        "--client_batch_size=8",
        "--local_epochs=2",
        "--num_images=1",
        "--attacks=dlg",
        "--attack_batch_size=2",
        "--attack_iterations=10",
        "--attack_restarts=1",
        "--attack_public_images=0",
        "--aggregate_clients=0",
    )
    assert executed(*line, "--dry_run")[0] == 0
    rehearsed = capfd.readouterr().out
    assert "111 parameters and 12 statistics" in rehearsed
    assert "62 of 123 hidden" in rehearsed
    assert not list(tmp_path.iterdir())

    assert executed(*line) == (0, "")
    shown = capfd.readouterr().out
    assert "racy %" in shown
    found = results.load(tmp_path / "own")
    rounds = [record for record in found if isinstance(record, RoundRecord)]
    attacks = [record for record in found if isinstance(record, AttackRecord)]
    assert len(rounds) == 3
    assert {record.parameters for record in rounds} == {123}
    # Statistics are hidden with a fixed mask, which has scored weights alone.
    hidden = {record.cell.metric: record.hidden for record in rounds}
    assert hidden == {"plain": 0, "random": 62, "label_sensitivity": 56 + 12}
    # Later rounds drop out other units: the seed depends on the bits of the weights.
    losses = [record.measures["loss"] for record in rounds if record.round == 1]
    assert np.ptp(losses) < 1e-4 * max(losses)
    assert all(record.details.get("saturated", 0) == 0 for record in rounds)
    # Two metrics, two attackers, two examples of five numbers.
    assert [record.status for record in attacks] == ["ok"] * 2 * 2 * 2
    assert all(len(record.details["feature_errors"]) == 5 for record in attacks)
    assert all(len(record.details["columns_read"]) == 5 for record in attacks)
    assert all("ssim" not in record.measures for record in attacks)
    # What makes the model look protected without a mask is said first.
    assert shown.index("not given the clients' draws") < shown.index("racy %")
    assert "with the statistics of their batch" in shown
    assert "its loss was taken to be sparse_categorical_crossentropy" in shown
    assert not list((tmp_path / "own" / "figures").glob("reconstruction*"))
    facts = json.loads((tmp_path / "own" / "config.json").read_text())["facts"]
    assert facts["loss"] == "sparse_categorical_crossentropy"
    assert facts["training_mode"] and facts["value_range_from"] == "data"

    line = (
        TWO_INPUTS,
        f"--data={table}",
        f"--logdir={tmp_path}",
        "--run_name=analysis",
        "--significance=random",
        "--encryption_ratios=0,0.5",
        "--num_images=1",
        "--attack_batch_size=2",
    )
    output = io.StringIO()
    assert analyse.execute(read(Options, *line), ["analyse", *line], output) == 0
    assert f"of {2 * 5}" in output.getvalue()
    assert (tmp_path / "analysis" / "analysis.csv").stat().st_size > 0


@pytest.mark.slow
def test_one_event_of_a_table_by_its_own_clients(patients, tmp_path, capfd):
    """Its weights come from a file; too low a bound shows in the table."""
    line = (
        f"--model={MODELS}:binary",
        f"--data={patients}",
        "--label_column=sick",
        "--client_column=site",
        "--split=clients",
        f"--logdir={tmp_path}",
        "--run_name=own",
        "--cipher=identity_INSECURE",
        "--client_optimizer=sgd",
        "--client_learning_rate=1",
        "--server_optimizer=sgdm",
        "--significance=random",
        "--encryption_ratios=1",
        "--rounds=3",
        "--num_clients=3",
        "--client_examples=26",
        "--local_epochs=4",
        "--num_images=0",
        "--aggregate_clients=0",
        "--attack_public_images=0",
    )
    assert executed(*line) == (0, "")
    shown = capfd.readouterr().out
    assert "racy %" in shown and "Warning" not in shown
    found = results.load(tmp_path / "own")
    plain, hidden = (record for record in found if record.round == 3)
    assert plain.accuracy == hidden.accuracy > 0.8
    assert hidden.details["saturated"] == 0

    low = (*line, "--run_name=low", "--codec_bound=0.01")
    assert executed(*low) == (0, "")
    shown = " ".join(capfd.readouterr().out.split())
    assert "rated %" in shown and "Raise `--codec_bound`" in shown


@pytest.mark.long
def test_weights_that_have_learned_through_run_and_analyse(
    tmp_path, monkeypatch, capfd
):
    """Batch statistics, two pictures and local steps, beside a training of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = made_up.pictures(count=60)
    path = tmp_path / "pictures.npz"
    np.savez(path, x=made.examples, y=made.labels)
    shared = (
        f"--model={MODELS}:normalised",
        f"--data={path}",
        "--weights_after_rounds=2",
        "--num_clients=2",
        "--client_examples=8",
        "--client_batch_size=4",
        "--local_epochs=1",
        "--significance=random",
        "--encryption_ratios=0.5",
        "--num_images=1",
        "--attack_batch_size=2",
    )
    line = (
        *shared,
        f"--logdir={tmp_path}",
        "--run_name=own",
        "--cipher=identity_INSECURE",
        "--rounds=2",
        "--attacks=dlg,completion",
        "--attackers=mask_aware",
        "--attack_local_epochs=2",
        "--attack_iterations=2",
        "--attack_restarts=1",
        "--attack_public_images=5",
        "--aggregate_clients=0",
    )
    status, errors = executed(*line)
    assert status == 2 and "--attacks=completion" in errors
    line = [one.replace("dlg,completion", "dlg") for one in line]
    assert executed(*line, "--dry_run")[0] == 0
    assert "not trained yet" in capfd.readouterr().out
    status, errors = executed(*line)
    assert status == 0 and "2/2 done" in errors
    shown = " ".join(capfd.readouterr().out.split())
    assert (
        "normalised, after 2 rounds" in shown and "Attacked weights: after 2" in shown
    )
    found = results.load(tmp_path / "own")
    attacks = [record for record in found if isinstance(record, AttackRecord)]
    assert {record.weights_after_rounds for record in attacks} == {2}
    facts = json.loads((tmp_path / "own" / "config.json").read_text())["facts"]
    # The plain training of the same run passes through these weights.
    (plain,) = (
        record
        for record in found
        if isinstance(record, RoundRecord)
        and (record.cell.metric, record.round) == ("plain", 2)
    )
    measured = facts["attacked_weights_test"]
    assert measured["loss"] == pytest.approx(plain.measures["loss"], abs=1e-3)

    line = (*shared, f"--logdir={tmp_path}", "--run_name=analysis")
    errors = io.StringIO()
    asked = read(Options, *line)
    assert analyse.execute(asked, ["analyse", *line], io.StringIO(), errors) == 0
    assert "training the attacked weights" not in errors.getvalue()
    text = (tmp_path / "analysis" / "analysis.md").read_text()
    assert "after 2 rounds" in text and "dct" in text
    stored = json.loads((tmp_path / "analysis" / "config.json").read_text())["facts"]
    assert stored["attacked_weights_sha256"] == facts["attacked_weights_sha256"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((f"--model={MODELS}:nothing",), "has no attribute 'nothing'"),
        (("--model=no.such:thing",), "there is no 'no'"),
        ((f"--model={MODELS}:fails",), "raised RuntimeError: no such file of voc"),
        ((f"--model={MODELS}:keras.layers.Dense",), "--model"),
        ((TWO_INPUTS, "--loss=no_such_loss"), "name of a Keras loss"),
        (("--split=clients", f"--model={MODELS}:two_inputs"), "--client_column"),
        ((TWO_INPUTS, "--client_examples=500"), "--client_examples"),
        ((TWO_INPUTS, "--weights={weights}"), "--weights"),
    ],
)
def test_what_does_not_go_together_is_a_sentence_before_any_folder(
    table, tmp_path, arguments, message
):
    weights = tmp_path / "other.npz"
    np.savez(weights, np.zeros([2, 2]))
    line = [one.format(weights=weights) for one in arguments]
    logdir = tmp_path / "runs"
    status, errors = executed(f"--data={table}", f"--logdir={logdir}", *line)
    assert status == 2
    assert message in errors
    assert not logdir.exists()


def test_weights_that_are_not_finite_are_a_sentence_before_any_folder(
    patients, tmp_path
):
    line = [f"--data={patients}", "--label_column=sick", "--client_column=site"]
    model = f"--model={MODELS}:diverged"
    status, errors = executed(model, *line, f"--logdir={tmp_path / 'runs'}")
    assert status == 2
    assert "NaN or infinite numbers are in 1 of its 2 tensors, 'binary/" in errors
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
@pytest.mark.parametrize("what", ["training", "attack"])
def test_updates_that_are_not_finite_are_a_sentence(patients, tmp_path, capfd, what):
    line = (
        f"--model={MODELS}:enormous",
        f"--data={patients}",
        "--label_column=sick",
        "--client_column=site",
        f"--logdir={tmp_path}",
        "--run_name=own",
        "--cipher=identity_INSECURE",
        "--significance=random",
        "--encryption_ratios=1",
        f"--rounds={int(what == 'training')}",
        "--num_clients=2",
        "--client_examples=20",
        f"--num_images={int(what == 'attack')}",
        "--attacks=dlg",
        "--aggregate_clients=0",
    )
    status, errors = executed(*line)
    assert (status, errors) == (2, "")
    shown = capfd.readouterr().out
    assert "The cohort is empty" in shown and "look at the weights" in shown
