"""DLG and iDLG on a tiny dense net."""

import dataclasses
import functools

import numpy as np
import pytest

from attacks import effort, knowledge, programs
from attacks import target as target_lib
from attacks.continuous.second_order import (
    cohort,
    dlg,
    idlg,
    multi_round,
    starts,
)
from attacks.matching import matching
from attacks.metrics import evaluation
from attacks.optimisers import lbfgs
from tests.attacks import victims

build_dlg = victims.shared(dlg.build_dlg)
build_idlg = victims.shared(idlg.build_idlg)

QUICK = lbfgs.Budget(max_iterations=40, scout_iterations=10)
SEED = (1, 2)
BUILDS = {
    f"{name}_{mode}": functools.partial(build, mode)
    for name, build in (
        ("dlg", build_dlg),
        ("idlg", build_idlg),
    )
    for mode in target_lib.MODES
}


def picture(reconstruction, truth, labels):
    records = evaluation.evaluate(
        reconstruction, evaluation.Truth(truth, np.array(labels))
    )
    return records[0]


def assert_identical(first, second):
    np.testing.assert_array_equal(first.examples, second.examples)
    np.testing.assert_array_equal(first.labels, second.labels)
    untimed = {"examples": None, "labels": None, "seconds": 0.0}
    np.testing.assert_equal(first._replace(**untimed), second._replace(**untimed))


@pytest.mark.parametrize(
    "name",
    [
        # The naive mode differs in the target, which both share.
        pytest.param(name, marks=pytest.mark.slow) if name == "idlg_naive" else name
        for name in sorted(BUILDS)
    ],
)
class TestEveryForm:
    def test_recovers_a_plain_picture(self, tiny, tiny_knowledge, name):
        images = victims.tiny_pictures(1)
        view = victims.view_of(tiny, [victims.gradient(tiny, images, (2,))])
        found = BUILDS[name]()(view, tiny_knowledge, SEED)
        leakage = picture(found, images, (2,))
        assert leakage.psnr > 60 and leakage.label_correct
        assert found.converged and found.stop == "tolerance"
        assert found.objective <= 1e-12
        assert (
            found.examples.shape == (1, 4, 4, 1) and found.examples.dtype == np.float32
        )
        assert found.labels.shape == (1,) and found.labels.dtype == np.int64
        assert found.examples.min() >= 0 and found.examples.max() <= 1
        assert found.matched_entries == 243
        assert found.evaluations > found.iterations > 0 and found.seconds > 0

    def test_same_seed_same_bits(self, tiny, tiny_knowledge, name):
        vector = victims.gradient(tiny, victims.tiny_pictures(1), (1,))
        mask = victims.random_mask(tiny.spec.size, 0.3)
        view = victims.view_of(tiny, [vector], mask)
        attack = BUILDS[name](budget=QUICK)
        assert_identical(
            attack(view, tiny_knowledge, SEED), attack(view, tiny_knowledge, SEED)
        )

    def test_other_seed_other_start(self, tiny, tiny_knowledge, name):
        vector = victims.gradient(tiny, victims.tiny_pictures(1), (1,))
        view = victims.view_of(tiny, [vector])
        attack = BUILDS[name](budget=lbfgs.Budget(max_iterations=2))
        first = attack(view, tiny_knowledge, (1, 2))
        second = attack(view, tiny_knowledge, (1, 3))
        assert np.any(first.examples != second.examples)

    def test_hidden_entries_are_never_read(self, tiny, tiny_knowledge, name):
        vector = victims.gradient(tiny, victims.tiny_pictures(1), (1,))
        mask = victims.random_mask(tiny.spec.size, 0.3)
        poisoned = np.where(mask, np.float32(np.nan), vector)
        attack = BUILDS[name](budget=QUICK)
        assert_identical(
            attack(victims.view_of(tiny, [vector], mask), tiny_knowledge, SEED),
            attack(victims.view_of(tiny, [poisoned], mask), tiny_knowledge, SEED),
        )

    def test_other_clients_are_not_read(self, tiny, tiny_knowledge, name):
        vector = victims.gradient(tiny, victims.tiny_pictures(1), (1,))
        noise = np.full_like(vector, np.nan)
        attack = BUILDS[name](budget=QUICK, source=1)
        assert_identical(
            attack(victims.view_of(tiny, [vector, vector]), tiny_knowledge, SEED),
            attack(victims.view_of(tiny, [noise, vector]), tiny_knowledge, SEED),
        )

    def test_not_finite_is_reported(self, tiny, tiny_knowledge, name):
        vector = np.full(tiny.spec.size, np.nan, np.float32)
        found = BUILDS[name](budget=QUICK)(
            victims.view_of(tiny, [vector]), tiny_knowledge, SEED
        )
        assert found.stop == "not_finite" and not found.converged
        assert np.isnan(found.objective)
        assert np.all(np.isfinite(found.examples))

    def test_view_of_another_model_is_refused(self, tiny_knowledge, name):
        other = victims.tiny_model(num_classes=4)
        view = victims.view_of(other, [np.zeros(other.spec.size, np.float32)])
        with pytest.raises(ValueError, match=r"`view.weights` must have the shapes"):
            BUILDS[name]()(view, tiny_knowledge, SEED)

    def test_bad_settings_are_refused(self, name):
        with pytest.raises(ValueError, match="`initial` must be one of"):
            BUILDS[name](initial="noise")


