"""The race of labels, where the head is hidden and the classes are many."""

import dataclasses
import math
import time

import numpy as np
import pytest
import tensorflow as tf

from attacks import effort, knowledge, programs
from attacks import target as target_lib
from attacks.continuous.second_order import idlg, label_race, multi_round, problems
from attacks.labels import signs
from attacks.matching import matching
from attacks.metrics import evaluation
from attacks.optimisers import lbfgs
from selenc_tf.models import lenet
from tests.attacks import victims

build_idlg = victims.shared(idlg.build_idlg)
build_multi_round = victims.shared(multi_round.build_multi_round)

SEED = (1, 2)
CLASSES = 20
LABEL = 13
IMAGES = victims.tiny_pictures(1)
LEAST = effort.Effort(max_iterations=100)
"""A quarter is 25: one iteration for each of 20 and 5 trials."""
LARGE = effort.Effort(max_iterations=4500)
"""A tenth is 450: ten iterations for each of 2 * 20 and 5 trials."""


def hidden_head(model, ratio=0.0):
    mask = victims.random_mask(model.spec.size, ratio)
    head = signs.find_head(model.spec, model.num_classes)
    mask[head.kernel] = mask[head.bias] = True
    return mask


def psnr(found, images, label):
    truth = evaluation.Truth(images, np.array([label]))
    (record,) = evaluation.evaluate(found, truth)
    assert record.label_correct
    return record.psnr


def problem_of(view, known):
    target = target_lib.build_target(view, known, 0, "mask_aware")
    return problems.Problem(
        (problems.Round(view.weights, target.vector, target.matched, target.shares),),
        target.sizes,
        ((target, 1),),
        victims.PROGRAMS.of(matching.build_matching, known.model),
    )


@pytest.fixture(scope="module")
def wide():
    """The tiny net with twenty classes."""
    model = victims.tiny_model(CLASSES)
    return knowledge.Knowledge(model)


@pytest.fixture(scope="module")
def vector(wide):
    return victims.gradient(wide.model, IMAGES, (LABEL,))


@pytest.fixture(scope="module")
def view(wide, vector):
    return victims.view_of(wide.model, [vector], hidden_head(wide.model))


def with_broken(known, broken, after=0):
    """Programs whose objective is NaN for some classes after so many evaluations."""
    own = victims.PROGRAMS.of(matching.build_matching, known.model)
    seen = dict.fromkeys(broken, 0)

    def spoil(value, label):
        if int(label) not in broken:
            return value
        seen[int(label)] += 1
        return tf.constant(np.nan, value.dtype) if seen[int(label)] > after else value

    def known_labels(rounds, sizes, images, labels, training=None):
        value, slope = own.known_labels(rounds, sizes, images, labels, training)
        return spoil(value, tf.argmax(labels[0])), slope

    def hypotheses(rounds, sizes, images, labels, training=None):
        values, slopes = own.hypotheses(rounds, sizes, images, labels, training)
        found = [
            spoil(value, label)
            for value, label in zip(
                values, tf.argmax(labels[:, 0], axis=1), strict=True
            )
        ]
        return tf.stack(found), slopes

    spoiled = programs.Programs()
    spoiled.use(
        own._replace(known_labels=known_labels, hypotheses=hypotheses),
        matching.build_matching,
        known.model,
    )
    return spoiled


class TestPlan:
    def test_by_hand(self):
        # A tenth of 2000 is 200: 100 + 12 trials, 1 iteration each; of 5000, 4 each.
        assert label_race.plan(100, 3, 2000) == (1, 1)
        assert label_race.plan(100, 3, 5000) == (1, 4)
        # Of 22,500, 2250: 10 each for 2 * 100 + 12 trials, but not for 3 * 100 + 12.
        assert label_race.plan(100, 3, 22_500) == (2, 10)
        assert label_race.plan(100, 1, 10**6) == (1, 10)
        # 13 trials, then the final with 4.
        assert label_race.plan(13, 1, 1000) == (1, 7)

    def test_too_few(self):
        # Where a tenth is less than 112, up to a quarter may be.
        assert label_race.plan(100, 2, 4 * 112) == (1, 1)
        assert label_race.plan(100, 2, 4 * 112 - 1) is None

    def test_those_of_this_file(self):
        assert label_race.plan(CLASSES, 2, LEAST.max_iterations) == (1, 1)
        assert label_race.plan(CLASSES, 2, LEAST.max_iterations - 1) is None
        assert label_race.plan(CLASSES, 2, LARGE.max_iterations) == (2, 10)


@pytest.mark.slow
@pytest.mark.parametrize("classes", [pytest.param(10, marks=pytest.mark.slow), 100])
def test_lenet_with_its_head_hidden(classes):
    model = lenet.lenet((8, 8, 1), classes, 0)
    known = knowledge.Knowledge(model)
    images = np.random.default_rng(3).uniform(0.1, 0.9, (1, 8, 8, 1))
    images, label = images.astype(np.float32), classes - 3
    view = victims.view_of(
        model, [victims.gradient(model, images, (label,))], hidden_head(model)
    )
    if classes == 100:
        found = build_idlg()(view, known, SEED)
        assert found.label_source == "enumerated"
        assert found.iterations <= 2000
        assert psnr(found, images, label) > 40
        return
    # So few classes are tried one by one; the race would find the label too.
    best, labels = label_race.minimise(
        problem_of(view, known),
        known,
        tuple((one,) for one in range(classes)),
        [np.full(images.shape, 0.5)],
        lbfgs.Budget(max_iterations=600),
    )
    assert labels == (label,)
    np.testing.assert_allclose(best.point, images.ravel(), atol=0.01)


