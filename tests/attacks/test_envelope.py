"""Running members, and which of them the attacker believes."""

import ast
import inspect
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from attacks import criterion, envelope
from attacks import target as target_lib
from attacks.knowledge import DoesNotApply
from attacks.matching import matching
from attacks.pictures.statistical import baselines, prior_pictures
from selenc_tf.models.local_steps import LocalTraining
from tests.attacks import victims
from tests.attacks.pictures.statistical import cases


@pytest.fixture(scope="module")
def known(tiny_knowledge):
    return cases.with_public(tiny_knowledge, count=30, labels=(1,))


def compiled(model):
    return victims.PROGRAMS.of(matching.build_matching, model)


def run(attacks, view, known):
    made = envelope.run(
        attacks, compiled(known.model).model, view, known, cases.SEED, 0
    )
    return made.members


def chosen(attacks, view, known):
    members = run(attacks, view, known)
    _, choice = envelope.choose(members)
    return choice


def returns(images, labels=(1,), stop="tolerance"):
    """An attack that only says this, and claims that it matches perfectly."""

    def attack(view, knowledge, seed):
        del view, knowledge, seed
        return prior_pictures.as_reconstruction(
            images, np.array(labels), "known", 0.0, stop
        )

    return attack


def fails(error):
    def attack(view, knowledge, seed):
        raise error

    return attack


def test_picks_the_member_that_explains_most(tiny, known):
    view, truth = cases.case(tiny, 0.5)
    attacks = {
        "grey": baselines.build_prior_only("grey"),
        "near": returns(truth.images + 0.01),
        "nearer": returns(truth.images + 0.001),
        "retrieval": victims.shared(baselines.build_retrieval)(),
    }
    members = run(attacks, view, known)
    best, choice = envelope.choose(members)
    assert (choice.name, choice.by) == ("nearer", "criterion")
    assert choice.members == members
    assert [one.name for one in members] == list(attacks)
    assert best is members[2].reconstruction
    values = {one.name: one.visible_error for one in members}
    assert values["nearer"] < values["near"] < values["grey"]


def test_own_claims_do_not_count(tiny, known):
    """Both say that their error is zero."""
    view, truth = cases.case(tiny, 0.5)
    attacks = {"liar": returns(1 - truth.images), "honest": returns(truth.images)}
    assert chosen(attacks, view, known).name == "honest"


def test_criterion_by_hand(tiny, known):
    view, truth = cases.case(tiny, 0.5)
    guess = cases.smooth_pictures(1, seed=8)
    seen = victims.gradient(tiny, truth.images, (1,))[~view.mask].astype(np.float64)
    guessed = victims.gradient(tiny, guess, (2,))[~view.mask]
    (member,) = run({"a": returns(guess, (2,))}, view, known)
    expected = np.sum((guessed - seen) ** 2) / np.sum(seen**2)
    np.testing.assert_allclose(member.visible_error, expected, rtol=1e-4)


def test_criterion_of_local_training(tiny, known):
    """The truth explains the message of several steps, declared as such."""
    training = LocalTraining(0.5, epochs=3)
    truth = cases.smooth_pictures(1, seed=8)
    vector = victims.update(tiny, truth, (1,), training)
    view = victims.view_of(tiny, [vector])
    attacks = {"truth": returns(truth)}
    (plain,) = run(attacks, view, known)
    declared = cases.with_public(known, local_training=training)
    (local,) = run(attacks, view, declared)
    assert local.visible_error < 1e-6 < 1e-3 < plain.visible_error


FAILURES = [
    ValueError("no such thing\nand more"),
    np.linalg.LinAlgError("singular"),
    FloatingPointError("overflow"),
    ZeroDivisionError("division"),
    MemoryError("too large"),
    tf.errors.InvalidArgumentError(None, None, "not invertible"),
    tf.errors.ResourceExhaustedError(None, None, "too large"),
]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_failures_are_kept_and_the_others_go_on(tiny, known, error):
    view, _ = cases.case(tiny, 0.5)
    attacks = {"broken": fails(error), "mean": baselines.build_mean_picture()}
    broken, mean = run(attacks, view, known)
    assert broken.status == "failed" and broken.reconstruction is None
    first = str(error).splitlines()[0]
    assert broken.reason == f"{type(error).__name__}: {first}"
    assert np.isnan(broken.visible_error) and mean.status == "ok"
    assert envelope.choose((broken, mean))[1].name == "mean"