@pytest.mark.parametrize("build", [build_dlg, build_idlg])
def test_bad_mode_is_refused(build):
    with pytest.raises(ValueError, match="`mode` must be one of: naive, mask_aware"):
        build("zero_fill")


@pytest.mark.parametrize("build", [build_dlg, build_idlg])
def test_modes_agree_when_nothing_is_hidden(tiny, tiny_knowledge, build):
    view = victims.view_of(
        tiny, [victims.gradient(tiny, victims.tiny_pictures(1), (1,))]
    )
    naive, aware = (
        build(mode, budget=QUICK)(view, tiny_knowledge, SEED)
        for mode in target_lib.MODES
    )
    np.testing.assert_allclose(naive.objective, aware.objective, atol=1e-6)
    assert_identical(naive, aware)


@pytest.mark.parametrize("hidden", [0.1, 0.5])
def test_mask_aware_recovers_where_naive_fails(tiny, with_labels, hidden):
    images = victims.tiny_pictures(1)
    vector = victims.gradient(tiny, images, (0,))
    view = victims.view_of(tiny, [vector], victims.random_mask(243, hidden))
    naive, aware = (
        picture(
            build_dlg(mode)(view, with_labels(0), SEED),
            images,
            (0,),
        ).psnr
        for mode in target_lib.MODES
    )
    assert aware > 60
    assert naive < 30


class TestEverythingHidden:
    @pytest.fixture
    def view(self, tiny):
        vector = victims.gradient(tiny, victims.tiny_pictures(1), (0,))
        return victims.view_of(tiny, [vector], np.ones(243, np.bool_))

    @pytest.mark.parametrize("initial", starts.INITIALS)
    def test_mask_aware_returns_its_guess(self, tiny_knowledge, view, initial):
        found = build_dlg("mask_aware", initial=initial)(view, tiny_knowledge, SEED)
        target = target_lib.build_target(view, tiny_knowledge, 0, "mask_aware")
        guess = starts.draw_start(((target, 1),), tiny_knowledge, initial, SEED, 0)
        np.testing.assert_array_equal(found.examples, guess.images.astype(np.float32))
        assert found.objective == 0 and found.matched_entries == 0
        assert found.stop == "nothing_visible" and not found.converged

    def test_label_is_not_inferred(self, tiny_knowledge, view):
        for mode in target_lib.MODES:
            found = build_idlg(mode, budget=QUICK)(view, tiny_knowledge, SEED)
            assert found.label_source == "optimised"

    def test_naive_seeks_a_vanishing_gradient(self, tiny_knowledge, view):
        found = build_dlg("naive", budget=QUICK)(view, tiny_knowledge, SEED)
        assert found.matched_entries == 243 and found.iterations > 0


def test_label_sources(tiny, tiny_knowledge, with_labels):
    view = victims.view_of(
        tiny, [victims.gradient(tiny, victims.tiny_pictures(1), (1,))]
    )
    run = build_dlg(budget=QUICK)
    assert run(view, with_labels(0), SEED).label_source == "known"
    assert run(view, with_labels(0), SEED).labels == [0]
    assert run(view, tiny_knowledge, SEED).label_source == "optimised"
    inferred = build_idlg(budget=QUICK)(view, with_labels(0), SEED)
    assert inferred.label_source == "inferred" and inferred.labels == [1]


def test_idlg_is_for_one_picture(tiny, with_labels):
    view = victims.view_of(
        tiny, [victims.gradient(tiny, victims.tiny_pictures(2), (0, 1))]
    )
    with pytest.raises(ValueError, match=r"`knowledge.batch_size` must be 1 for iDLG"):
        build_idlg()(view, with_labels(0, 1), SEED)


def test_hidden_head_makes_idlg_try_the_classes(tiny, tiny_knowledge):
    images = victims.tiny_pictures(1)
    vector = victims.gradient(tiny, images, (2,))
    mask = np.zeros(243, np.bool_)
    mask[204:] = True  # 16 * 12 + 12 entries, then the head's 12 * 3 + 3
    found = build_idlg()(victims.view_of(tiny, [vector], mask), tiny_knowledge, SEED)
    assert found.label_source == "enumerated"
    assert found.labels == [2] and picture(found, images, (2,)).psnr > 60