@pytest.mark.parametrize("hidden", [0.0, 0.4])
def test_label_and_picture_are_found(wide, vector, hidden):
    mask = hidden_head(wide.model, hidden)
    found = build_idlg()(victims.view_of(wide.model, [vector], mask), wide, SEED)
    assert found.label_source == "enumerated" and found.converged
    assert psnr(found, IMAGES, LABEL) > 60


def test_same_seed_same_bits_and_hidden_entries_are_never_read(wide, vector, view):
    mask = hidden_head(wide.model)
    poisoned = np.where(mask, np.float32(np.nan), vector)
    attack = build_idlg(effort=effort.Effort(max_iterations=500))
    first = attack(view, wide, SEED)
    assert first.label_source == "enumerated"
    for other in (view, victims.view_of(wide.model, [poisoned], mask)):
        again = attack(other, wide, SEED)
        np.testing.assert_array_equal(first.examples, again.examples)
        np.testing.assert_array_equal(first.labels, again.labels)
        assert first.start_objectives == again.start_objectives
        assert (first.iterations, first.evaluations) == (
            again.iterations,
            again.evaluations,
        )
    other = attack(view, wide, (1, 3))
    assert other.labels == first.labels and np.any(other.examples != first.examples)


@pytest.mark.parametrize("after", [0, 2])
def test_hypotheses_that_are_not_finite_leave(wide, view, after):
    broken = tuple(one for one in range(CLASSES) if one % 3 == 0)
    assert LABEL not in broken
    spoiled = with_broken(wide, broken, after)
    found = idlg.build_idlg(effort=LARGE, programs=spoiled)(view, wide, SEED)
    assert found.label_source == "enumerated" and found.converged
    assert psnr(found, IMAGES, LABEL) > 60


def test_the_right_label_can_fail_alone(wide, view):
    limits = effort.Effort(max_iterations=500)
    spoiled = with_broken(wide, (LABEL,))
    found = idlg.build_idlg(effort=limits, programs=spoiled)(view, wide, SEED)
    assert found.label_source == "enumerated"
    assert found.labels != [LABEL] and math.isfinite(found.objective)


def test_nothing_is_finite(wide):
    nothing = np.full(wide.model.spec.size, np.nan, np.float32)
    view = victims.view_of(wide.model, [nothing], hidden_head(wide.model))
    found = build_idlg(effort=LARGE)(view, wide, SEED)
    assert found.label_source == "enumerated"
    assert found.stop == "not_finite" and not found.converged
    assert np.isnan(found.objective) and np.all(np.isfinite(found.examples))


class TestEffort:
    def run(self, known, view, progress=None, **limits):
        return build_idlg(effort=effort.Effort(**limits), progress=progress)(
            view, known, SEED
        )

    def test_iterations_are_those_of_heats_and_final(self, wide, view):
        seen = []
        found = self.run(
            wide,
            view,
            progress=lambda start, count, value: seen.append((count, value)),
            max_iterations=LEAST.max_iterations,
        )
        assert found.label_source == "enumerated"
        assert [count for count, _ in seen] == list(range(1, found.iterations + 1))
        assert CLASSES < found.iterations <= LEAST.max_iterations
        assert found.evaluations > found.iterations
        assert min(value for _, value in seen) >= found.objective

    def test_too_few_iterations_for_a_race(self, wide, view):
        too_few = LEAST.max_iterations - 1
        found = self.run(wide, view, max_iterations=too_few)
        assert found.label_source == "optimised" and found.iterations <= too_few

    def test_seconds(self, wide, view):
        self.run(wide, view, max_iterations=LEAST.max_iterations)
        began = time.monotonic()
        found = self.run(
            wide,
            view,
            # A slow machine: the heats' share is over after a few trials' iterations.
            progress=lambda *_: time.sleep(0.03),
            max_iterations=10_000,
            max_seconds=0.4,
        )
        # One round of all trials may come on top.
        assert time.monotonic() - began < 0.4 + CLASSES * 2 * 0.03 + 2
        assert found.stop == "seconds" and found.label_source == "enumerated"
        assert np.all(np.isfinite(found.examples))


def test_naive_attack_knows_no_doubt(wide, view):
    found = build_idlg("naive", effort=LEAST)(view, wide, SEED)
    assert found.label_source == "optimised"


def test_an_extra_start_goes_with_the_leader(wide, view):
    found = build_idlg(extra_starts=IMAGES[np.newaxis], effort=LEAST)(view, wide, SEED)
    assert found.label_source == "enumerated"
    assert found.labels == [LABEL] and found.objective <= 1e-12
    np.testing.assert_allclose(found.examples, IMAGES, atol=1e-6)


@pytest.mark.slow
def test_several_rounds_race_together(wide, view):
    earlier = dataclasses.replace(wide, earlier=(view,))
    found = build_multi_round()(view, earlier, SEED)
    assert found.label_source == "enumerated"
    assert psnr(found, IMAGES, LABEL) > 60


@pytest.mark.slow
def test_local_training_is_matched(wide):
    training = knowledge.LocalTraining(0.5, epochs=2)
    local = dataclasses.replace(wide, local_training=training)
    model = wide.model
    message = matching.group_gradient(
        model,
        matching.Observed(model.initial_weights, None, None, tf.ones([1])),
        (1,),
        tf.constant(IMAGES),
        tf.one_hot((LABEL,), CLASSES),
        training,
    ).numpy()
    view = victims.view_of(model, [message], hidden_head(model))
    found = build_idlg()(view, local, SEED)
    assert found.label_source == "enumerated"
    assert psnr(found, IMAGES, LABEL) > 60
