"""A study of sentences from flags to records, table and TensorBoard."""

import csv
import io

import pytest
import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator

from experiments.modalities import catalog
from experiments.modalities.text import loading
from experiments.outputs import environment, results, run_directory
from experiments.outputs.records import AttackRecord, RoundRecord
from experiments.study import dry_run, inputs, publishing, rules, running
from tests.experiments.command import parse
from tests.experiments.modalities.text import made_up

BERT = ("--model=bert_tiny_random", "--max_tokens=10")


def studied(tmp_path, monkeypatch, *more):
    """Runs a study: its settings, its inputs, its folder, and what it showed."""
    monkeypatch.setattr(loading.catalog, "load", lambda *_: made_up.sentences())
    monkeypatch.setattr(loading.models, "load", made_up.model)
    settings = parse(
        "--dataset=vader_movies",
        "--significance=random",
        "--cipher=identity_INSECURE",
        "--attack_restarts=1",
        f"--logdir={tmp_path}",
        *more,
    )
    rules.check(settings)
    stream = io.StringIO()
    modality = catalog.of(settings)
    loaded = inputs.load(settings, modality, stream)
    config = run_directory.RunConfig({}, (), (loaded.dataset.name,), {"run": 0})
    described = environment.describe()
    folder = run_directory.open_run(tmp_path, "text", config, described, ["run"])
    running.run(settings, loaded, folder, stream)
    notes = publishing.Notes("Masks.", loaded.weights_note)
    publishing.everything(folder.path, loaded.dataset, notes, modality)
    publishing.summary(folder.path, loaded.dataset, notes, modality, stream)
    return settings, loaded, folder.path, stream.getvalue()


def attacked(folder):
    found = [one for one in results.load(folder) if isinstance(one, AttackRecord)]
    assert {one.modality for one in found} == {"text"}
    return found


def text_of(folder, part):
    """The only text of TensorBoard whose title has a part."""
    read = event_accumulator.EventAccumulator(str(folder / "tb" / "report"))
    read.Reload()
    (title,) = [one for one in read.Tags()["tensors"] if part in one]
    return tf.make_ndarray(read.Tensors(title)[0].tensor_proto).item().decode()


@pytest.mark.slow
@pytest.mark.long
def test_from_flags_to_records_table_and_tensorboard(tmp_path, monkeypatch):
    """By the quickest attack: the tokens, not their order."""
    _, loaded, folder, shown = studied(
        tmp_path,
        monkeypatch,
        *BERT,
        "--rounds=0",
        "--aggregate_clients=0",
        "--num_images=1",
        "--attack_public_images=0",
        "--attacks=bag_of_words",
        "--attackers=mask_aware",
        "--encryption_ratios=0",
    )
    (bag,) = attacked(folder)
    assert bag.measures["bag_recall"] == 1.0 > bag.measures["token_accuracy"]
    assert bag.label == loaded.dataset.labels[bag.image_index]
    assert bag.label_correct and bag.recovered_label == bag.label
    with (folder / "summary.csv").open() as file:
        (nothing_hidden,) = csv.DictReader(file)
    assert float(nothing_hidden["bag_recall_best_median"]) == 1.0
    assert nothing_hidden["exact_rate"] == "0.0"
    assert "ROUGE-1" in shown and "PSNR" not in shown
    assert "Weights: random" in shown and "Look at the sentences" in shown
    original = spelt(loaded, bag)
    line = next(one for one in shown.splitlines() if "bag_of_words mask_aware" in one)
    assert original in line and "~" in line
    text = text_of(folder, "sentences/made-up")
    assert f"| {original} |" in text and "<em>" in text


def spelt(loaded, record):
    """The original as the model has it."""
    row = loaded.dataset.examples[record.image_index]
    return loaded.dataset.vocabulary.join([one for one in row if one > 3]).strip()


@pytest.mark.slow
def test_a_sentence_is_recovered(tmp_path, monkeypatch):
    settings, loaded, folder, _ = studied(
        tmp_path,
        monkeypatch,
        *BERT,
        "--rounds=0",
        "--aggregate_clients=0",
        "--num_images=1",
        "--attack_public_images=0",
        "--attacks=dager,strongest",
        "--attackers=mask_aware",
        "--encryption_ratios=0,1",
    )
    found = {(one.attack, one.hidden_share): one for one in attacked(folder)}
    for name in ("dager", "strongest"):
        exact, hidden = found[name, 0.0], found[name, 1.0]
        assert exact.measures["exact"] and exact.measures["rouge1"] == 1.0
        assert hidden.status == "does_not_apply" and hidden.measures == {}
    assert found["strongest", 0.0].chosen == "dager"
    original = spelt(loaded, found["dager", 0.0])
    text = text_of(folder, "sentences/made-up")
    assert f"| {original} | {original} |" in text and "does not apply: " in text
    lines = "\n".join(dry_run.report(settings, loaded))
    assert "Attack dager: fits task and flags; the rest its run says." in lines
    assert "Metric random: applies." in lines
    assert "sentences were longer and lost their end" in lines


@pytest.mark.parametrize(
    "model",
    [
        pytest.param("bert_tiny_random", marks=pytest.mark.slow),
        pytest.param("gpt2_tiny_random", marks=pytest.mark.long),
    ],
)
def test_with_training_an_aggregate_and_learned_weights(tmp_path, monkeypatch, model):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    _, _, folder, shown = studied(
        tmp_path,
        monkeypatch,
        f"--model={model}",
        "--max_tokens=10",
        "--rounds=1",
        "--num_clients=2",
        "--client_examples=2",
        "--test_examples=2",
        "--local_epochs=1",
        "--weights_after_rounds=1",
        "--aggregate_clients=2",
        "--num_images=0",
        "--attack_public_images=0",
        "--attacks=dager",
        "--encryption_ratios=0.1",
    )
    rounds = [one for one in results.load(folder) if isinstance(one, RoundRecord)]
    assert {one.cell.metric for one in rounds} == {"plain", "random"}
    assert all(one.loss > 0 for one in rounds)
    # So many tokens of two sentences are more than the width of 16 has room for.
    assert {one.target for one in attacked(folder)} == {"aggregate"}
    assert all(one.status == "ok" or one.reason for one in attacked(folder))
    assert "after 1 round" in shown and "Weights: random" in shown
