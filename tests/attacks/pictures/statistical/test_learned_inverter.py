import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from attacks import effort, knowledge, programs
from attacks.pictures.statistical import (
    feature_hash,
    inverter_network,
    learned_inverter,
    picture_learning,
)
from tests.attacks import victims
from tests.attacks.pictures.statistical import cases

INVERTER = victims.shared(learned_inverter.build_learned_inverter)
START = victims.shared(learned_inverter.build_learned_start)

LINEAR = picture_learning.Learning(learner="linear", batches=150)
NETWORK = picture_learning.Learning(hidden_units=32, learning_rate=3e-3, batches=150)
SHORT = picture_learning.Learning(hidden_units=8, batches=20)
TRAINING = effort.Effort(max_iterations=200)


@pytest.fixture(scope="module")
def known(tiny_knowledge):
    return cases.with_public(tiny_knowledge, count=120)


class TestFeatures:
    def samples(self, count=40, entries=30):
        generator = np.random.default_rng(0)
        loadings = generator.normal(size=(5, entries)) * np.logspace(0, 3, entries)
        return generator.normal(size=(count, 5)) @ loadings

    @pytest.mark.parametrize("bins", [12, 30, 100])
    def test_examples_are_whitened(self, bins):
        samples = self.samples()
        found = feature_hash.fit_features(samples, bins, 5, np.random.default_rng(1))
        values = feature_hash.transform(samples, found)
        assert values.shape == (40, 5)
        np.testing.assert_allclose(values.T @ values / 40, np.eye(5), atol=1e-3)

    def test_without_hashing_it_is_a_rotation(self):
        """Distances in the standardised, whitened space do not depend on the seed."""
        samples = self.samples(entries=8)
        first, second = (
            feature_hash.transform(
                samples,
                feature_hash.fit_features(samples, 8, 8, np.random.default_rng(seed)),
            )
            for seed in (1, 2)
        )
        np.testing.assert_allclose(first @ first.T, second @ second.T, atol=1e-9)

    def test_every_entry_goes_to_one_bin_with_a_sign(self):
        found = feature_hash.fit_features(
            self.samples(), 7, 3, np.random.default_rng(1)
        )
        dense = found.hashing.toarray()
        assert dense.shape == (30, 7)
        np.testing.assert_array_equal(np.abs(dense).sum(axis=1), 1)
        assert set(np.unique(dense)) == {-1.0, 0.0, 1.0}

    def test_constant_entries_do_no_harm(self):
        samples = self.samples()
        samples[:, 3] = 2.0
        found = feature_hash.fit_features(samples, 100, 50, np.random.default_rng(1))
        assert np.all(np.isfinite(feature_hash.transform(samples + 1.0, found)))

    def test_examples_that_are_all_the_same_have_no_features(self):
        with pytest.raises(ValueError, match="all 9 are the same"):
            samples = np.zeros((9, 4))
            feature_hash.fit_features(samples, 9, 2, np.random.default_rng(1))


class TestTraining:
    def examples(self, count, seed):
        generator = np.random.default_rng(seed)
        features = generator.normal(size=(count, 3)).astype(np.float32)
        mixing = np.random.default_rng(9).normal(size=(3, 6))
        pictures = 1 / (1 + np.exp(-features @ mixing))
        return inverter_network.Examples(features, pictures.astype(np.float32))

    def train(self, steps, seed=0, held_out=None, shared=victims.PROGRAMS):
        return inverter_network.train_inverter(
            self.examples(256, 1),
            held_out or self.examples(64, 2),
            16,
            1e-2,
            effort.Effort(max_iterations=steps),
            np.random.default_rng(seed),
            programs=shared,
        )

    @pytest.mark.slow
    def test_learns_a_smooth_map(self):
        trained = self.train(200)
        other = self.examples(64, 3)
        guess = inverter_network.apply(trained.weights, other.features).numpy()
        assert np.mean((guess - other.pictures) ** 2) < 0.1 * other.pictures.var()
        assert trained.steps == 200

    def test_same_seed_same_bits(self):
        first, second = (self.train(6).weights for _ in range(2))
        for left, right in zip(first, second, strict=True):
            np.testing.assert_array_equal(left, right)

    def test_another_training_traces_nothing(self):
        shared = programs.Programs()
        self.train(2, shared=shared)
        inverter_network.train_inverter(
            inverter_network.Examples(
                np.zeros((9, 5), np.float32), np.zeros((9, 7), np.float32)
            ),
            inverter_network.Examples(
                np.zeros((9, 5), np.float32), np.zeros((9, 7), np.float32)
            ),
            4,
            1e-3,
            effort.Effort(max_iterations=2),
            np.random.default_rng(0),
            programs=shared,
        )
        step = shared.of(inverter_network.build_step)
        assert step.experimental_get_tracing_count() == 1

    def test_walks_like_the_adam_of_keras(self):
        examples, rate = self.examples(64, 1), 1e-2
        step = victims.PROGRAMS.of(inverter_network.build_step)
        state = inverter_network.start(examples, 4, np.random.default_rng(0))
        variables = [keras.Variable(tensor) for tensor in state.weights]
        optimiser = keras.optimizers.Adam(rate)
        for _ in range(3):
            state = step(state, *map(tf.constant, examples), tf.constant(rate))
            with tf.GradientTape() as tape:
                weights = [variable.value for variable in variables]
                guess = inverter_network.apply(weights, examples.features)
                error = tf.reduce_mean(tf.square(guess - examples.pictures))
            optimiser.apply(tape.gradient(error, weights), variables)
        for tensor, variable in zip(state.weights, variables, strict=True):
            np.testing.assert_allclose(tensor, variable, rtol=1e-4, atol=1e-6)

    def test_stops_early_and_keeps_the_best_epoch(self):
        nonsense = self.examples(64, 2)
        inverted = inverter_network.Examples(nonsense.features, 1 - nonsense.pictures)
        trained = self.train(10_000, held_out=inverted)
        assert trained.steps < 1000
        guess = inverter_network.apply(trained.weights, inverted.features).numpy()
        np.testing.assert_allclose(
            np.mean((guess - inverted.pictures) ** 2), trained.held_out_error, rtol=1e-4
        )


