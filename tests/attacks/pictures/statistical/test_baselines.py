import dataclasses

import numpy as np
import pytest

from attacks import knowledge
from attacks.pictures.statistical import baselines, prior_pictures
from tests.attacks import victims
from tests.attacks.pictures.statistical import cases


@pytest.fixture(scope="module")
def known(tiny_knowledge):
    return cases.with_public(tiny_knowledge, count=30)


class TestPriorOnly:
    def run(self, model, known, prior):
        view, _ = cases.case(model, 0.5)
        return baselines.build_prior_only(prior)(view, known, cases.SEED)

    def test_means_by_hand(self, tiny, known):
        images = known.public_examples.examples
        found = self.run(tiny, known, "mean")
        np.testing.assert_allclose(found.examples[0], images.mean(axis=0), rtol=1e-6)
        labelled = dataclasses.replace(known, labels=(2,))
        found = self.run(tiny, labelled, "class_mean")
        np.testing.assert_allclose(
            found.examples[0], images[2::3].mean(axis=0), rtol=1e-6
        )
        assert found.labels == [2] and found.label_source == "known"

    def test_default_is_the_class_mean(self, tiny, known):
        labelled = dataclasses.replace(known, labels=(2,))
        view, _ = cases.case(tiny, 0.5)
        np.testing.assert_array_equal(
            baselines.build_mean_picture()(view, labelled, cases.SEED).examples,
            self.run(tiny, labelled, "class_mean").examples,
        )

    def test_random_is_a_public_picture_of_the_class(self, tiny, known):
        labelled = dataclasses.replace(known, batch_size=2, labels=(0, 1))
        view, _ = cases.case(tiny, 0.5)
        found = baselines.build_prior_only("random")(view, labelled, cases.SEED)
        for picture, label in zip(found.examples, (0, 1), strict=True):
            same = np.all(known.public_examples.examples == picture, axis=(1, 2, 3))
            assert known.public_examples.labels[same] == [label]

    @pytest.mark.parametrize("prior", prior_pictures.PRIORS)
    def test_no_gradient_is_used(self, tiny, known, prior):
        """Another message, or none that is finite, changes nothing."""
        view, _ = cases.case(tiny, 0.5)
        vector = np.full(tiny.spec.size, np.nan, np.float32)
        attack = baselines.build_prior_only(prior)
        found = attack(view, known, cases.SEED)
        cases.assert_identical(
            found, attack(victims.view_of(tiny, [vector]), known, cases.SEED)
        )
        assert found.stop == "prior_only" and found.matched_entries == 0
        assert np.isnan(found.objective)

    @pytest.mark.parametrize("prior", prior_pictures.PRIORS)
    def test_without_public_pictures_all_are_grey(self, tiny, tiny_knowledge, prior):
        found = self.run(tiny, tiny_knowledge, prior)
        np.testing.assert_array_equal(found.examples, np.full((1, 4, 4, 1), 0.5))

    def test_most_frequent_class_is_guessed(self, tiny, tiny_knowledge):
        public = knowledge.PublicExamples(
            victims.tiny_pictures(4), np.array([1, 2, 2, 0])
        )
        known = dataclasses.replace(tiny_knowledge, public_examples=public)
        assert self.run(tiny, known, "mean").labels == [2]

    def test_bad_settings_are_refused(self, tiny, known):
        with pytest.raises(ValueError, match="`prior` must be one of"):
            baselines.build_prior_only("median")
        other = victims.tiny_model(num_classes=4)
        view = victims.view_of(other, [np.zeros(other.spec.size, np.float32)])
        with pytest.raises(ValueError, match=r"`view.weights` must have the shapes"):
            baselines.build_mean_picture()(view, known, cases.SEED)


