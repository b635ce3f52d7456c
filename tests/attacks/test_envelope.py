import ast
import inspect
import pathlib

import numpy as np
import pytest

from attacks import criterion, envelope
from attacks import target as target_lib
from attacks.continuous.second_order import dlg
from attacks.optimisers import lbfgs
from attacks.pictures.statistical import baselines, prior_pictures
from tests.attacks import victims
from tests.attacks.pictures.statistical import cases

build_dlg = victims.shared(dlg.build_dlg)


@pytest.fixture(scope="module")
def known(tiny_knowledge):
    return cases.with_public(tiny_knowledge, count=30, labels=(1,))


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
        "retrieval": baselines.build_retrieval(),
    }
    found = envelope.strongest(attacks, view, known, cases.SEED)
    assert found.best_name == "nearer" and found.chosen_by == "criterion"
    assert list(found.members) == list(attacks) and found.skipped == ()
    assert found.best is found.members["nearer"].reconstruction
    values = {name: member.criterion for name, member in found.members.items()}
    assert values["nearer"] < values["near"] < values["grey"]


def test_own_claims_do_not_count(tiny, known):
    """Both say that their error is zero."""
    view, truth = cases.case(tiny, 0.5)
    attacks = {"liar": returns(1 - truth.images), "honest": returns(truth.images)}
    assert envelope.strongest(attacks, view, known, cases.SEED).best_name == "honest"


def test_criterion_by_hand(tiny, known):
    view, truth = cases.case(tiny, 0.5)
    guess = cases.smooth_pictures(1, seed=8)
    seen = victims.gradient(tiny, truth.images, (1,))[~view.mask].astype(np.float64)
    guessed = victims.gradient(tiny, guess, (2,))[~view.mask]
    found = envelope.strongest({"a": returns(guess, (2,))}, view, known, cases.SEED)
    expected = np.sum((guessed - seen) ** 2) / np.sum(seen**2)
    np.testing.assert_allclose(found.members["a"].criterion, expected, rtol=1e-4)


def test_search_beats_guesses(tiny, known):
    view, truth = cases.case(tiny, 0.3)
    attacks = {
        "mean": baselines.build_mean_picture(),
        "dlg": build_dlg(budget=lbfgs.Budget(restarts=1, max_iterations=300)),
    }
    found = envelope.strongest(attacks, view, known, cases.SEED)
    assert found.best_name == "dlg" and cases.psnr(found.best, truth) > 40


def test_failures_are_kept_and_the_others_go_on(tiny, known):
    view, _ = cases.case(tiny, 0.5)
    attacks = {
        "broken": fails(ValueError("no such thing")),
        "not_finite": returns(np.full((1, 4, 4, 1), np.nan)),
        "mean": baselines.build_mean_picture(),
    }
    found = envelope.strongest(attacks, view, known, cases.SEED)
    assert found.best_name == "mean"
    broken = found.members["broken"]
    assert broken.failure == "ValueError: no such thing"
    assert broken.reconstruction is None and np.isnan(broken.criterion)
    assert np.isnan(found.members["not_finite"].criterion)
    with pytest.raises(KeyboardInterrupt):
        envelope.strongest(
            {"stopped": fails(KeyboardInterrupt())}, view, known, cases.SEED
        )


def test_all_failed(tiny, known):
    view, _ = cases.case(tiny, 0.5)
    found = envelope.strongest({"a": fails(KeyError("x"))}, view, known, cases.SEED)
    assert found.best_name is None and found.best is None and found.chosen_by == "none"


def test_nothing_visible(tiny, known):
    """The first member that uses no gradient, if there is one."""
    view, truth = cases.case(tiny, 1.0)
    search = returns(truth.images, stop="nothing_visible")
    attacks = {
        "search": search,
        "mean": baselines.build_mean_picture(),
        "grey": baselines.build_prior_only("grey"),
    }
    found = envelope.strongest(attacks, view, known, cases.SEED)
    assert found.best_name == "mean" and found.chosen_by == "prior"
    assert all(np.isnan(member.criterion) for member in found.members.values())
    found = envelope.strongest({"search": search}, view, known, cases.SEED)
    assert found.best_name == "search" and found.chosen_by == "order"


class TestBudget:
    def attacks(self, ran):
        def make(name):
            def attack(view, knowledge, seed):
                ran.append(name)
                return returns(np.full((1, 4, 4, 1), 0.5))(view, knowledge, seed)

            return attack

        return {name: make(name) for name in "abc"}

    def test_number_of_attacks(self, tiny, known):
        view, _ = cases.case(tiny, 0.5)
        ran = []
        found = envelope.strongest(
            self.attacks(ran),
            view,
            known,
            cases.SEED,
            envelope.Budget(max_attacks=2),
        )
        assert ran == ["a", "b"] and found.skipped == ("c",)

    def test_seconds(self, tiny, known):
        view, _ = cases.case(tiny, 0.5)
        ran = []
        found = envelope.strongest(
            self.attacks(ran),
            view,
            known,
            cases.SEED,
            envelope.Budget(max_seconds=1e-9),
        )
        assert ran == [] and found.skipped == ("a", "b", "c")
        assert found.best_name is None and found.chosen_by == "none"

    def test_resumes(self, tiny, known):
        view, _ = cases.case(tiny, 0.5)
        ran = []
        one = envelope.Budget(max_attacks=1)
        first = envelope.strongest(self.attacks(ran), view, known, cases.SEED, one)
        second = envelope.strongest(
            self.attacks(ran),
            view,
            known,
            cases.SEED,
            one,
            finished={**first.members, "other": first.members["a"]},
        )
        assert ran == ["a", "b"] and list(second.members) == ["a", "b"]
        assert second.members["a"] is first.members["a"]
        assert second.skipped == ("c",)

    def test_bad_limits_are_refused(self):
        with pytest.raises(ValueError, match="`max_attacks` must be at least 1"):
            envelope.Budget(max_attacks=0)
        with pytest.raises(ValueError, match="`max_seconds` must be positive"):
            envelope.Budget(max_seconds=0.0)


def test_no_attacks_are_refused(tiny, known):
    view, _ = cases.case(tiny, 0.5)
    with pytest.raises(ValueError, match="`attacks` must name at least one"):
        envelope.strongest({}, view, known, cases.SEED)


def test_hidden_entries_do_not_decide(tiny, known):
    view, truth = cases.case(tiny, 0.5)
    vector = victims.gradient(tiny, truth.images, (1,))
    other = victims.view_of(
        tiny, [np.where(view.mask, np.float32(np.nan), vector)], view.mask
    )
    attacks = {
        "mean": baselines.build_mean_picture(),
        "retrieval": baselines.build_retrieval(),
    }
    first, second = (
        envelope.strongest(attacks, each, known, cases.SEED) for each in (view, other)
    )
    assert first.best_name == second.best_name
    for name in attacks:
        assert first.members[name].criterion == second.members[name].criterion


def test_truth_has_no_way_in():
    """No parameter for it, and no import of the metrics in any attack."""
    names = set(inspect.signature(envelope.strongest).parameters)
    assert names == {
        "attacks",
        "view",
        "knowledge",
        "seed",
        "budget",
        "source",
        "finished",
    }
    folder = pathlib.Path(envelope.__file__).parent
    paths = [path for path in folder.rglob("*.py") if path.parent.name != "metrics"]
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
        criterion.visible_error(weights, target, known, truth.images, truth.labels)
    )
