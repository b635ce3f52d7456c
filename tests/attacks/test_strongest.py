"""The strongest of several attacks with its rehearsal, on a tiny dense net."""

import dataclasses

import numpy as np
import pytest

from attacks import catalog, knowledge, rehearsal, strongest, words
from attacks import effort as effort_lib
from attacks.metrics import evaluation
from attacks.pictures.statistical import baselines, prior_pictures
from tests.attacks import victims

SEED = (3, 4)
EFFORT = effort_lib.Effort(restarts=1, max_iterations=60)
SHARED = {"effort": EFFORT, "programs": victims.PROGRAMS}


@pytest.fixture(scope="module")
def known(tiny_knowledge):
    pictures = victims.tiny_pictures(30, seed=5)
    public = knowledge.PublicExamples(pictures, np.arange(30) % 3)
    return dataclasses.replace(tiny_knowledge, public_examples=public)


def view_of(tiny, ratio):
    vector = victims.gradient(tiny, victims.tiny_pictures(1), (1,))
    return victims.view_of(tiny, [vector], victims.random_mask(tiny.spec.size, ratio))


def member(name, source=0):
    return catalog.build(name, source=source, **SHARED)


def of(members, **options):
    return strongest.build_strongest(members, programs=victims.PROGRAMS, **options)


def fails_on(call, error):
    """An attack that guesses grey, but raises the error when it is called so often."""
    calls = []

    def attack(view, known, seed):
        del view, seed
        calls.append(1)
        if len(calls) == call:
            raise error
        return prior_pictures.as_reconstruction(
            np.full((1, 4, 4, 1), 0.5), np.array([0]), "known", 0.0, "iterations"
        )

    return attack


def rehearse(attacks, view, known, rehearsals=1, source=0):
    return rehearsal.rehearse(attacks, view, known, SEED, source, rehearsals)


def test_rehearsal_tells_what_works(tiny, known):
    names = ("completion", "idlg", "retrieval", "mean_picture")
    attacks = {name: member(name) for name in names}
    scores = rehearse(attacks, view_of(tiny, 0.0), known)
    assert all(len(score.values) == 1 for score in scores.values())
    values = {name: score.mean for name, score in scores.items()}
    assert values["completion"] > 60 > 20 > values["mean_picture"]
    assert values["idlg"] > values["retrieval"]
    # The victim's message has no part in it.
    poisoned = view_of(tiny, 0.0)
    message = poisoned.messages[0]._replace(plain=poisoned.messages[0].plain * np.nan)
    again = rehearse(attacks, poisoned._replace(messages=(message,)), known)
    assert values == {name: score.mean for name, score in again.items()}


@pytest.mark.parametrize("source", [1, "aggregate"])
def test_what_is_attacked_is_what_is_rehearsed(tiny, known, source):
    vector = view_of(tiny, 0.0).messages[0].plain
    view = victims.view_of(
        tiny, [vector, vector], victims.random_mask(tiny.spec.size, 0.6), vector
    )
    seen = []

    def watched(view, known, seed):
        seen.append((view, known))
        return member("completion", source)(view, known, seed)

    score = rehearse({"completion": watched}, view, known, source=source)["completion"]
    assert score.mean > 60
    ((played, told),) = seen
    assert np.array_equal(played.mask, view.mask)
    # The rehearsed picture is none of those that the attack may learn from.
    assert len(told.public_examples.examples) == 29
    assert played.messages[0] is view.messages[0]


@pytest.mark.slow
def test_a_mask_that_follows_the_message_follows_the_played_one():
    """Under the round's mask other messages would show what the victim's does not."""
    model = victims.tiny_rectified(256)
    vector = victims.gradient(model, victims.tiny_pictures(1), (1,))
    pictures = victims.tiny_pictures(30, seed=5)
    public = knowledge.PublicExamples(pictures, np.arange(30) % 3)
    known = knowledge.Knowledge(model, public_examples=public)
    names = ("activation_signs", "completion", "mean_picture")
    view = victims.view_of(model, [vector], vector != 0)
    found = of({name: member(name) for name in names})(view, known, SEED)
    assert (found.choice.name, found.choice.by) == ("activation_signs", "rehearsal")
    (leak,) = evaluation.evaluate(
        found, evaluation.Truth(victims.tiny_pictures(1), np.array([1]))
    )
    by_name = {one.name: one for one in found.choice.members}
    # What it rehearsed is about what it has.
    assert abs(by_name["activation_signs"].rehearsal - leak.psnr) < 6


