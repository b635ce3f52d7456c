"""What becomes of an attack on a view: a measurement, or a reason."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from attacks import knowledge
from attacks.programs import Programs
from experiments.modalities.pictures.modality import PICTURES as MODALITY
from experiments.outputs import blind, labels, results
from experiments.study import attacking, leakage, tasks
from experiments.study import views as study_views
from federated import views
from selenc_tf.models import functional, mlp
from tests.experiments import made_up
from tests.experiments.command import parse

PICTURES = made_up.pictures()
ROW = 4


@pytest.fixture(scope="module")
def model():
    return mlp.mlp((4, 4, 1), 3, 0, hidden=(4,), activation="sigmoid")


@pytest.fixture(scope="module")
def seen(model):
    """The view of one picture's message, a third of it hidden."""
    gradient = functional.gradient(
        model,
        model.initial_weights,
        tf.constant(PICTURES.examples[[ROW]]),
        tf.one_hot(PICTURES.labels[[ROW]], 3),
    ).numpy()
    mask = np.arange(model.spec.size) % 3 == 0
    message = views.ClientMessage(gradient[~mask], b"ciphertext", 1.0)
    weights = tuple(tensor.numpy() for tensor in model.initial_weights)
    return views.ServerView(weights, mask, (message,), None)


@pytest.fixture
def run(model, seen, monkeypatch):
    """Attacks the view by the names that flags give, without running a round."""
    monkeypatch.setattr(study_views, "of_messages", lambda *_: lambda rows: (seen,))

    def results_of(*methods):
        settings = parse(
            f"--attacks={','.join(methods)}",
            "--attackers=mask_aware",
            "--significance=random",
            "--encryption_ratios=0.3",
            "--num_images=1",
            "--aggregate_clients=0",
            "--attack_iterations=20",
            "--attack_restarts=1",
        )
        attackers = attacking.Attackers(
            MODALITY, model, settings.attack, None, Programs()
        )
        rounds = study_views.Rounds(*[None] * len(study_views.Rounds._fields))._replace(
            modality=MODALITY, model=model, dataset=PICTURES
        )
        study = leakage.Study(attackers, rounds, 0, 0, lambda *_: None)
        listed = tasks.tasks(
            settings.attack, settings.masks, settings, "made-up", (ROW,), MODALITY
        )
        return [found for _, (found,) in leakage.run(study, listed)]

    return results_of


def raises(monkeypatch, error):
    def attack(view, known, seed):
        raise error

    monkeypatch.setattr(attacking, "build", lambda *_: attack)


def test_an_attack_with_a_result(run, model):
    (found,) = run("completion")
    record = found.record
    assert record.status == "ok" and record.reason == ""
    assert record.image_index == ROW and record.measures["psnr_db"] > 40
    assert found.example.shape == (4, 4, 1)
    assert record.cell.encryption_ratio == 0.3
    assert (
        record.hidden_share
        == record.hidden / model.spec.size
        == pytest.approx(1 / 3, abs=0.01)
    )
    assert record.chosen is None and record.members == ()


def test_what_does_not_apply_is_recorded_once(run, tmp_path):
    """With its reason and no number; a run that goes on does not do it again."""
    (found,) = run("multi_round")
    record = found.record
    assert found.example is None
    assert record.status == "does_not_apply" and "earlier" in record.reason
    assert record.measures == {} and record.objective is None
    with results.ResultsWriter(tmp_path) as writer:
        writer.write(record)
    assert results.load(tmp_path) == (record,)
    assert record.key in results.finished_keys(tmp_path)


def test_a_failure_is_recorded_and_tried_again(run, tmp_path, monkeypatch):
    raises(monkeypatch, FloatingPointError("overflow"))
    (found,) = run("completion")
    record = found.record
    assert (record.status, record.measures) == ("failed", {})
    assert record.reason == "FloatingPointError: overflow"
    with results.ResultsWriter(tmp_path) as writer:
        writer.write(record)
        assert results.finished_keys(tmp_path) == frozenset()
        measures = {"psnr_db": 30.0}
        again = dataclasses.replace(record, status="ok", reason="", measures=measures)
        writer.write(again)
    assert results.load(tmp_path) == (again,)
    assert again.key in results.finished_keys(tmp_path)


@pytest.mark.parametrize("kind", [TypeError, AttributeError, KeyError])
def test_a_mistake_in_the_code_ends_the_study(run, monkeypatch, kind):
    raises(monkeypatch, kind("x"))
    with pytest.raises(kind):
        run("completion")