def test_what_does_not_apply_is_no_failure(tiny, known):
    view, _ = cases.case(tiny, 0.5)
    (member,) = run({"a": fails(DoesNotApply("no dense layer"))}, view, known)
    assert (member.status, member.reason) == ("does_not_apply", "no dense layer")


def test_pictures_that_are_no_numbers_are_a_failure(tiny, known):
    view, _ = cases.case(tiny, 0.5)
    (member,) = run({"a": returns(np.full((1, 4, 4, 1), np.nan))}, view, known)
    assert member.status == "failed" and "not finite" in member.reason


@pytest.mark.parametrize(
    "kind",
    [TypeError, AttributeError, NameError, KeyError, AssertionError, KeyboardInterrupt],
)
def test_mistakes_and_interruptions_are_not_caught(tiny, known, kind):
    view, _ = cases.case(tiny, 0.5)
    with pytest.raises(kind):
        run({"a": fails(kind("x"))}, view, known)


def test_nothing_to_choose_from(tiny, known):
    view, _ = cases.case(tiny, 0.5)
    assert envelope.choose(run({"a": fails(ValueError("x"))}, view, known)) is None
    assert envelope.choose(()) is None


def test_nothing_visible(tiny, known):
    """The first member that uses no gradient, if there is one."""
    view, truth = cases.case(tiny, 1.0)
    search = returns(truth.images, stop="nothing_visible")
    attacks = {
        "search": search,
        "mean": baselines.build_mean_picture(),
        "grey": baselines.build_prior_only("grey"),
    }
    choice = chosen(attacks, view, known)
    assert (choice.name, choice.by) == ("mean", "prior")
    assert all(np.isnan(member.visible_error) for member in choice.members)
    choice = chosen({"search": search}, view, known)
    assert (choice.name, choice.by) == ("search", "order")


def test_a_rehearsal_overrules_the_visible_error(tiny, known):
    """A member that fits exactly is not believed where it failed in the rehearsal."""
    view, truth = cases.case(tiny, 0.5)
    attacks = {"exact": returns(truth.images), "mean": baselines.build_mean_picture()}
    exact, mean = run(attacks, view, known)
    assert envelope.choose((exact, mean))[1].name == "exact"
    plays = {"exact": (10.0,), "mean": (11.0,)}
    found, choice = envelope.choose((exact, mean), plays)
    assert (choice.name, choice.by) == ("mean", "rehearsal")
    assert found is mean.reconstruction
    # Without a rehearsal of its own a member is not believed either.
    for missing in ({"mean": (11.0,)}, {"exact": (), "mean": (11.0,)}):
        assert envelope.choose((exact, mean), missing)[1].name == "mean"


def test_a_guess_is_left_for_what_is_clearly_better(tiny, known):
    view, truth = cases.case(tiny, 0.5)
    attacks = {
        "lucky": returns(truth.images, stop="stalled"),
        "steady": returns(truth.images, stop="retrieved"),
        "mean": baselines.build_mean_picture(),
    }
    members = run(attacks, view, known)

    def believed(**plays):
        return envelope.choose(members, plays)[1].name

    usual = (12.0, 10.0, 15.0, 9.0)
    # Better once by far and worse once: 8 +- 12 dB more. 2 +- 0.5 dB more is enough.
    assert believed(lucky=(32.0, 6.0), mean=usual) == "mean"
    assert believed(lucky=(32.0, 6.0), steady=(13.5, 12.5), mean=usual) == "steady"
    assert believed(lucky=(32.0, 30.0), steady=(13.5, 12.5), mean=usual) == "lucky"
    # The guess's other plays say nothing of a difference.
    assert believed(steady=(13.5, 12.5), mean=(12.0, 10.0, 90.0, 90.0)) == "steady"
    # Nothing else: the best.
    assert believed(lucky=(32.0, 6.0), steady=(13.5, 12.5)) == "lucky"
    assert believed(mean=usual) == "mean"


