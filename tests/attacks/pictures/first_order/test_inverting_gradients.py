"""The attacks by Adam on a tiny dense net."""

import dataclasses

import numpy as np
import pytest

from attacks import effort as effort_lib
from attacks import knowledge, programs
from attacks import target as target_lib
from attacks.continuous.first_order import engine as first_order
from attacks.continuous.first_order import recipes, search, starts
from attacks.labels import head
from attacks.metrics import evaluation
from attacks.pictures.first_order import (
    gradinversion,
    inverting_gradients,
    modern,
    quick_inversion,
)
from tests.attacks import victims

SEED = (1, 2)
QUICK = effort_lib.Effort(restarts=2, max_iterations=40)
FINE = dataclasses.replace(inverting_gradients.PUBLISHED, step="gradient", prior=None)
BUILDERS = {
    "inverting_gradients": (inverting_gradients.build_inverting_gradients, FINE),
    "quick_inversion": (
        quick_inversion.build_quick_inversion,
        quick_inversion.UNTRAINED,
    ),
    "modern": (modern.build_modern, modern.UNTRAINED),
    "gradinversion": (gradinversion.build_gradinversion, gradinversion.UNTRAINED),
}


def built(name, mode="mask_aware", effort=QUICK, **options):
    build, recipe = BUILDERS[name]
    return victims.shared(build)(mode, effort=effort, recipe=recipe, **options)


def view_of(model, label=1, hidden=0.0, poison=False):
    vector = victims.gradient(model, victims.tiny_pictures(1), (label,))
    mask = victims.random_mask(model.spec.size, hidden)
    if poison:
        vector = np.where(mask, np.float32(np.nan), vector)
    return victims.view_of(model, [vector], mask)


def assert_identical(first, second):
    np.testing.assert_array_equal(first.examples, second.examples)
    np.testing.assert_array_equal(first.labels, second.labels)
    untimed = {"examples": None, "labels": None, "seconds": 0.0}
    np.testing.assert_equal(first._replace(**untimed), second._replace(**untimed))


def psnr(found, label=1):
    truth = evaluation.Truth(victims.tiny_pictures(1), np.array([label]))
    return evaluation.evaluate(found, truth)[0].psnr


@pytest.mark.parametrize(
    "name",
    [
        name
        if name == "inverting_gradients"
        else pytest.param(name, marks=pytest.mark.slow)
        for name in sorted(BUILDERS)
    ],
)
class TestConformance:
    @pytest.mark.slow
    def test_approaches_the_picture(self, tiny, with_labels, name):
        effort = effort_lib.Effort(restarts=2, max_iterations=300)
        found = built(name, effort=effort)(view_of(tiny), with_labels(1), SEED)
        assert psnr(found) > 20
        assert (
            found.examples.shape == (1, 4, 4, 1) and found.examples.dtype == np.float32
        )
        assert found.examples.min() >= 0 and found.examples.max() <= 1
        assert found.labels.dtype == np.int64 and found.label_source == "known"
        assert found.objective == min(found.start_objectives)
        assert found.iterations == found.evaluations == 300
        assert found.stop == "iterations" and not found.converged

    def test_same_seed_same_bits_and_hidden_entries_are_never_read(
        self, tiny, tiny_knowledge, name
    ):
        attack = built(name)
        first = attack(view_of(tiny, hidden=0.3), tiny_knowledge, SEED)
        again = attack(view_of(tiny, hidden=0.3, poison=True), tiny_knowledge, SEED)
        assert_identical(first, again)
        other = attack(view_of(tiny, hidden=0.3), tiny_knowledge, (1, 3))
        assert np.any(other.examples != first.examples)

    def test_modes_agree_when_nothing_is_hidden(self, tiny, with_labels, name):
        naive, aware = (
            built(name, mode)(view_of(tiny), with_labels(1), SEED)
            for mode in target_lib.MODES
        )
        np.testing.assert_allclose(naive.objective, aware.objective, atol=1e-6)
        assert_identical(naive, aware)

    def test_not_finite_is_reported(self, tiny, with_labels, name):
        vector = np.full(tiny.spec.size, np.nan, np.float32)
        found = built(name)(victims.view_of(tiny, [vector]), with_labels(1), SEED)
        assert found.stop == "not_finite" and np.isnan(found.objective)
        assert np.all(np.isfinite(found.examples))

    def test_nothing_visible(self, tiny, tiny_knowledge, name):
        found = built(name)(view_of(tiny, hidden=1.0), tiny_knowledge, SEED)
        assert found.stop == "nothing_visible" and found.matched_entries == 0
        assert found.iterations == 0

    def test_zeros_are_survived(self, tiny, with_labels, name):
        view = victims.view_of(tiny, [np.zeros(tiny.spec.size, np.float32)])
        found = built(name)(view, with_labels(1), SEED)
        assert np.isfinite(found.objective) and np.all(np.isfinite(found.examples))

    def test_bad_mode_is_refused(self, name):
        with pytest.raises(ValueError, match="`mode` must be one of"):
            built(name, "zero_fill")