def test_the_strongest_has_every_members_own_result(run, tmp_path):
    completion, strongest = (found.record for found in run("completion", "strongest"))
    by_name = {member.name: member for member in strongest.members}
    assert strongest.chosen in by_name and strongest.chosen_by == "criterion"
    own = by_name[strongest.chosen]
    assert strongest.number("psnr_db") == own.measures["psnr_db"]
    assert strongest.number("psnr_db") >= completion.number("psnr_db")
    assert own.stop == strongest.details["stop"] and own.iterations >= 0
    assert own.label_correct is strongest.label_correct is not None
    assert own.label_source == strongest.details["label_source"]
    assert own.rehearsal is None and own.visible_error == pytest.approx(0, abs=1e-6)
    # What did not run because another was exact has no number.
    later = by_name["completion"]
    assert later.measures == {} and strongest.chosen in later.reason
    with results.ResultsWriter(tmp_path) as writer:
        writer.write(strongest)
    (back,) = results.load(tmp_path)
    # `repr` because the structural similarity of so small a picture is NaN.
    assert repr(back) == repr(strongest)


def test_a_blind_guess_of_each_example_is_beside_every_attack(run):
    """By the measure of attacks, from what is declared alone."""
    found = [one.record for one in run("completion", "multi_round")]
    assert [record.status for record in found] == ["ok", "does_not_apply"]
    grey = np.full_like(PICTURES.examples[ROW], 0.5)
    error = np.mean((PICTURES.examples[ROW] - grey) ** 2)
    for record in found:
        reached = blind.value(record, "psnr_db")
        assert reached == pytest.approx(-10 * np.log10(error))
        assert blind.made_of([record]).startswith("the middle of the range")
        assert not blind.shows_nothing(record)
        # Pictures of 4x4 pixels have no SSIM.
        assert blind.chance(record, "identified") in (0.0, 1.0)
        assert np.isnan(blind.chance(record, "ssim"))


def test_whether_anything_is_visible_and_among_how_many_classes_is_on_record(run, seen):
    (found,) = run("completion")
    assert found.record.details["shows_something"] is True
    assert found.record.details["classes"] == 3
    # Without public examples nothing is known of which class is the most frequent.
    assert "label_guess" not in found.record.details
    assert labels.details([0, 1, 1, 2]) == {"label_guess": 0.5}
    nothing = seen.messages[0]._replace(plain=np.zeros([0], np.float32))
    hidden = seen._replace(messages=(nothing,), mask=np.ones_like(seen.mask))
    assert not study_views.shows_something(hidden)
    # Which entries are zero tells something, too.
    zero = seen.messages[0]._replace(plain=np.zeros([4], np.float32))
    assert study_views.shows_something(seen._replace(messages=(zero,)))
    published = hidden._replace(aggregate=np.zeros([4], np.float32))
    assert study_views.shows_something(published)


def test_knowledge_is_what_is_declared(model):
    settings = parse("--labels_known", "--attack_local_epochs=2")
    attackers = attacking.attackers(MODALITY, model, settings.attack, PICTURES, (0, 1))
    known = attacking.knowledge(attackers, np.array([2]), ())
    assert isinstance(known, knowledge.Knowledge)
    assert known.labels == (2,) and known.local_training.epochs == 2
    np.testing.assert_array_equal(known.public_examples.examples, PICTURES.examples[:2])
    hidden = attacking.attackers(MODALITY, model, parse().attack, PICTURES, ())
    known = attacking.knowledge(hidden, np.array([2]), ())
    assert (known.labels, known.public_examples) == (None, None)


def test_a_message_of_zeros_is_marked_where_nothing_is_hidden(run, seen, monkeypatch):
    """Visible zeros of a part are no such message: the rest may say something."""

    def marked(view):
        monkeypatch.setattr(study_views, "of_messages", lambda *_: lambda rows: (view,))
        (found,) = run("idlg")
        return found.record.details.get("gradient_is_zero", False)

    def message(size):
        return (views.ClientMessage(np.zeros([size], np.float32), b"", 1.0),)

    size = len(seen.mask)
    bare = seen._replace(mask=np.zeros([size], bool))
    assert marked(bare._replace(messages=message(size)))
    assert not marked(seen._replace(messages=message(int((~seen.mask).sum()))))
    assert not marked(seen)
