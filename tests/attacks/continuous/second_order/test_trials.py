"""Many gradients attacked by one program, against one after the other."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from attacks import knowledge
from attacks import target as target_lib
from attacks.continuous.second_order import idlg, matching_attack, trials
from attacks.matching import matching
from attacks.metrics import evaluation
from attacks.optimisers import lbfgs
from selenc_tf.models import lenet
from tests.attacks import victims

LABELS = (1, 2, 0)


def cases_of(model, known, hidden=0.2, spoil=None):
    images = victims.tiny_pictures(3)
    found = []
    for index, label in enumerate(LABELS):
        vector = victims.gradient(model, images[index : index + 1], (label,))
        mask = victims.random_mask(model.spec.size, hidden, index)
        if spoil is not None:
            vector = np.where(mask, np.float32(spoil), vector)
        view = victims.view_of(model, [vector], mask)
        found.append(trials.Case(view, known, (4, index)))
    return images, found


def test_all_pictures_are_recovered(tiny, tiny_knowledge):
    images, cases = cases_of(tiny, tiny_knowledge)
    found = trials.build_trials()(cases)
    for index, one in enumerate(found):
        truth = evaluation.Truth(images[index : index + 1], np.array([LABELS[index]]))
        (record,) = evaluation.evaluate(one, truth)
        assert record.psnr > 60 and record.label_correct
        assert one.converged and one.label_source == "inferred"
        assert len(one.start_objectives) == 2
        alone = idlg.build_idlg()(cases[index].view, tiny_knowledge, (4, index))
        np.testing.assert_allclose(one.images, alone.images, atol=1e-4)


def test_starts_are_those_of_the_single_attack(tiny, tiny_knowledge):
    _, cases = cases_of(tiny, tiny_knowledge, hidden=1.0)
    known = dataclasses.replace(tiny_knowledge, labels=(0,))
    (found,) = trials.build_trials()([cases[0]._replace(knowledge=known)])
    target = target_lib.build_target(cases[0].view, known, 0, "mask_aware")
    start = matching_attack.draw_start(target, known, "grey", (4, 0), 0)
    np.testing.assert_array_equal(found.images, start.images.astype(np.float32))
    assert found.stop == "nothing_visible" and not found.converged


def test_hidden_entries_are_never_read(tiny, tiny_knowledge):
    attack = trials.build_trials(budget=lbfgs.Budget(max_iterations=10))
    first, second = (
        attack(cases_of(tiny, tiny_knowledge, spoil=value)[1])
        for value in (None, np.nan)
    )
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.images, other.images)
        assert one.objective == other.objective


def test_a_broken_case_does_not_disturb_the_others(tiny, tiny_knowledge):
    _, cases = cases_of(tiny, dataclasses.replace(tiny_knowledge, labels=(0,)))
    nothing = np.full(tiny.spec.size, np.nan, np.float32)
    cases[1] = cases[1]._replace(view=victims.view_of(tiny, [nothing]))
    attack = trials.build_trials(budget=lbfgs.Budget(max_iterations=10))
    found = attack(cases)
    assert found[1].stop == "not_finite" and np.all(np.isfinite(found[1].images))
    (alone,) = attack(cases[2:])
    np.testing.assert_allclose(found[2].images, alone.images, atol=1e-9)


def test_no_cases():
    assert trials.build_trials()([]) == ()


def test_errors_name_the_argument(tiny, tiny_knowledge):
    _, cases = cases_of(tiny, tiny_knowledge)
    run = trials.build_trials()
    other = dataclasses.replace(tiny_knowledge, matching=None)
    with pytest.raises(ValueError, match=r"`cases\[1\].knowledge` must have the model"):
        run([cases[0], cases[1]._replace(knowledge=other)])
    weights = tuple(tensor + 1 for tensor in cases[1].view.weights)
    moved = cases[1]._replace(view=cases[1].view._replace(weights=weights))
    with pytest.raises(ValueError, match=r"`cases\[1\].view.weights` must be those"):
        run([cases[0], moved])
    hidden = cases_of(tiny, dataclasses.replace(tiny_knowledge, batch_size=2))[1]
    with pytest.raises(ValueError, match=r"`knowledge.labels` must be declared"):
        run(hidden)
    stepped = dataclasses.replace(
        tiny_knowledge, local_training=knowledge.LocalTraining(0.1)
    )
    with pytest.raises(ValueError, match=r"local_training` must be None"):
        run([cases[0]._replace(knowledge=stepped)])
    with pytest.raises(ValueError, match="`mode` must be one of"):
        trials.build_trials("zeros")


def test_xla_with_patches_is_the_same_objective():
    model = lenet.lenet((8, 8, 1), 3, 0)
    plain, fast = (
        matching.build_matching(model, jit_compile=jit) for jit in (False, True)
    )
    generator = np.random.default_rng(0)
    images = tf.constant(generator.uniform(size=(2, 1, 8, 8, 1)))
    labels = tf.one_hot([[0], [2]], 3, dtype=tf.float64)
    size = model.spec.size
    observed = matching.Observed(
        weights=tuple(tf.cast(one, tf.float64) for one in model.initial_weights),
        target=tf.constant(generator.normal(size=(2, size))),
        entry_weights=tf.constant(generator.uniform(size=(2, size)) / size),
        shares=tf.ones([1], tf.float64),
    )
    expected = plain.trials(observed, (1,), images, labels)
    found = fast.trials(observed, (1,), images, labels)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-14)
