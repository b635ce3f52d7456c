import dataclasses
import functools

import numpy as np
import pytest

from attacks import effort, knowledge
from attacks import target as target_lib
from attacks.pictures.statistical import (
    gradient_kernels,
    kernel_ridge,
    mask_evidence,
    nearby_examples,
    posterior_regression,
)
from tests.attacks import victims
from tests.attacks.pictures.statistical import cases

ATTACK = victims.shared(posterior_regression.build_posterior_regression)
TWO = effort.Effort(restarts=1, max_iterations=2)


@pytest.fixture(scope="module")
def known(tiny_knowledge):
    return cases.with_public(tiny_knowledge, count=60)


def contrasts(count, seed):
    """4x4 pictures with an edge somewhere, which turn many units on or off."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:4, 0:4] / 1.5 - 1
    angle, far = generator.uniform(0, 2 * np.pi, count), generator.normal(0, 0.5, count)
    across = np.multiply.outer(np.cos(angle), rows) + np.multiply.outer(
        np.sin(angle), columns
    )
    images = 1 / (1 + np.exp(-4 * (across - far[:, np.newaxis, np.newaxis])))
    return images[..., np.newaxis].astype(np.float32)


@functools.cache
def rectified():
    """A ReLU network and a picture's gradient, of which most entries are zero."""
    model = victims.tiny_rectified(24)
    image = contrasts(1, seed=1)
    return model, image, victims.gradient(model, image, (1,))


def largest(vector, share):
    """The mask of a message's own largest entries."""
    mask = np.zeros(len(vector), bool)
    mask[np.argsort(-np.abs(vector), kind="stable")[: round(share * len(vector))]] = (
        True
    )
    return mask


class TestRidge:
    def samples(self, count=40):
        generator = np.random.default_rng(0)
        features = generator.normal(size=(count + 1, 6))
        return features, features @ generator.normal(size=(6, 3)) + 5.0

    def kernel(self, features):
        known, seen = features[:-1], features[-1]
        return kernel_ridge.Kernel(known @ known.T, known @ seen, float(seen @ seen))

    def test_what_is_left_out_is_predicted_by_the_others(self):
        features, values = self.samples()
        noisy = values + np.random.default_rng(1).normal(size=values.shape)
        found = kernel_ridge.regress(self.kernel(features), noisy[:-1], 0.1)
        kernel = features[:-1] @ features[:-1].T
        # The ridge that the whole has, on the others alone.
        level = 0.1 * np.trace(kernel) / 40
        others = features[1:-1]
        inner = others @ others.T
        alone = kernel_ridge.Kernel(inner, others @ features[0], 0.0)
        ridge = level / (np.trace(inner) / 39)
        predicted = kernel_ridge.regress(alone, noisy[1:-1], ridge).prediction
        np.testing.assert_allclose(found.left_out[0], noisy[0] - predicted, rtol=1e-8)
        assert found.error == pytest.approx(np.mean(found.left_out**2))

    def test_a_straight_line_is_found(self):
        features, values = self.samples()
        found = kernel_ridge.fit(self.kernel(features), values[:-1])
        np.testing.assert_allclose(found.prediction, values[-1], atol=1e-2)

    def test_weights_leave_out_what_says_nothing(self):
        features, values = self.samples(30)
        noise = np.random.default_rng(2).normal(size=(31, 40))
        kernels = [self.kernel(features), self.kernel(noise)]
        chosen = kernel_ridge.choose_weights(
            kernels,
            values[:-1],
            [(0.0, 1.0), (1.0, 1.0), (1.0, 0.0)],
            np.random.default_rng(0),
        )
        assert chosen == (1.0, 0.0)


class TestExamples:
    def test_copies_are_near_and_differ(self):
        rows, columns = np.mgrid[0:8, 0:8]
        disc = np.exp(-((rows - 4) ** 2 + (columns - 3) ** 2) / 6)
        public = disc[np.newaxis, ..., np.newaxis].astype(np.float32)
        made = nearby_examples.copies(public, 50, np.random.default_rng(0))
        apart = np.mean((made - public) ** 2, axis=(1, 2, 3))
        assert made.shape == (50, 8, 8, 1) and made.dtype == np.float32
        assert np.all(apart > 0) and np.median(apart) < 0.1 * np.var(public)
        # About the middle: on average nothing moves.
        assert np.mean((made.mean(axis=0) - public[0]) ** 2) < 0.02 * np.var(public)

    def test_rows_are_mixed(self):
        public = np.eye(3, dtype=np.float32)
        made = nearby_examples.copies(public, 20, np.random.default_rng(0))
        assert made.shape == (20, 3) and np.all(made >= 0)
        np.testing.assert_allclose(made.sum(axis=1), 1, rtol=1e-6)

    def test_the_next_are_about_the_guess(self):
        generator = np.random.default_rng(0)
        left_out = generator.normal(0, 0.01, (40, 5))
        spread = nearby_examples.Spread(np.full(5, 0.5), left_out)
        pool = generator.uniform(size=(200, 5)).astype(np.float32)
        alone = nearby_examples.following(spread, None, 2.0, generator)
        both = nearby_examples.following(spread, pool, 2.0, generator)
        assert alone.shape == both.shape == (40, 5)
        np.testing.assert_allclose(np.std(alone), 2 * np.std(left_out), rtol=0.1)
        far = np.sort(np.sum((pool - 0.5) ** 2, axis=1))
        np.testing.assert_allclose(
            np.sum((both[:20] - 0.5) ** 2, 1), far[:20], rtol=1e-4
        )