@pytest.mark.parametrize(
    ("learning", "least"),
    [(LINEAR, 20), pytest.param(NETWORK, 22, marks=pytest.mark.slow)],
)
def test_pictures_are_predicted(tiny, known, learning, least):
    view, truth = cases.case(tiny, 0.9)
    found = INVERTER(effort=TRAINING, learning=learning)(view, known, cases.SEED)
    cases.check_result(found)
    assert cases.psnr(found, truth) > least
    assert found.stop == "trained" and not found.converged
    assert found.labels == truth.labels


@pytest.mark.parametrize(
    ("learning", "labels"),
    [
        (NETWORK, None),
        (LINEAR, (2, 1)),
        pytest.param(NETWORK, (2, 1), marks=pytest.mark.slow),
        pytest.param(LINEAR, None, marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_batches(tiny, known, learning, labels):
    view, truth = cases.case(tiny, 0.2, count=2)
    pair = dataclasses.replace(known, batch_size=2, labels=labels)
    learning = dataclasses.replace(learning, batches=400)
    found = INVERTER(effort=TRAINING, learning=learning)(view, pair, cases.SEED)
    cases.check_result(found, count=2)
    assert sorted(found.labels) == [1, 2]
    assert cases.psnr(found, truth) > 15


def test_start_is_refined_to_the_exact_picture(tiny, known):
    view, truth = cases.case(tiny, 0.3)
    found = START(learning=LINEAR)(view, known, cases.SEED)
    assert cases.psnr(found, truth) > 60 and found.stop == "tolerance"
    assert found.converged and found.objective <= 1e-12


@pytest.mark.parametrize(
    "build",
    [INVERTER, START],
)
class TestBoth:
    def test_no_leak(self, tiny, known, build):
        attack = build(effort=cases.QUICK, learning=SHORT)
        cases.check_result(cases.check_no_leak(attack, tiny, known))

    def test_undefined_cases(self, tiny, known, build):
        attack = build(effort=cases.QUICK, learning=LINEAR)
        cases.check_undefined_cases(attack, tiny, known)

    def test_missing_pictures_are_refused(self, tiny, known, build):
        cases.check_needs_pictures(build(), tiny, known)


@pytest.mark.parametrize("learning", [SHORT, LINEAR])
def test_nothing_visible_that_differs_does_not_apply(tiny, known, learning):
    """A head without weights sends nothing to the layers before it."""
    view, _ = cases.case(tiny, 0.3)
    weights = (*view.weights[:-2], *[0 * tensor for tensor in view.weights[-2:]])
    mask = np.ones_like(view.mask)
    mask[: tiny.spec.sizes[0]] = False
    message = view.messages[0]._replace(plain=np.zeros(tiny.spec.sizes[0], np.float32))
    silent = view._replace(weights=weights, mask=mask, messages=(message,))
    attack = INVERTER(effort=cases.QUICK, learning=learning)
    with pytest.raises(knowledge.DoesNotApply, match=r"must differ .* the same of all"):
        attack(silent, known, cases.SEED)


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="`learner` must be one of: network, linear"):
        picture_learning.Learning(learner="forest")
    with pytest.raises(ValueError, match="`held_out` must be in"):
        picture_learning.Learning(held_out=2.0)
