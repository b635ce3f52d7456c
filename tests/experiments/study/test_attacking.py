"""Every attack by the names that flags give them, on views of real rounds."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from attacks import catalog as attack_catalog
from attacks import words
from attacks.catalog import ATTACKS
from experiments.modalities.pictures import loading
from experiments.modalities.pictures.modality import PICTURES as MODALITY
from experiments.outputs import results
from experiments.study import encryption, masking, tasks
from experiments.study import recorder as recorder_lib
from experiments.study import views as views_lib
from federated import runtime, views
from selenc_tf.masks import policy
from selenc_tf.models import local_steps, mlp
from tests.experiments import made_up
from tests.experiments.command import execute, parse

RATIO = 0.4


@pytest.fixture(scope="module")
def model():
    """16 pixels in, three classes out: 643 parameters, none with a gradient of zero."""
    return mlp.mlp((4, 4, 1), 3, 0, hidden=(32,), activation="sigmoid")


def test_tasks_are_listed_once_and_cell_by_cell():
    settings = parse(
        "--attacks=idlg,completion,cohort",
        "--significance=random",
        "--encryption_ratios=0,0.5",
        "--num_images=2",
        "--cohort_clients=3",
        "--aggregate_clients=2",
    )
    assert tasks.examples_needed(settings.attack, ATTACKS) == 3
    listed = tasks.tasks(
        settings.attack, settings.masks, settings, "made-up", (7, 8, 9), MODALITY
    )
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
def observe(model):
    """Runs the rounds of a study and gives the views of the first pictures."""

    def views_of(rounds_of, *flags):
        settings = parse("--cipher=identity_INSECURE", *flags)
        recorder = recorder_lib.Recorder()
        runtime.install(observers=(recorder,))
        with encryption.fresh_keys(
            settings.encryption, settings.training, settings.attack, weight=1
        ) as lattices:
            rounds = views_lib.Rounds(
                modality=MODALITY,
                model=model,
                asked=settings.attack,
                masking=masking.of_run(settings),
                encryption=settings.encryption,
                min_clients=settings.training.min_clients,
                dataset=made_up.pictures(),
                other_rows=tuple(range(6, 12)),
                lattice=lattices.study,
                cohorts=lattices.cohorts,
                scores=lattices.scores,
                recorder=recorder,
            )
            rows = tuple(range(tasks.examples_needed(settings.attack, ATTACKS)))
            return rounds_of(rounds)(rows)

    return views_of


@pytest.mark.slow
@pytest.mark.parametrize(
    ("metric", "changes"), [("random", False), ("magnitude", True)]
)
def test_rounds_with_the_same_pictures(observe, metric, changes):
    views = observe(
        lambda rounds: views_lib.of_messages(rounds, metric, RATIO),
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


@pytest.mark.slow
def test_messages_of_local_training(observe, model):
    """Whose random mask stays."""
    flags = (
        "--attack_rounds=2",
        "--attack_local_epochs=2",
        "--attack_local_batch_size=2",
        "--attack_local_learning_rate=0.1",
        "--attack_batch_size=3",
        "--num_images=1",
        "--aggregate_clients=0",
    )
    view, later = observe(
        lambda rounds: views_lib.of_messages(rounds, "random", RATIO), *flags
    )
    pictures = made_up.pictures()
    expected = local_steps.update(
        model,
        model.initial_weights,
        tf.constant(pictures.examples[:3]),
        tf.one_hot(pictures.labels[:3], 3),
        local_steps.LocalTraining(0.1, epochs=2, batch_size=2),
    )
    np.testing.assert_allclose(
        view.messages[0].plain, expected.numpy()[~view.mask], rtol=1e-4, atol=1e-6
    )
    assert view.mask.sum() == policy.hidden_count(RATIO, len(view.mask))
    np.testing.assert_array_equal(view.mask, later.mask)
    assert not np.array_equal(view.weights[0], later.weights[0])
    assert len(later.messages) == 1 and later.aggregate is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "agreement",
    [pytest.param("previous_aggregate", marks=pytest.mark.long), "score_sum"],
)
def test_a_cohort(observe, agreement):
    (view,) = observe(
        lambda rounds: views_lib.of_a_cohort(rounds, "magnitude", RATIO),
        "--attacks=cohort",
        "--cohort_clients=3",
        "--num_images=0",
        "--aggregate_clients=0",
        "--attack_batch_size=2",
        f"--mask_agreement={agreement}",
    )
    assert len(view.messages) == 3
    assert view.mask.sum() == policy.hidden_count(RATIO, len(view.mask))
    assert view.aggregate is not None
    # Clients send sums over their two pictures.
    each = [views.visible_gradient(view, client, 2) for client in range(3)]
    visible = np.mean(each, axis=0)[~view.mask]
    np.testing.assert_allclose(view.aggregate[~view.mask], visible, atol=1e-5)
    # The published hidden part is what the mask chose: larger than what it left.
    hidden = np.abs(view.aggregate[view.mask])
    assert np.median(hidden) > np.median(np.abs(visible))


@pytest.mark.slow
def test_every_attack_runs_by_flag(tmp_path, monkeypatch):
    pictures = made_up.pictures((8, 8, 1), 60)
    monkeypatch.setattr(loading.data_catalog, "load", lambda *_: pictures)
    of_pictures = {
        name: entry
        for name, entry in attack_catalog.ATTACKS.items()
        if entry.inputs in (words.NUMBERS, words.PICTURES)
    }
    status, errors = execute(
        tmp_path,
        f"--attacks={','.join(of_pictures)}",
        "--attackers=mask_aware",
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
    # Naive ones are like these, and in the conformance tests.
    expected = {
        (method, "mask_aware")
        for method, entry in of_pictures.items()
        if "mask_aware" in entry.modes
    }
    assert found == expected