def test_which_mask_is_played():
    played = np.array([0.0, 4.0, 0.01, 3.0, 0.0, 1.0], np.float32)
    mask = np.array([1, 0, 1, 0, 1, 0], bool)
    own = np.array([0, 1, 0, 1, 0, 1], bool)
    for seen, expected in (
        ([0.0, 0.0, 0.0], own),
        ([0.0, 0.02, 0.0], own),
        ([2.0, 0.0, 0.1], mask),
        ([np.nan, 0.0, 0.0], mask),
    ):
        found = rehearsal.mask_of(mask, np.array(seen, np.float32), played)
        np.testing.assert_array_equal(found, expected)
    for whole in (np.zeros(6, bool), np.ones(6, bool)):
        seen = played[~whole]
        assert rehearsal.mask_of(whole, seen, played) is whole


def test_a_guess_is_rehearsed_often_on_the_same_plays(tiny, known):
    seen = []

    def watched(view, told, seed):
        seen.append(view.messages[0].plain)
        # Of every play the attacker has all pictures but the one that is looked for.
        assert len(told.public_examples.examples) == 29
        return baselines.build_mean_picture()(view, told, seed)

    attacks = {"search": watched, "mean": baselines.build_mean_picture()}
    scores = rehearsal.rehearse(
        attacks, view_of(tiny, 0.3), known, SEED, 0, 2, often=("mean",)
    )
    assert len(seen) == len(scores["search"].values) == 2
    assert not np.array_equal(*seen)
    # At most half of the public pictures.
    assert len(scores["mean"].values) == 14
    assert scores["mean"].values[:2] == scores["search"].values
    assert scores["mean"].mean == pytest.approx(np.mean(scores["mean"].values))


def test_earlier_rounds_are_rehearsed_too(tiny, known):
    view = view_of(tiny, 0.95)
    other = view_of(tiny, 0.0)._replace(mask=~view.mask)
    message = victims.gradient(tiny, victims.tiny_pictures(1), (1,))[view.mask]
    earlier = other._replace(messages=(other.messages[0]._replace(plain=message),))
    known = dataclasses.replace(known, earlier=(earlier,))
    attacks = {name: member(name) for name in ("multi_round", "idlg")}
    scores = rehearse(attacks, view, known)
    assert scores["multi_round"].mean > 60 > scores["idlg"].mean


def test_too_few_public_pictures_rehearse_nothing(tiny, known):
    few = knowledge.PublicExamples(
        known.public_examples.examples[:4], known.public_examples.labels[:4]
    )
    made = dataclasses.replace(known, public_examples=few)
    attacks = {"mean": baselines.build_mean_picture()}
    assert rehearse(attacks, view_of(tiny, 0.0), made, 2) == {}
    assert rehearse(attacks, view_of(tiny, 0.0), known, 0) == {}


@pytest.mark.slow
def test_recovers_where_a_member_does(tiny, known):
    """With every member of the catalogue."""
    public = known.public_examples
    few = knowledge.PublicExamples(public.examples[:12], public.labels[:12])
    known = dataclasses.replace(known, public_examples=few)
    found = catalog.build("strongest", **SHARED)(view_of(tiny, 0.8), known, SEED)
    truth = evaluation.Truth(victims.tiny_pictures(1), np.array([1]))
    (leak,) = evaluation.evaluate(found, truth)
    assert leak.psnr > 60 and leak.label_correct
    choice = found.choice
    assert choice.by == "rehearsal"
    expected = [
        name
        for name, entry in catalog.ATTACKS.items()
        if entry.is_member and entry.inputs in (words.NUMBERS, words.PICTURES)
    ]
    ran = [one.name for one in choice.members]
    assert sorted(ran) == sorted(expected)
    # What is algebra comes before what searches.
    assert max(map(ran.index, ("completion", "r_gap"))) < ran.index("dlg")
    by_name = {one.name: one for one in choice.members}
    assert by_name["multi_round"].status == "does_not_apply"
    assert "earlier" in by_name["multi_round"].reason
    assert by_name["imputation"].rehearsal > 20
    assert found.iterations >= by_name[choice.name].reconstruction.iterations
    assert found.seconds >= sum(one.seconds for one in choice.members)
    np.testing.assert_array_equal(
        found.examples, by_name[choice.name].reconstruction.examples
    )


