import dataclasses

import numpy as np
import pytest

from attacks import knowledge
from attacks import target as target_lib
from attacks.matching import matching
from attacks.pictures.statistical import (
    public_attack,
    public_examples,
    public_gradients,
)
from tests.attacks import victims

LABELS = np.arange(12) % 3


@pytest.fixture(scope="module")
def public():
    return knowledge.PublicExamples(victims.tiny_pictures(12, seed=5), LABELS)


def target_of(sizes=(1,), shares=(1.0,)):
    nothing = np.zeros(243, np.float32)
    seen = np.ones(243, np.bool_)
    return target_lib.Target(nothing, seen, seen, sizes, np.array(shares))


def weights_of(model):
    return tuple(tensor.numpy() for tensor in model.initial_weights)


def test_rows_are_what_clients_would_send(tiny, public):
    batches = public_gradients.Batches(
        np.array([[0], [7], [3]]), np.array([[0], [1], [2]])
    )
    columns = np.array([0, 17, 200, 242])
    found = public_gradients.batch_gradients(
        tiny, weights_of(tiny), public, batches, target_of(), columns, chunk=2
    )
    assert found.shape == (3, 4) and found.dtype == np.float32
    for row, index, label in zip(found, (0, 7, 3), (0, 1, 2), strict=True):
        sent = victims.gradient(tiny, public.examples[index : index + 1], (label,))
        np.testing.assert_allclose(row, sent[columns], rtol=1e-4, atol=1e-7)


def test_batches_are_weighted_means_of_groups(tiny, public):
    batches = public_gradients.Batches(np.array([[0, 1, 2]]), np.array([[0, 1, 2]]))
    found = public_gradients.batch_gradients(
        tiny,
        weights_of(tiny),
        public,
        batches,
        target_of((1, 2), (0.25, 0.75)),
        np.arange(243),
    )
    first = victims.gradient(tiny, public.examples[:1], (0,))
    second = victims.gradient(tiny, public.examples[1:3], (1, 2))
    np.testing.assert_allclose(found[0], 0.25 * first + 0.75 * second, atol=1e-6)


def test_weights_of_the_round_are_used(tiny, public):
    batches = public_gradients.Batches(np.array([[0]]), np.array([[0]]))
    zeros = tuple(np.zeros_like(tensor) for tensor in weights_of(tiny))
    found = public_gradients.batch_gradients(
        tiny, zeros, public, batches, target_of(), np.arange(240, 243)
    )
    # All logits are zero: p - y.
    np.testing.assert_allclose(found, [[-2 / 3, 1 / 3, 1 / 3]], rtol=1e-5)


class TestDrawing:
    def draw(self, public, size, labels, count, among=None, seed=0):
        return public_gradients.draw_batches(
            public, size, labels, count, np.random.default_rng(seed), among
        )

    def test_single_pictures_are_not_repeated(self, public):
        found = self.draw(public, 1, None, 50)
        assert sorted(found.indices[:, 0]) == list(range(12))
        np.testing.assert_array_equal(found.labels, LABELS[found.indices])

    def test_known_class_comes_from_its_own_pictures(self, public):
        found = self.draw(public, 1, (2,), 50)
        assert sorted(found.indices[:, 0]) == [2, 5, 8, 11]
        assert np.all(found.labels == 2)

    def test_class_without_pictures_takes_all(self, public):
        found = self.draw(public, 1, (9,), 50)
        assert len(found.indices) == 12 and np.all(found.labels == 9)

    def test_batches_have_distinct_pictures(self, public):
        found = self.draw(public, 4, None, 20)
        assert found.indices.shape == (20, 4)
        assert all(len(set(row)) == 4 for row in found.indices)

    def test_places_have_the_known_classes(self, public):
        found = self.draw(public, 3, (1, 0, 1), 20)
        np.testing.assert_array_equal(LABELS[found.indices], found.labels)
        np.testing.assert_array_equal(found.labels, [[1, 0, 1]] * 20)
        assert np.all(found.indices[:, 0] != found.indices[:, 2])

    def test_few_pictures_are_repeated(self, public):
        found = self.draw(public, 3, None, 4, among=np.array([6]))
        assert np.all(found.indices == 6)

    def test_only_among_those_allowed(self, public):
        allowed = np.array([1, 2, 4, 8])
        for labels in (None, (1, 2)):
            found = self.draw(public, 2, labels, 30, allowed)
            assert set(found.indices.ravel()) <= set(allowed)


def test_entries_are_bounded():
    generator = np.random.default_rng(0)
    candidates = np.arange(100) % 2 == 0
    some = public_gradients.choose_entries(candidates, 7, generator)
    assert (
        len(set(some)) == 7 and np.all(candidates[some]) and np.all(np.diff(some) > 0)
    )
    everything = public_gradients.choose_entries(candidates, 50, generator)
    np.testing.assert_array_equal(everything, np.arange(0, 100, 2))


def test_pairs_have_an_order(tiny, tiny_knowledge, public):
    known = dataclasses.replace(tiny_knowledge, batch_size=3, public_examples=public)
    case = public_attack.Case(
        weights_of(tiny),
        target_of((1, 2), (0.5, 0.5)),
        known,
        public,
        np.random.default_rng(0),
        victims.PROGRAMS.of(matching.build_matching, tiny),
        victims.PROGRAMS,
        began=0.0,
    )
    pairs = public_examples.make_pairs(case, None, np.arange(5), 10)
    assert pairs.gradients.shape == (10, 5) and pairs.pictures.shape == (10, 48)
    rows = pairs.pictures.reshape(10, 3, 4, 4, 1)
    index = np.argmin(
        np.abs(rows[:, :, np.newaxis] - public.examples).sum(axis=(3, 4, 5)), axis=2
    )
    keys = LABELS[index] + rows.mean(axis=(2, 3, 4)) / 10
    # The group of one stays first; in the group of two the classes ascend.
    assert np.all(keys[:, 1] <= keys[:, 2]) and np.any(keys[:, 0] > keys[:, 1])


def test_known_labels_are_ordered_within_groups():
    assert public_examples.ordered_labels((2, 1, 9, 3), (2, 2)) == (1, 2, 3, 9)
    assert public_examples.ordered_labels((2, 1, 0), (3,)) == (0, 1, 2)


def test_parts_share_no_picture(public):
    parts = public_examples.split_pictures(public, 0.25, np.random.default_rng(0))
    assert sorted(np.concatenate(parts)) == list(range(12)) and len(parts[1]) == 3


def test_missing_knowledge_is_named(tiny_knowledge, public):
    with pytest.raises(ValueError, match=r"`knowledge.public_examples` must have"):
        public_gradients.require_pictures(tiny_knowledge)
    several = dataclasses.replace(
        tiny_knowledge,
        public_examples=public,
        local_training=knowledge.LocalTraining(0.1, epochs=2),
    )
    with pytest.raises(ValueError, match=r"`knowledge.local_training` must be None"):
        public_gradients.require_pictures(several)
