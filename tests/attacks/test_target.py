import dataclasses

import numpy as np
import pytest

from attacks import target
from attacks.matching import objectives
from tests.attacks import victims


@pytest.fixture
def round_of_two(tiny):
    images = victims.tiny_pictures(2)
    gradients = [
        victims.gradient(tiny, images[:1], (0,)),
        victims.gradient(tiny, images[1:], (2,)),
    ]
    mask = victims.random_mask(tiny.spec.size, 0.25)
    mean = np.mean(gradients, axis=0)
    return gradients, mask, victims.view_of(tiny, gradients, mask, mean)


def test_client_is_zero_filled(tiny_knowledge, round_of_two):
    gradients, mask, view = round_of_two
    found = target.build_target(view, tiny_knowledge, 1, "mask_aware")
    np.testing.assert_array_equal(found.vector, np.where(mask, 0, gradients[1]))
    np.testing.assert_array_equal(found.matched, ~mask)
    assert found.sizes == (1,)


def test_naive_matches_hidden_entries_as_zeros(tiny_knowledge, round_of_two):
    _, mask, view = round_of_two
    found = target.build_target(view, tiny_knowledge, 1, "naive")
    assert found.matched.all()
    np.testing.assert_array_equal(found.visible, ~mask)


@pytest.mark.parametrize("mode", target.MODES)
def test_aggregate_hides_nothing(tiny_knowledge, round_of_two, mode):
    gradients, _, view = round_of_two
    both = dataclasses.replace(tiny_knowledge, batch_size=2)
    found = target.build_target(view, both, "aggregate", mode)
    np.testing.assert_array_equal(found.vector, np.mean(gradients, axis=0))
    assert found.visible.all() and found.matched.all()
    assert found.sizes == (2,)


def test_shares_follow_the_messages_weights(tiny, tiny_knowledge, round_of_two):
    gradients, mask, view = round_of_two
    view = victims.view_of(tiny, gradients, mask, view.aggregate, weights=(1.0, 3.0))
    cohort = dataclasses.replace(tiny_knowledge, batch_size=3, client_sizes=(2, 1))
    found = target.build_target(view, cohort, "aggregate", "naive")
    assert found.sizes == (2, 1)
    np.testing.assert_array_equal(found.shares, [0.25, 0.75])


def test_modes_are_the_same_objective_when_nothing_is_hidden(tiny, tiny_knowledge):
    vector = victims.gradient(tiny, victims.tiny_pictures(1), (1,))
    view = victims.view_of(tiny, [vector])
    naive, aware = (
        target.build_target(view, tiny_knowledge, 0, mode) for mode in target.MODES
    )
    np.testing.assert_array_equal(naive.vector, aware.vector)
    np.testing.assert_array_equal(
        objectives.normalised_weights(naive.vector, naive.matched),
        objectives.normalised_weights(aware.vector, aware.matched),
    )


def test_errors_name_the_argument(tiny, tiny_knowledge, round_of_two):
    _, mask, view = round_of_two
    build = target.build_target
    with pytest.raises(ValueError, match=r"`mode` must be one of: naive, mask_aware"):
        build(view, tiny_knowledge, 0, "zero")
    with pytest.raises(ValueError, match=r"`source` must be in \[0, 2\).*client 2"):
        build(view, tiny_knowledge, 2, "naive")
    with pytest.raises(ValueError, match=r"`source` must be in \[0, 2\).*client -1"):
        build(view, tiny_knowledge, -1, "naive")
    with pytest.raises(ValueError, match=r"`source` must be the index"):
        build(view, tiny_knowledge, "sum", "naive")
    with pytest.raises(ValueError, match=r"`view.aggregate` is None"):
        build(view._replace(aggregate=None), tiny_knowledge, "aggregate", "naive")
    with pytest.raises(ValueError, match=r"`knowledge.client_sizes` must have one"):
        cohort = dataclasses.replace(tiny_knowledge, batch_size=1, client_sizes=(1,))
        build(view, cohort, "aggregate", "naive")
    with pytest.raises(ValueError, match=r"`knowledge.client_sizes` must be None"):
        build(view, cohort, 0, "naive")
    with pytest.raises(ValueError, match=r"`view.messages\[0\].plain` must have"):
        build(view._replace(mask=np.zeros_like(mask)), tiny_knowledge, 0, "naive")
    with pytest.raises(ValueError, match=r"`view.mask` must be bool \[243\]"):
        build(view._replace(mask=mask[:-1]), tiny_knowledge, 0, "naive")
    with pytest.raises(ValueError, match=r"`view.mask` must be bool .*float32"):
        build(view._replace(mask=mask.astype("float32")), tiny_knowledge, 0, "naive")
    with pytest.raises(ValueError, match=r"`view.aggregate` must have 243"):
        build(view._replace(aggregate=np.ones(3)), tiny_knowledge, 0, "naive")
    other = victims.tiny_model(num_classes=4)
    foreign = victims.view_of(other, [np.zeros(other.spec.size, np.float32)])
    with pytest.raises(ValueError, match=r"`view.weights` must have the shapes"):
        build(foreign, tiny_knowledge, 0, "naive")