class TestBlindGuess:
    def test_it_is_the_mean_of_what_is_declared(self, known):
        images = known.public_examples.examples
        guess, made_of = prior_pictures.blind_guess(known)
        np.testing.assert_allclose(guess.examples[0], images.mean(axis=0), rtol=1e-6)
        assert made_of == "the mean of the attacker's 30 public examples"
        told = dataclasses.replace(known, labels=(2,))
        guess, made_of = prior_pictures.blind_guess(told)
        expected = images[2::3].mean(axis=0)
        np.testing.assert_allclose(guess.examples[0], expected, rtol=1e-6)
        assert made_of.endswith("public examples of the class that is told")

    def test_without_public_examples_it_is_the_middle(self, tiny_knowledge):
        guess, made_of = prior_pictures.blind_guess(tiny_knowledge)
        np.testing.assert_array_equal(guess.examples, np.full((1, 4, 4, 1), 0.5))
        assert made_of.startswith("the middle of the range of the data")


@pytest.mark.parametrize("distance", baselines.DISTANCES)
class TestRetrieval:
    @pytest.mark.parametrize(
        "hidden",
        [*(pytest.param(one, marks=pytest.mark.slow) for one in (0.0, 0.5)), 0.95],
    )
    def test_finds_a_public_victim(self, tiny, known, distance, hidden):
        public = known.public_examples
        vector = victims.gradient(tiny, public.examples[7:8], (int(public.labels[7]),))
        view = victims.view_of(tiny, [vector], victims.random_mask(243, hidden))
        found = baselines.build_retrieval(distance)(view, known, cases.SEED)
        np.testing.assert_array_equal(found.examples[0], public.examples[7])
        assert found.labels == [public.labels[7]] and found.label_source == "inferred"
        assert found.stop == "retrieved" and found.evaluations == 30
        assert found.objective < 1e-6

    def test_nearest_by_brute_force(self, tiny, known, distance):
        view, truth = cases.case(tiny, 0.5)
        seen = victims.gradient(tiny, truth.images, (1,))[~view.mask]
        public = known.public_examples
        rows = [
            victims.gradient(
                tiny, public.examples[i : i + 1], (int(public.labels[i]),)
            )[~view.mask]
            for i in range(30)
        ]
        far = [
            np.sum((row - seen) ** 2)
            if distance == "squared"
            else 1 - row @ seen / np.linalg.norm(row) / np.linalg.norm(seen)
            for row in rows
        ]
        found = baselines.build_retrieval(distance)(view, known, cases.SEED)
        np.testing.assert_array_equal(
            found.examples[0], public.examples[int(np.argmin(far))]
        )

    def test_batch_of_public_pictures(self, tiny, known, distance):
        public = known.public_examples
        chosen, labels = [4, 12], (1, 0)
        vector = victims.gradient(tiny, public.examples[chosen], labels)
        view = victims.view_of(tiny, [vector], victims.random_mask(243, 0.3))
        pair = dataclasses.replace(known, batch_size=2, labels=labels)
        found = baselines.build_retrieval(distance)(view, pair, cases.SEED)
        cases.check_result(found, count=2)
        assert tuple(found.labels) == labels and found.label_source == "known"
        assert np.any(found.examples[0] != found.examples[1])

    def test_no_leak(self, tiny, known, distance):
        cases.check_no_leak(baselines.build_retrieval(distance), tiny, known)

    def test_undefined_cases(self, tiny, known, distance):
        cases.check_undefined_cases(baselines.build_retrieval(distance), tiny, known)

    def test_missing_pictures_are_refused(self, tiny, known, distance):
        cases.check_needs_pictures(baselines.build_retrieval(distance), tiny, known)


def test_one_picture_is_not_taken_twice(tiny, tiny_knowledge):
    public = knowledge.PublicExamples(victims.tiny_pictures(2), np.array([0, 0]))
    vector = victims.gradient(tiny, public.examples[[0, 0]], (0, 0))
    pair = dataclasses.replace(tiny_knowledge, batch_size=2, public_examples=public)
    view = victims.view_of(tiny, [vector])
    found = baselines.build_retrieval()(view, pair, cases.SEED)
    assert np.any(found.examples[0] != found.examples[1])


def test_bad_distance_is_refused():
    with pytest.raises(ValueError, match="`distance` must be one of: squared, cosine"):
        baselines.build_retrieval("l1")
