"""A modality is a folder: one that nothing of ours knows goes through a whole study."""

import csv
import io
import json

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator

from attacks import catalog as attack_catalog
from attacks import knowledge
from experiments.modalities import catalog
from experiments.outputs import environment, files, results, run_directory
from experiments.outputs.records import AttackRecord, RoundRecord
from experiments.study import dry_run, inputs, publishing, running
from tests.attacks import conformance, victims
from tests.experiments.command import parse
from tests.experiments.modalities.tunes import attacks, model
from tests.experiments.modalities.tunes.modality import OFFERS

OFFERED = {**catalog.MODALITIES, **OFFERS}


def studied(tmp_path, *more):
    """Runs a study of tunes: its inputs, its folder, and what it showed."""
    settings = parse(
        "--dataset=tunes",
        "--model=tune_model",
        "--attacks=table_rows,usual_notes,strongest",
        "--labels_known",
        "--significance=random",
        "--encryption_ratios=0,1",
        "--cipher=identity_INSECURE",
        "--num_images=2",
        "--attack_public_images=20",
        f"--logdir={tmp_path}",
        *more,
    )
    stream = io.StringIO()
    modality = catalog.of(settings, OFFERED)
    loaded = inputs.load(settings, modality, stream)
    config = run_directory.RunConfig({}, (), (loaded.dataset.name,), {"run": 0})
    described = environment.describe()
    folder = run_directory.open_run(tmp_path, "tunes", config, described, ["run"])
    running.run(settings, loaded, folder, stream)
    notes = publishing.Notes("Masks.")
    publishing.everything(folder.path, loaded.dataset, notes, modality)
    publishing.summary(folder.path, loaded.dataset, notes, modality, stream)
    return settings, loaded, folder.path, stream.getvalue()


def events(folder):
    read = event_accumulator.EventAccumulator(str(folder))
    read.Reload()
    return read


def check_attacks(folder):
    """Attacks by name and ratio, on two tunes each."""
    found = [one for one in results.load(folder) if isinstance(one, AttackRecord)]
    of = {}
    for record in found:
        if record.target == "client":
            place = (record.attack, record.cell.encryption_ratio)
            of.setdefault(place, []).append(record)
    assert {record.modality for record in found} == {"tunes"}
    for record in (*of["table_rows", 0.0], *of["strongest", 0.0]):
        assert record.measures == {"notes_found": 1.0, "whole": True}
    for record in of["table_rows", 1.0]:
        assert record.status == "does_not_apply" and record.measures == {}
    for record in of["strongest", 0.0]:
        # The guess was rehearsed as the other was, on messages made of public tunes.
        rows, usual = record.members
        assert (record.chosen, record.chosen_by) == ("table_rows", "rehearsal")
        assert rows.rehearsal == 1.0 > usual.rehearsal
        assert rows.visible_error > 0
    assert {record.chosen for record in of["strongest", 1.0]} == {"usual_notes"}
    line = next(iter(files.read_lines(folder / results.FILE_NAME)))
    assert "psnr_db" not in json.dumps(line)


@pytest.mark.slow
def test_from_flags_to_records_table_and_tensorboard(tmp_path):
    settings, loaded, folder, shown = studied(
        tmp_path, "--rounds=0", "--aggregate_clients=0"
    )
    check_attacks(folder)
    assert "Notes" in shown and "PSNR" not in shown
    assert (
        "share of a tune's notes" in shown and "Look at the tunes and curves" in shown
    )
    with (folder / "summary.csv").open() as file:
        nothing_hidden, _ = csv.DictReader(file)
    assert float(nothing_hidden["notes_best_median"]) == 1.0
    assert nothing_hidden["whole_rate"] == "1.0"
    assert not [name for name in nothing_hidden if "psnr" in name]
    trial = events(folder / "tb" / "cells" / "random_0")
    (point,) = trial.Tensors("metrics/leakage_notes_best")
    assert tf.make_ndarray(point.tensor_proto) == 1.0
    texts = events(folder / "tb" / "report").Tags()["tensors"]
    assert "tunes" in texts and any("over_ratio" in tag for tag in texts)
    lines = "\n".join(dry_run.report(settings, loaded))
    assert (
        "Attack table_rows: fits task and flags; the rest its run says." in lines
        and "Random tunes." in lines
    )


@pytest.mark.slow
@pytest.mark.long
def test_with_training_an_aggregate_and_learned_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    _, _, folder, shown = studied(
        tmp_path,
        "--rounds=1",
        "--num_clients=2",
        "--client_examples=10",
        "--test_examples=10",
        "--weights_after_rounds=1",
        "--aggregate_clients=2",
    )
    found = results.load(folder)
    rounds = [one for one in found if isinstance(one, RoundRecord)]
    assert {one.cell.metric for one in rounds} == {"plain", "random"}
    assert all(one.loss > 0 and 0 <= one.accuracy <= 1 for one in rounds)
    aggregate = [one for one in found if getattr(one, "target", "") == "aggregate"]
    assert {one.status for one in aggregate} == {"does_not_apply"}
    assert "after 1 round" in shown


@pytest.fixture(scope="module")
def tune_model():
    return model.build(0)


def test_attacks_on_other_examples_refuse_in_a_sentence(tune_model):
    of_tunes = knowledge.Knowledge(tune_model, modality=attacks.TUNES)
    for name, entry in attack_catalog.ATTACKS.items():
        if not entry.envelope:
            reason = attack_catalog.why_not(entry, of_tunes)
            assert reason.startswith("`knowledge.model` must take")
            assert reason.endswith("got tunes of shape [6]"), name
    of_pictures = knowledge.Knowledge(victims.tiny_model())
    reason = attack_catalog.why_not(attacks.ATTACKS["table_rows"], of_pictures)
    assert reason == (
        "`knowledge.model` must take tunes for this attack, got pictures of shape [4, 4, 1]"
    )


def test_the_strongest_of_none_does_not_apply(tune_model):
    known = knowledge.Knowledge(tune_model, labels=(0,), modality=attacks.TUNES)
    vector = np.zeros(tune_model.spec.size, np.float32)
    view = victims.view_of(tune_model, [vector])
    with pytest.raises(knowledge.DoesNotApply, match=r"No attack .* takes tunes"):
        attack_catalog.build("strongest")(view, known, (0, 0))


def test_a_model_of_other_examples_needs_its_modality(tune_model):
    with pytest.raises(ValueError, match=r"got a TuneModel: name the `modality`"):
        knowledge.Knowledge(tune_model)
    with pytest.raises(ValueError, match="genres"):
        knowledge.Knowledge(tune_model, labels=(7,), modality=attacks.TUNES)


def test_hidden_notes_are_never_read(tune_model):
    tune = model.tunes().examples[:1]
    vector = attacks.TUNES.message(
        tune_model, tune_model.initial_weights, tune, [0], None
    ).numpy()
    mask = victims.random_mask(tune_model.spec.size, 0.3)
    attack = attack_catalog.build("table_rows", attacks=attacks.ATTACKS)
    known = knowledge.Knowledge(tune_model, labels=(0,), modality=attacks.TUNES)
    found = conformance.check_hidden_entries_are_never_read(
        attack, known, tune_model, [vector], mask
    )
    assert attacks.recall(found.examples[0], tune[0]) > 0