class TestBatches:
    """Two clients with one and two pictures, attacked through the aggregate."""

    IMAGES = victims.tiny_pictures(3, seed=3)
    LABELS = (2, 0, 1)

    def clients(self, model):
        return [
            victims.gradient(model, self.IMAGES[:1], self.LABELS[:1]),
            victims.gradient(model, self.IMAGES[1:], self.LABELS[1:]),
        ]

    def view(self, model, weights):
        gradients = self.clients(model)
        shares = np.array(weights, np.float32) / np.float32(sum(weights))
        mean = shares[0] * gradients[0] + shares[1] * gradients[1]
        mask = victims.random_mask(model.spec.size, 0.5)
        return victims.view_of(model, gradients, mask, mean, weights)

    def check(self, found, least):
        records = evaluation.evaluate(
            found, evaluation.Truth(self.IMAGES, np.array(self.LABELS))
        )
        assert min(record.psnr for record in records) > least
        assert evaluation.label_accuracy(records) == 1.0

    def test_mean_over_the_union(self, tiny, with_labels):
        attack = build_dlg(source="aggregate")
        view = self.view(tiny, (1.0, 2.0))
        self.check(attack(view, with_labels(*self.LABELS), SEED), 40)

    def test_clients_of_equal_weight(self, tiny, with_labels):
        cohort = dataclasses.replace(with_labels(*self.LABELS), client_sizes=(1, 2))
        found = build_dlg(source="aggregate")(self.view(tiny, (1.0, 1.0)), cohort, SEED)
        self.check(found, 40)

    @pytest.mark.slow
    def test_labels_unknown(self, tiny, tiny_knowledge):
        cohort = dataclasses.replace(tiny_knowledge, batch_size=3)
        attack = build_dlg(source="aggregate", budget=lbfgs.Budget(restarts=2))
        found = attack(self.view(tiny, (1.0, 2.0)), cohort, SEED)
        assert found.label_source == "optimised"
        self.check(found, 30)


def test_one_trace_for_all_masks_pictures_and_modes(tiny):
    own = programs.Programs()
    known = knowledge.Knowledge(tiny, labels=(0,))
    budget = lbfgs.Budget(restarts=1, max_iterations=3)
    for ratio in (0.0, 0.2, 1.0):
        for index in (0, 1):
            vector = victims.gradient(tiny, victims.tiny_pictures(1, index), (index,))
            mask = victims.random_mask(tiny.spec.size, ratio, index)
            view = victims.view_of(tiny, [vector], mask)
            for build in BUILDS.values():
                labelled = dataclasses.replace(known, labels=(index,))
                build(budget=budget, programs=own)(view, labelled, (0, index))
    # One for known labels, one for the joint search where iDLG found no label.
    assert own.of(matching.build_matching, tiny).trace_count() == 2


def test_another_batch_size_is_another_trace(tiny):
    own = programs.Programs()
    attack = dlg.build_dlg(
        budget=lbfgs.Budget(restarts=1, max_iterations=2), programs=own
    )
    for size in (1, 2, 1, 2):
        labels = (0,) * size
        view = victims.view_of(
            tiny, [victims.gradient(tiny, victims.tiny_pictures(size), labels)]
        )
        attack(view, knowledge.Knowledge(tiny, size, labels), SEED)
    assert own.of(matching.build_matching, tiny).trace_count() == 2


def test_what_is_compiled_already_changes_nothing(tiny, with_labels):
    view = victims.view_of(
        tiny, [victims.gradient(tiny, victims.tiny_pictures(1), (1,))]
    )
    own, shared = dlg.build_dlg(budget=QUICK), build_dlg
    known = with_labels(1)
    assert_identical(own(view, known, SEED), shared(budget=QUICK)(view, known, SEED))


def test_float32_matching_is_possible(tiny):
    compiled = matching.build_matching(tiny, float64=False)
    images = victims.tiny_pictures(1)
    view = victims.view_of(tiny, [victims.gradient(tiny, images, (1,))])
    own = programs.Programs()
    own.use(compiled, matching.build_matching, tiny)
    known = knowledge.Knowledge(tiny, labels=(1,))
    found = dlg.build_dlg(programs=own)(view, known, SEED)
    assert compiled.dtype == "float32"
    assert picture(found, images, (1,)).psnr > 30


