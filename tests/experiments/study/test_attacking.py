"""Every attack by the names that flags give them, on views of real rounds."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from attacks import catalog as attack_catalog
from experiments import run
from experiments.data import dataset as dataset_lib
from experiments.outputs import results
from experiments.study import attack_views, attacking, encryption, tasks
from experiments.study import recorder as recorder_lib
from experiments.study.settings import SettingsError
from federated import runtime
from selenc_tf import catalog
from selenc_tf.models import local_steps
from tests.experiments.command import execute, parse

SHAPE, CLASSES = (8, 8, 1), 3


def made_up(count=60):
    """Random pictures of few pixels and three classes, one after the other."""
    rng = np.random.default_rng(0)
    return dataset_lib.Dataset(
        name="made-up",
        images=rng.uniform(0.1, 0.9, (count, *SHAPE)).astype(np.float32),
        labels=(np.arange(count) % CLASSES).astype(np.int32),
        num_classes=CLASSES,
        source="random",
        licence="none",
        citation="none",
        note="Random pictures.",
    )


@pytest.mark.parametrize(
    ("flags", "advice"),
    [
        (("--attacks=idlg", "--attack_batch_size=2"), "--attacks=dlg"),
        (("--attacks=completion", "--attackers=naive"), "--attackers=mask_aware"),
        (("--attacks=retrieval", "--attack_public_images=0"), "Set it to 500"),
        (("--attacks=multi_round",), "--attack_rounds"),
        (("--attacks=cohort", "--cohort_clients=1"), "--cohort_clients"),
        (
            ("--attacks=inverting_gradients", "--attack_local_epochs=2"),
            "--attack_local_epochs",
        ),
    ],
)
def test_what_does_not_go_together(flags, advice):
    with pytest.raises(SettingsError) as found:
        attacking.check(parse(*flags))
    assert advice in str(found.value)


def test_what_goes_together():
    attacking.check(parse("--attacks=idlg,completion,retrieval,cohort"))
    attacking.check(parse("--attacks=multi_round", "--attack_rounds=2"))
    attacking.check(parse("--attacks=dlg", "--attack_local_epochs=3"))


def test_tasks_are_listed_once_and_cell_by_cell():
    settings = parse(
        "--attacks=idlg,completion,cohort",
        "--significance=random",
        "--encryption_ratios=0,0.5",
        "--num_images=2",
        "--cohort_clients=3",
        "--aggregate_clients=2",
    )
    assert tasks.pictures_needed(settings.attack) == 3
    listed = tasks.tasks(settings, "made-up", (7, 8, 9))
    kinds = [(task.method, task.attacker, task.target, task.rows) for task in listed]
    of_a_client = [
        ("idlg", "naive", "client"),
        ("idlg", "mask_aware", "client"),
        ("completion", "mask_aware", "client"),
    ]
    one_ratio = [(*kind, rows) for rows in ((7,), (8,)) for kind in of_a_client]
    assert kinds == [
        *one_ratio,
        *one_ratio,
        *[("cohort", "mask_aware", "cohort", (7, 8, 9))] * 2,
        ("dlg", "mask_aware", "aggregate", (7, 8)),
    ]
    assert len({task.keys() for task in listed}) == len(listed)


@pytest.fixture
def observe():
    """Runs the rounds of a study and gives the views of the first pictures."""

    def views_of(rounds_of, *flags):
        settings = parse("--cipher=identity_INSECURE", *flags)
        model = catalog.model("lenet", SHAPE, CLASSES, 0)
        recorder = recorder_lib.Recorder()
        runtime.install(observers=(recorder,))
        with encryption.fresh_keys(settings) as lattices:
            rounds = attack_views.Rounds(
                model=model,
                settings=settings,
                dataset=made_up(),
                other_rows=tuple(range(20, 60)),
                lattice=lattices.study,
                scores=lattices.scores,
                recorder=recorder,
            )
            rows = tuple(range(tasks.pictures_needed(settings.attack)))
            return model, rounds_of(rounds)(rows)

    return views_of


@pytest.mark.parametrize(
    ("metric", "changes"), [("random", False), ("magnitude", True)]
)
def test_rounds_with_the_same_pictures(observe, metric, changes):
    _, views = observe(
        lambda rounds: attack_views.of_messages(rounds, metric, 0.4),
        "--attack_rounds=3",
        "--num_images=1",
        "--aggregate_clients=0",
    )
    assert len(views) == 3
    assert np.array_equal(views[0].mask, views[1].mask) != changes
    assert views[0].mask.sum() == views[1].mask.sum()
    for one, two in itertools.pairwise(views):
        assert not np.array_equal(one.weights[0], two.weights[0])
        assert len(two.messages) == 1 and two.aggregate is None


def test_a_message_of_local_training(observe):
    flags = (
        "--attack_local_epochs=2",
        "--attack_local_batch_size=2",
        "--attack_local_learning_rate=0.1",
        "--attack_batch_size=3",
        "--num_images=1",
        "--aggregate_clients=0",
    )
    model, (view,) = observe(
        lambda rounds: attack_views.of_messages(rounds, "random", 0.0), *flags
    )
    pictures = made_up()
    expected = local_steps.update(
        model,
        model.initial_weights,
        tf.constant(pictures.images[:3]),
        tf.one_hot(pictures.labels[:3], CLASSES),
        local_steps.LocalTraining(0.1, epochs=2, batch_size=2),
    )
    np.testing.assert_allclose(
        view.messages[0].plain, expected.numpy(), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("agreement", ["previous_aggregate", "score_sum"])
def test_a_cohort(observe, agreement):
    _, (view,) = observe(
        lambda rounds: attack_views.of_a_cohort(rounds, "magnitude", 0.3),
        "--attacks=cohort",
        "--cohort_clients=3",
        "--num_images=0",
        "--aggregate_clients=0",
        f"--mask_agreement={agreement}",
    )
    assert len(view.messages) == 3
    assert view.mask.mean() == pytest.approx(0.3, abs=1e-3)
    assert view.aggregate is not None
    visible = np.mean([message.plain for message in view.messages], axis=0)
    np.testing.assert_allclose(view.aggregate[~view.mask], visible, atol=1e-5)
    # The published hidden part is what the mask chose: larger than what it left.
    hidden = np.abs(view.aggregate[view.mask])
    assert np.median(hidden) > np.median(np.abs(visible))


@pytest.mark.slow
def test_every_attack_runs_by_flag(tmp_path, monkeypatch):
    monkeypatch.setattr(run.data_catalog, "load", lambda *_: made_up())
    status, errors = execute(
        tmp_path,
        f"--attacks={','.join(attack_catalog.ATTACKS)}",
        "--attackers=naive,mask_aware",
        "--significance=magnitude",
        "--encryption_ratios=0.5",
        "--rounds=0",
        "--num_images=1",
        "--aggregate_clients=0",
        "--cohort_clients=2",
        "--attack_rounds=2",
        "--attack_public_images=40",
        "--attack_iterations=20",
    )
    assert status == 0, errors
    records = results.load(tmp_path / "tiny")
    found = {(record.attack, record.attacker) for record in records}
    expected = {
        (method, mode)
        for method, entry in attack_catalog.ATTACKS.items()
        for mode in entry.modes
    }
    assert found == expected
