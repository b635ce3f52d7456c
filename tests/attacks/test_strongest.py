"""The envelope with its rehearsal, on a tiny dense net."""

import dataclasses

import numpy as np
import pytest

from attacks import effort as effort_lib
from attacks import envelope, knowledge, strongest
from attacks.metrics import evaluation
from tests.attacks import victims

SEED = (3, 4)
EFFORT = effort_lib.Effort(restarts=1, max_iterations=60)


@pytest.fixture
def known(tiny_knowledge):
    pictures = victims.tiny_pictures(30, seed=5)
    public = knowledge.PublicPictures(pictures, np.arange(30) % 3)
    return dataclasses.replace(tiny_knowledge, public_pictures=public)


def view_of(tiny, ratio):
    vector = victims.gradient(tiny, victims.tiny_pictures(1), (1,))
    return victims.view_of(tiny, [vector], victims.random_mask(tiny.spec.size, ratio))


def test_members_fit_what_is_known(known):
    def names(**changes):
        made = dataclasses.replace(known, **changes)
        return set(strongest.members(made, 0, EFFORT, None))

    learners = {"imputation", "learned_inverter", "retrieval", "mean_picture"}
    assert names() == {"idlg", "completion", *learners}
    assert names(labels=(1,)) == {"dlg", "completion", *learners}
    assert names(public_pictures=None) == {"idlg", "completion"}
    local = knowledge.LocalTraining(0.1, epochs=2)
    assert names(local_training=local) == {"idlg"}


def test_rehearsal_tells_what_works(tiny, known):
    scores = strongest.rehearse(view_of(tiny, 0.0), known, SEED, EFFORT, None, 1)
    assert scores["completion"] > 60 > 20 > scores["mean_picture"]
    assert scores["idlg"] > scores["retrieval"]
    # The victim's message has no part in it.
    poisoned = view_of(tiny, 0.0)
    message = poisoned.messages[0]._replace(plain=poisoned.messages[0].plain * np.nan)
    again = strongest.rehearse(
        poisoned._replace(messages=(message,)), known, SEED, EFFORT, None, 1
    )
    assert scores == again


def test_too_few_public_pictures_rehearse_nothing(tiny, known):
    few = knowledge.PublicPictures(
        known.public_pictures.images[:4], known.public_pictures.labels[:4]
    )
    made = dataclasses.replace(known, public_pictures=few)
    assert strongest.rehearse(view_of(tiny, 0.0), made, SEED, EFFORT, None, 2) == {}


def test_recovers_where_a_member_does(tiny, known):
    attack = strongest.build_strongest(effort=EFFORT, rehearsals=1)
    found = attack(view_of(tiny, 0.5), known, SEED)
    truth = evaluation.Truth(victims.tiny_pictures(1), np.array([1]))
    (leak,) = evaluation.evaluate(found, truth)
    assert leak.psnr > 60 and leak.label_correct


def test_the_rehearsal_overrules_the_visible_error(tiny, known, monkeypatch):
    """A member that fits exactly is not believed where it failed in the rehearsal."""
    attack = strongest.build_strongest(effort=EFFORT, rehearsals=1)
    view = view_of(tiny, 0.95)
    ran = envelope.strongest(
        strongest.members(known, 0, EFFORT, None), view, known, SEED
    )
    scores = {name: 10.0 for name in ran.members} | {"mean_picture": 11.0}
    monkeypatch.setattr(strongest, "rehearse", lambda *_: scores)
    found = attack(view, known, SEED)
    expected = ran.members["mean_picture"].reconstruction
    np.testing.assert_array_equal(found.images, expected.images)
    assert ran.best_name != "mean_picture"


def test_without_public_pictures_the_visible_error_decides(tiny, tiny_knowledge):
    attack = strongest.build_strongest(effort=EFFORT)
    found = attack(view_of(tiny, 0.3), tiny_knowledge, SEED)
    ran = envelope.strongest(
        strongest.members(tiny_knowledge, 0, EFFORT, None),
        view_of(tiny, 0.3),
        tiny_knowledge,
        SEED,
    )
    np.testing.assert_array_equal(found.images, ran.best.images)


def test_negative_rehearsals_are_refused():
    with pytest.raises(ValueError, match="rehearsals"):
        strongest.build_strongest(rehearsals=-1)