def test_progress_is_reported(tiny, with_labels):
    view = victims.view_of(
        tiny, [victims.gradient(tiny, victims.tiny_pictures(1), (1,))]
    )
    seen = []
    found = build_dlg(
        budget=QUICK, progress=lambda start, count, value: seen.append((count, value))
    )(view, with_labels(1), SEED)
    assert [count for count, _ in seen] == list(range(1, found.iterations + 1))
    np.testing.assert_allclose(min(v for _, v in seen), found.objective, rtol=1e-9)


class TestExtraStarts:
    def run(self, tiny, known, extra, **options):
        images = victims.tiny_pictures(1)
        view = victims.view_of(tiny, [victims.gradient(tiny, images, (1,))])
        return build_dlg(extra_starts=extra, **options)(view, known, SEED)

    def test_a_good_one_wins(self, tiny, with_labels):
        images = victims.tiny_pictures(1)
        poor = np.zeros_like(images)
        found = self.run(tiny, with_labels(1), np.stack([poor, images]))
        assert found.converged and found.iterations <= 3 * 50
        assert picture(found, images, (1,)).psnr > 60
        assert len(found.start_objectives) <= 2 + 2

    def test_they_come_after_the_drawn_ones(self, tiny, with_labels):
        near = victims.tiny_pictures(1)[np.newaxis]
        budget = lbfgs.Budget(max_iterations=9, scout_iterations=3)
        found = self.run(tiny, with_labels(1), near, budget=budget)
        plain = self.run(tiny, with_labels(1), None, budget=budget)
        assert found.start_objectives[-1] <= 1e-12
        assert len(found.start_objectives) == 3
        assert len(plain.start_objectives) == 2

    def test_each_meets_each_hypothesis(self, tiny, tiny_knowledge):
        images = victims.tiny_pictures(1)
        vector = victims.gradient(tiny, images, (2,))
        mask = np.zeros(243, np.bool_)
        mask[204:] = True
        found = build_idlg(
            extra_starts=images[np.newaxis],
            budget=lbfgs.Budget(max_iterations=7, scout_iterations=1),
        )(victims.view_of(tiny, [vector], mask), tiny_knowledge, SEED)
        assert found.labels == [2] and found.objective <= 1e-12
        np.testing.assert_allclose(found.examples, images, atol=1e-6)

    def test_nothing_visible_gives_the_extra_one_back(self, tiny, with_labels):
        extra = victims.tiny_pictures(1, seed=5)[np.newaxis]
        vector = victims.gradient(tiny, victims.tiny_pictures(1), (0,))
        view = victims.view_of(tiny, [vector], np.ones(243, np.bool_))
        found = build_dlg(extra_starts=extra)(view, with_labels(0), SEED)
        np.testing.assert_array_equal(found.examples, extra[0])
        assert found.stop == "nothing_visible"

    def test_bad_ones_are_refused(self, tiny, with_labels):
        with pytest.raises(
            ValueError, match=r"`extra_starts` must be \[s, 1, 4, 4, 1\]"
        ):
            self.run(tiny, with_labels(1), np.zeros((2, 4, 4, 1)))
        with pytest.raises(ValueError, match="`extra_starts` must be finite"):
            self.run(tiny, with_labels(1), np.full((1, 1, 4, 4, 1), np.nan))


@pytest.mark.slow
def test_joint_attacks_trace_once_for_all_masks_and_pictures(tiny):
    own = programs.Programs()
    budget = lbfgs.Budget(restarts=1, max_iterations=2)
    for ratio in (0.0, 0.5, 1.0):
        for seed in (0, 1):
            images = victims.tiny_pictures(2, seed)
            vectors = [
                victims.gradient(tiny, images[:1], (0,)),
                victims.gradient(tiny, images[1:], (1,)),
            ]
            mask = victims.random_mask(tiny.spec.size, ratio, seed)
            mean = np.mean(vectors, axis=0)
            view = victims.view_of(tiny, vectors, mask, mean)
            both = knowledge.Knowledge(tiny, 2, (0, 1))
            cohort.build_cohort(budget=budget, programs=own)(view, both, (0, seed))
            again = knowledge.Knowledge(tiny, labels=(0,), earlier=(view,))
            multi_round.build_multi_round(budget=budget, programs=own)(
                view, again, (0, seed)
            )
    assert own.of(matching.build_matching, tiny).trace_count() == 2


def test_effort_is_the_budget_in_short(tiny, with_labels):
    view = victims.view_of(
        tiny, [victims.gradient(tiny, victims.tiny_pictures(1), (1,))]
    )
    short = build_dlg(effort=effort.Effort(restarts=1, max_iterations=5))
    long = build_dlg(budget=lbfgs.Budget(restarts=1, max_iterations=5))
    assert_identical(
        short(view, with_labels(1), SEED), long(view, with_labels(1), SEED)
    )
