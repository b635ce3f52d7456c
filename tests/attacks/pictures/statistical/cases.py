"""Cases that the tests of the statistical attackers share."""

import dataclasses

import numpy as np
import pytest

from attacks import effort, knowledge
from attacks.metrics import evaluation
from tests.attacks import victims

SEED = (3, 4)
QUICK = effort.Effort(restarts=1, max_iterations=12)


def smooth_pictures(count, seed):
    """4x4 pictures in a plane of three patterns: what one shows of another."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:4, 0:4] / 3.0
    patterns = np.stack([rows, columns, rows * columns])
    amounts = generator.uniform(-1 / 6, 1 / 6, (count, 3))
    images = 0.5 + np.einsum("ap,phw->ahw", amounts, patterns)
    return images[..., np.newaxis].astype(np.float32)


def with_public(known, count=60, **changes):
    public = knowledge.PublicExamples(
        smooth_pictures(count, seed=11), np.arange(count) % 3
    )
    return dataclasses.replace(known, public_examples=public, **changes)


def case(model, hidden, seed=1, label=1, count=1):
    """A view of smooth pictures, some entries hidden, and the truth."""
    images = smooth_pictures(count, seed)
    labels = tuple((label + index) % 3 for index in range(count))
    mask = victims.random_mask(model.spec.size, hidden)
    view = victims.view_of(model, [victims.gradient(model, images, labels)], mask)
    return view, evaluation.Truth(images, np.array(labels))


def psnr(found, truth):
    return evaluation.evaluate(found, truth)[0].psnr


def check_result(found, count=1):
    assert found.examples.shape == (count, 4, 4, 1)
    assert found.examples.dtype == np.float32 and found.labels.dtype == np.int64
    assert np.all(np.isfinite(found.examples))
    assert found.examples.min() >= 0 and found.examples.max() <= 1


def assert_identical(first, second):
    np.testing.assert_array_equal(first.examples, second.examples)
    np.testing.assert_array_equal(first.labels, second.labels)
    np.testing.assert_equal(first.objective, second.objective)


def check_no_leak(attack, model, known):
    """Hidden entries are never read, nor are the model's own weights."""
    view, truth = case(model, 0.4)
    vector = victims.gradient(model, truth.images, tuple(truth.labels))
    poisoned = tuple(tensor * np.nan for tensor in known.model.initial_weights)
    elsewhere = dataclasses.replace(
        known, model=known.model._replace(initial_weights=poisoned)
    )
    # Nothing that is poisoned in one of them makes a difference.
    found, other = (
        attack(
            victims.view_of(
                model, [np.where(view.mask, np.float32(hidden), vector)], view.mask
            ),
            told,
            SEED,
        )
        for hidden, told in ((7.0, known), (np.nan, elsewhere))
    )
    assert_identical(found, other)
    return found


def check_undefined_cases(attack, model, known):
    """Nothing visible, and nothing finite, give a defined result."""
    view, _ = case(model, 1.0)
    found = attack(view, known, SEED)
    check_result(found)
    assert found.stop == "nothing_visible" and not found.converged
    vector = np.full(model.spec.size, np.nan, np.float32)
    found = attack(victims.view_of(model, [vector]), known, SEED)
    check_result(found)
    assert found.stop == "not_finite" and np.isnan(found.objective)
    zeros = victims.view_of(model, [np.zeros(model.spec.size, np.float32)])
    check_result(attack(zeros, known, SEED))


def check_needs_pictures(attack, model, known):
    view, _ = case(model, 0.5)
    bare = dataclasses.replace(known, public_examples=None)
    with pytest.raises(ValueError, match=r"`knowledge.public_examples` must have"):
        attack(view, bare, SEED)