def test_mask_aware_is_nearer_than_naive(tiny, with_labels):
    effort = effort_lib.Effort(restarts=1, max_iterations=200)
    naive, aware = (
        psnr(
            built("inverting_gradients", mode, effort)(
                view_of(tiny, hidden=0.5), with_labels(1), SEED
            )
        )
        for mode in target_lib.MODES
    )
    assert aware > naive + 3


@pytest.mark.slow
def test_possible_labels_are_tried(tiny, tiny_knowledge):
    vector = victims.gradient(tiny, victims.tiny_pictures(1), (2,))
    mask = np.zeros(243, np.bool_)
    mask[204:] = True  # The head, whose gradient would tell the class.
    effort = effort_lib.Effort(restarts=1, max_iterations=300)
    found = built("inverting_gradients", effort=effort)(
        victims.view_of(tiny, [vector], mask), tiny_knowledge, SEED
    )
    assert found.label_source == "enumerated" and found.labels == [2]
    assert found.iterations <= 300


def test_batch_labels_are_read_off(tiny):
    images = victims.tiny_pictures(3)
    vector = victims.gradient(tiny, images, (0, 2, 2))
    known = knowledge.Knowledge(tiny, batch_size=3)
    found = built("inverting_gradients")(victims.view_of(tiny, [vector]), known, SEED)
    # That there are two of class 2 is an estimate.
    assert found.label_source == "guessed" and sorted(found.labels) == [0, 2, 2]
    assert found.examples.shape == (3, 4, 4, 1)


def test_aggregate_of_unequal_clients_weighs_pictures(tiny):
    target = target_lib.Target(
        vector=np.zeros(243, np.float32),
        visible=np.ones(243, np.bool_),
        matched=np.ones(243, np.bool_),
        sizes=(1, 2),
        shares=np.array([0.5, 0.5]),
    )
    known = knowledge.Knowledge(tiny, batch_size=3, labels=(0, 1, 2))
    problem = search._problem_of(
        tuple(t.numpy() for t in tiny.initial_weights), target, known
    )([(0, 1, 2)])
    np.testing.assert_allclose(problem.shares, [0.5, 0.25, 0.25])


def test_one_trace_for_a_study(tiny, with_labels):
    own = programs.Programs()
    attack = inverting_gradients.build_inverting_gradients(
        effort=effort_lib.Effort(1, 2), recipe=FINE, programs=own
    )
    for hidden in (0.0, 0.5):
        for label in (0, 1):
            attack(view_of(tiny, label, hidden), with_labels(label), (3, label))
    engine = own.of(first_order.build_engine, tiny, FINE)
    assert engine.trace_count() == 1


def test_head_features_are_the_heads_input(tiny):
    target = target_lib.build_target(
        view_of(tiny, hidden=0.2), knowledge.Knowledge(tiny), 0, "mask_aware"
    )
    found, known = head.head_input(target, tiny.spec, 3, 1)
    kernel, bias = (tensor.numpy() for tensor in tiny.initial_weights[:2])
    hidden = 1 / (1 + np.exp(-(victims.tiny_pictures(1).reshape(16) @ kernel + bias)))
    assert known.sum() > 0
    np.testing.assert_allclose(found[known > 0], hidden[known > 0], rtol=1e-3)


def test_time_and_progress(tiny, with_labels):
    seen = []
    effort = effort_lib.Effort(1, 120, max_seconds=1e-6)
    found = built(
        "inverting_gradients",
        effort=effort,
        progress=lambda start, count, value: seen.append((start, count, value)),
    )(view_of(tiny), with_labels(1), SEED)
    assert found.stop == "seconds" and found.iterations == 50
    assert [entry[:2] for entry in seen] == [(0, 50)]
    np.testing.assert_allclose(seen[-1][2], found.objective)


@pytest.mark.parametrize("initial", recipes.INITIALS)
def test_starts(tiny_knowledge, initial):
    images = starts.draw_images(tiny_knowledge, initial, SEED, 0)
    assert images.shape == (1, 4, 4, 1) and images.dtype == np.float32
    assert images.min() >= 0 and images.max() <= 1 and images.std() > 0
    other = starts.draw_images(tiny_knowledge, initial, SEED, 1)
    assert np.any(images != other)