def test_an_exact_result_ends_it(tiny, known):
    """Half of a dense layer's entries are enough; nothing is searched or rehearsed."""
    attacks = {
        "completion": member("completion"),
        "search": fails_on(1, TypeError("it ran")),
    }
    found = of(attacks)(view_of(tiny, 0.5), known, SEED)
    assert (found.choice.name, found.choice.by) == ("completion", "criterion")
    first, second = found.choice.members
    assert np.isnan(first.rehearsal) and second.status == "not_run"
    np.testing.assert_allclose(found.examples, victims.tiny_pictures(1), atol=1e-4)


def test_without_public_pictures_the_visible_error_decides(tiny, tiny_knowledge):
    attacks = {name: member(name) for name in ("mean_picture", "completion")}
    found = of(attacks)(view_of(tiny, 0.3), tiny_knowledge, SEED)
    assert (found.choice.name, found.choice.by) == ("completion", "criterion")


def test_one_result_is_not_rehearsed(tiny, known):
    attacks = {"a": fails_on(2, TypeError("called again")), "b": member("multi_round")}
    found = of(attacks)(view_of(tiny, 0.3), known, SEED)
    assert (found.choice.name, found.choice.by) == ("a", "criterion")


def test_a_failure_in_the_rehearsal_is_shown(tiny, known):
    attacks = {
        "fragile": fails_on(2, FloatingPointError("overflow")),
        "mean": baselines.build_mean_picture(),
    }
    found = of(attacks)(view_of(tiny, 0.3), known, SEED)
    fragile, mean = found.choice.members
    assert (found.choice.name, found.choice.by) == ("mean", "rehearsal")
    assert fragile.status == "ok" and np.isnan(fragile.rehearsal)
    assert fragile.reason == "rehearsal: FloatingPointError: overflow"
    assert np.isfinite(mean.rehearsal) and mean.reason == ""


def test_a_mistake_in_the_rehearsal_is_not_caught(tiny, known):
    attacks = {
        "wrong": fails_on(2, AttributeError("no such field")),
        "mean": baselines.build_mean_picture(),
    }
    with pytest.raises(AttributeError, match="no such field"):
        of(attacks)(view_of(tiny, 0.3), known, SEED)


def test_no_member_has_a_result(tiny, known):
    view = view_of(tiny, 0.3)
    unfit = {"multi_round": member("multi_round")}
    with pytest.raises(knowledge.DoesNotApply, match=r"multi_round: .*earlier"):
        of(unfit)(view, known, SEED)
    broken = {**unfit, "broken": fails_on(1, ValueError("no data"))}
    with pytest.raises(ValueError, match="broken: ValueError: no data") as found:
        of(broken)(view, known, SEED)
    assert not isinstance(found.value, knowledge.DoesNotApply)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="rehearsals"):
        of({"mean": baselines.build_mean_picture()}, rehearsals=-1)
    with pytest.raises(ValueError, match="`members` must name at least one"):
        of({})


def test_a_mask_that_says_all_of_a_convolution_is_believed():
    """`deep_signs`, on the victim's message and on those that are played."""
    model = victims.tiny_convolution("relu", "same")
    vector = victims.gradient(model, victims.tiny_pictures(1), (1,))
    pictures = victims.tiny_pictures(30, seed=5)
    public = knowledge.PublicExamples(pictures, np.arange(30) % 3)
    known = knowledge.Knowledge(model, public_examples=public)
    names = ("deep_signs", "idlg", "mean_picture")
    view = victims.view_of(model, [vector], vector != 0)
    found = of({name: member(name) for name in names})(view, known, SEED)
    assert (found.choice.name, found.choice.by) == ("deep_signs", "rehearsal")