class TestMask:
    def target(self, vector, mask):
        return target_lib.Target(
            np.where(mask, 0, vector).astype(np.float32), ~mask, ~mask, (1,), np.ones(1)
        )

    def test_what_it_follows_is_told(self):
        generator = np.random.default_rng(0)
        vectors = generator.normal(size=(9, 400)) * generator.lognormal(size=400)
        scale = np.logspace(-2, 2, 9)[:, np.newaxis]
        for vector in vectors:
            for mask, own in (
                (largest(vector, 0.3), True),
                (generator.random(400) < 0.3, False),
                (largest(vectors.mean(axis=0), 0.3), False),
                (np.zeros(400, bool), False),
            ):
                seen = np.where(mask, 0, 1e3 * vector)
                assert mask_evidence.follows(~mask, seen, scale * vectors) == own

    def test_hidden_entries_are_as_large_as_the_largest_visible(self):
        vector = np.array([-1, 0.5, 3.0, 2, 0, -4])
        found = mask_evidence.bounds(self.target(vector, largest(vector, 0.5)), (2, 4))
        np.testing.assert_array_equal(found.least, np.float32(1))
        assert np.all(found.known)

    def test_behind_the_first_visible_zero_nothing_hidden_is_zero(self):
        vector = np.array([0.0, 5, 0, 0, 6, 0, 7])
        found = mask_evidence.bounds(
            self.target(vector, largest(vector, 4 / 7)), (3, 4)
        )
        np.testing.assert_array_equal(found.least, np.float32(0))
        # The first zero is hidden, so that the entries before the next are not sure.
        np.testing.assert_array_equal(found.known, [0, 0, 1, 1, 1, 1, 1])

    def test_tensors_of_equal_shares_have_bounds_of_their_own(self):
        vector = np.array([8.0, 4, 2, 1])
        mask = np.array([True, False, True, False])
        found = mask_evidence.bounds(self.target(vector, mask), (2, 2))
        np.testing.assert_array_equal(found.least, np.float32([4, 4, 1, 1]))


@pytest.mark.parametrize("hidden", [0.0, 0.9])
def test_smooth_pictures_are_found(tiny, known, hidden):
    view, truth = cases.case(tiny, hidden)
    found = ATTACK()(view, known, cases.SEED)
    cases.check_result(found)
    assert cases.psnr(found, truth) > 60
    assert list(found.labels) == list(truth.labels) and not found.converged
    assert found.label_source == ("guessed" if hidden else "inferred")
    # What it says of itself gets better.
    assert 1 < found.iterations == len(found.start_objectives) <= 6
    assert found.start_objectives[-1] < found.start_objectives[0]


@pytest.mark.parametrize("share", [0.7, 0.9])
def test_a_mask_of_the_largest_entries_is_read(share):
    """Nothing but zeros is visible, and the mask says which units were on."""
    model, image, vector = rectified()
    mask = largest(vector, share)
    assert not np.any(vector[~mask])
    view = victims.view_of(model, [vector], mask)
    public = knowledge.PublicExamples(contrasts(80, 3), np.arange(80) % 3)
    known = knowledge.Knowledge(model, labels=(1,), public_examples=public)
    found = ATTACK(effort=TWO)(view, known, cases.SEED)
    error, blind = (
        np.mean(np.square(one - image[0]))
        for one in (found.examples[0], public.examples.mean(axis=0))
    )
    assert error < 0.6 * blind


def test_no_leak(tiny, known):
    cases.check_result(cases.check_no_leak(ATTACK(effort=TWO), tiny, known))


def test_undefined_cases(tiny, known):
    view, _ = cases.case(tiny, 1.0)
    found = ATTACK()(view, known, cases.SEED)
    assert found.stop == "nothing_visible"


def test_the_time_is_looked_at(tiny, known):
    view, _ = cases.case(tiny, 0.3)
    said = []
    short = effort.Effort(restarts=1, max_iterations=5, max_seconds=1e-6)
    found = ATTACK(effort=short, progress=lambda *one: said.append(one))(
        view, known, cases.SEED
    )
    assert found.stop == "seconds" and found.iterations == 1
    assert said == [(0, 1, found.start_objectives[0])]


def test_what_it_is_not_for(tiny, known):
    view, _ = cases.case(tiny, 0.5)
    cases.check_needs_pictures(ATTACK(), tiny, known)
    with pytest.raises(knowledge.DoesNotApply, match="must be 1 for this attack"):
        ATTACK()(view, dataclasses.replace(known, batch_size=2), cases.SEED)


def test_nothing_visible_that_differs_does_not_apply(tiny, known):
    """A head without weights sends nothing to the layers before it."""
    view, _ = cases.case(tiny, 0.3)
    weights = (*view.weights[:-2], *[0 * tensor for tensor in view.weights[-2:]])
    mask = np.ones_like(view.mask)
    mask[: tiny.spec.sizes[0]] = False
    message = view.messages[0]._replace(plain=np.zeros(tiny.spec.sizes[0], np.float32))
    silent = view._replace(weights=weights, mask=mask, messages=(message,))
    with pytest.raises(knowledge.DoesNotApply, match="must differ"):
        ATTACK(effort=TWO)(silent, known, cases.SEED)


def test_weights_are_offered_by_depth_and_kind():
    entries = np.arange(3)
    chosen = [
        gradient_kernels.Chosen("value", depth, 1.0, entries) for depth in (0.0, 1.0)
    ]
    assert gradient_kernels.offered_weights(chosen) == [
        (1.0, 1.0),
        (0.05, 1.0),
        (0.0, 2.0),
        (1.0, 0.1),
    ]
    both = [*chosen, gradient_kernels.Chosen("size", 1.0, 1.0, entries)]
    assert (0.05, 1.0, 0.1) in gradient_kernels.offered_weights(both)
