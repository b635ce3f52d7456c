"""Several rounds of the same pictures, on the tiny dense net."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from attacks.continuous.second_order import dlg, multi_round
from attacks.metrics import evaluation
from attacks.optimisers import lbfgs
from tests.attacks import victims

build_dlg = victims.shared(dlg.build_dlg)
build_multi_round = victims.shared(multi_round.build_multi_round)

SEED = (5, 6)
QUICK = lbfgs.Budget(max_iterations=30, scout_iterations=10)


def rounds(model, count, hidden, images, labels, fixed_mask=False, spoil=None):
    """Views of rounds at other weights, whose masks change or stay."""
    seen = []
    for index in range(count):
        generator = np.random.default_rng(index)
        weights = tuple(
            tf.constant(
                tensor + 0.1 * generator.normal(size=tensor.shape), tensor.dtype
            )
            for tensor in model.initial_weights
        )
        moved = model._replace(initial_weights=weights)
        vector = victims.gradient(moved, images, labels)
        mask = victims.random_mask(model.spec.size, hidden, 0 if fixed_mask else index)
        if spoil is not None:
            vector = np.where(mask, np.float32(spoil), vector)
        seen.append(victims.view_of(moved, [vector], mask))
    return seen


def psnr(found, images, labels):
    truth = evaluation.Truth(images, np.array(labels))
    return min(record.psnr for record in evaluation.evaluate(found, truth))


def attack(views, known, **options):
    together = dataclasses.replace(known, earlier=tuple(views[1:]))
    return build_multi_round(**options)(views[0], together, SEED)


def same(first, second):
    np.testing.assert_array_equal(first.examples, second.examples)
    assert first.objective == second.objective and first.stop == second.stop


@pytest.mark.parametrize("hidden", [0.0, 0.4])
def test_one_round_is_dlg(tiny, with_labels, hidden):
    views = rounds(tiny, 1, hidden, victims.tiny_pictures(1), (1,))
    same(
        attack(views, with_labels(1), budget=QUICK),
        build_dlg(budget=QUICK)(views[0], with_labels(1), SEED),
    )


@pytest.mark.parametrize(
    "fixed_mask", [False, pytest.param(True, marks=pytest.mark.slow)]
)
def test_rounds_recover_what_one_cannot(tiny, with_labels, fixed_mask):
    images = victims.tiny_pictures(1)
    views = rounds(tiny, 4, 0.95, images, (1,), fixed_mask)
    alone = psnr(attack(views[:1], with_labels(1)), images, (1,))
    together = psnr(attack(views, with_labels(1)), images, (1,))
    assert alone < 25
    assert together > 45


def test_labels_are_inferred_from_all_rounds(tiny, tiny_knowledge):
    images = victims.tiny_pictures(1)
    views = rounds(tiny, 4, 0.8, images, (2,))
    found = attack(views, tiny_knowledge)
    assert found.label_source == "inferred" and found.labels == [2]
    assert psnr(found, images, (2,)) > 45


def test_hidden_entries_are_never_read(tiny, with_labels):
    images = victims.tiny_pictures(1)
    plain, spoiled = (
        rounds(tiny, 2, 0.5, images, (0,), spoil=value) for value in (None, np.nan)
    )
    same(
        attack(plain, with_labels(0), budget=QUICK),
        attack(spoiled, with_labels(0), budget=QUICK),
    )


def test_a_broken_round_is_reported(tiny, with_labels):
    views = rounds(tiny, 2, 0.0, victims.tiny_pictures(1), (0,))
    nothing = np.full(tiny.spec.size, np.nan, np.float32)
    views[1] = victims.view_of(tiny, [nothing])
    found = attack(views, with_labels(0), budget=QUICK)
    assert found.stop == "not_finite" and np.all(np.isfinite(found.examples))


def test_nothing_visible(tiny, with_labels):
    views = rounds(tiny, 2, 1.0, victims.tiny_pictures(1), (0,))
    found = attack(views, with_labels(0))
    assert found.stop == "nothing_visible" and found.matched_entries == 0


def test_errors_name_the_argument(tiny, with_labels):
    with pytest.raises(ValueError, match="`mode` must be one of"):
        build_multi_round("zeros")
    views = rounds(tiny, 2, 0.0, victims.tiny_pictures(1), (0,))
    with pytest.raises(ValueError, match=r"`source` must be in \[0, 1\)"):
        attack(views, with_labels(0), source=1)