def test_clearly_better_by_hand():
    # Differences 1 and 3: 2 with a standard error of sqrt(2) / sqrt(2) = 1.
    assert envelope.clearly_better((11.0, 13.0), (10.0, 10.0))
    # -1 and 3: 1 with one of 2.
    assert not envelope.clearly_better((9.0, 13.0), (10.0, 10.0))
    # One play: the others vary by sqrt(2) dB.
    assert not envelope.clearly_better((11.0,), (10.0, 12.0))
    assert envelope.clearly_better((11.5,), (10.0, 12.0))
    assert envelope.clearly_better((11.0,), (10.0,))
    assert not envelope.clearly_better((10.0, 10.0), (10.0, 10.0))


def exact(images, labels=(1,), **changes):
    """An attack that says that its result is the only one."""

    def attack(view, knowledge, seed):
        found = returns(images, labels, "closed_form")(view, knowledge, seed)
        return found._replace(converged=True, **changes)

    return attack


def test_an_exact_result_ends_it(tiny, known):
    view, truth = cases.case(tiny, 0.5)
    attacks = {
        "unfit": fails(DoesNotApply("no dense layer")),
        "mean": baselines.build_mean_picture(),
        "algebra": exact(truth.images),
        "search": fails(AssertionError("it ran")),
    }
    made = envelope.run(attacks, compiled(tiny).model, view, known, cases.SEED, 0)
    assert made.exact == "algebra"
    assert [one.name for one in made.members] == list(attacks)
    search = made.members[-1]
    assert (search.status, search.reconstruction) == ("not_run", None)
    assert search.reason == "The result of algebra is exact."
    found, choice = envelope.choose(made.members, {"mean": (99.0,)}, made.exact)
    assert (choice.name, choice.by) == ("algebra", "criterion")
    assert found is made.members[2].reconstruction


@pytest.mark.parametrize(
    "changes",
    [
        {"converged": False},
        {"stop": "tolerance"},
        {"label_source": "guessed"},
        {"images": np.full((1, 4, 4, 1), 0.5, np.float32)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_is_not_exact(tiny, known, changes):
    """A search that converged, a guess, and a claim that the gradient refutes."""
    view, truth = cases.case(tiny, 0.5)

    def attack(view, knowledge, seed):
        return exact(truth.images)(view, knowledge, seed)._replace(**changes)

    attacks = {"a": attack, "mean": baselines.build_mean_picture()}
    made = envelope.run(attacks, compiled(tiny).model, view, known, cases.SEED, 0)
    assert made.exact is None and made.members[1].status == "ok"


def test_fewer_entries_than_numbers_show_nothing_exactly(tiny, known):
    view, truth = cases.case(tiny, 0.5)
    (member,) = run({"a": exact(truth.images)}, view, known)
    assert envelope.is_exact(member, 16) and not envelope.is_exact(member, 15)


def test_hidden_entries_do_not_decide(tiny, known):
    view, truth = cases.case(tiny, 0.5)
    vector = victims.gradient(tiny, truth.images, (1,))
    other = victims.view_of(
        tiny, [np.where(view.mask, np.float32(np.nan), vector)], view.mask
    )
    attacks = {
        "mean": baselines.build_mean_picture(),
        "retrieval": victims.shared(baselines.build_retrieval)(),
    }
    first, second = (run(attacks, each, known) for each in (view, other))
    assert [one.visible_error for one in first] == [one.visible_error for one in second]


def test_truth_has_no_way_in():
    """No parameter for it, and no import of the metrics in any attack."""
    names = set(inspect.signature(envelope.run).parameters)
    assert names == {"attacks", "precise", "view", "knowledge", "seed", "source"}
    folder = pathlib.Path(envelope.__file__).parent
    paths = [
        path for path in folder.rglob("*.py") if folder / "metrics" not in path.parents
    ]
    assert folder / "continuous" / "second_order" / "dlg.py" in paths
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert "metrics" not in ast.unparse(node), path.name


def test_criterion_where_it_is_undefined(tiny, known):
    view, truth = cases.case(tiny, 1.0)
    target = target_lib.build_target(view, known, 0, "mask_aware")
    weights = tuple(np.asarray(tensor) for tensor in view.weights)
    assert np.isnan(
        criterion.visible_error(
            compiled(tiny).model, weights, target, known, truth.images, truth.labels
        )
    )
