"""The linear algebra against closed forms and brute force, without TensorFlow."""

import itertools
import math

import numpy as np
import pytest
from scipy import optimize

from selenc_tf.distance import (
    box,
    cramer_rao,
    dct_prior,
    identifiability,
    information,
    leverage,
    noise,
    predict,
    prior,
    threshold,
)

N, SHAPE = 40, (1, 3, 4, 1)
D = 12


def images(count=200, shape=(3, 4, 1), seed=0):
    """Smooth random pictures in [0, 1]."""
    rng = np.random.default_rng(seed)
    noise_ = rng.normal(size=(count, *shape))
    smooth = noise_ + np.roll(noise_, 1, 1) + np.roll(noise_, 1, 2)
    return np.clip(0.5 + 0.1 * smooth, 0, 1).astype(np.float32)


PRIORS = [prior.isotropic(images()), prior.stationary(images())]
BOXED = [*PRIORS, dct_prior.dct(images())]
by_prior = pytest.mark.parametrize("known", PRIORS, ids=lambda known: known.name)


def problem(seed=0, decades=0.0):
    """A matrix with singular values over some decades, errors, and a mask."""
    rng = np.random.default_rng(seed)
    left, _ = np.linalg.qr(rng.normal(size=(N, D)))
    right, _ = np.linalg.qr(rng.normal(size=(D, D)))
    matrix = left * np.logspace(0, -decades, D) @ right.T
    return matrix, rng.uniform(0.05, 0.2, N), rng.uniform(size=N) < 0.3


def prior_covariance(known):
    """Sigma_x as a matrix."""
    root = prior.apply_root(known, np.eye(known.unknowns))
    return root @ root.T


def posterior_covariance(matrix, sigma, known):
    """By conditioning the joint Gaussian: S - S A^T (A S A^T + E)^-1 A S."""
    covariance = prior_covariance(known)
    observed = matrix @ covariance @ matrix.T + np.diag(sigma**2)
    gain = covariance @ matrix.T @ np.linalg.inv(observed)
    return covariance - gain @ matrix @ covariance


@by_prior
def test_bound_is_the_posterior_variance_of_a_linear_gaussian_model(known):
    matrix, sigma, hidden = problem()
    factor = information.visible(matrix, sigma, hidden)
    found = cramer_rao.posterior(factor, known)
    expected = posterior_covariance(matrix[~hidden], sigma[~hidden], known)
    np.testing.assert_allclose(found.root @ found.root.T, expected, atol=1e-12)
    assert found.mse == pytest.approx(np.trace(expected) / D)
    precision = np.linalg.inv(prior_covariance(known))
    fisher = (matrix[~hidden] / sigma[~hidden, None] ** 2).T @ matrix[~hidden]
    degrees = np.trace(fisher @ np.linalg.inv(fisher + precision))
    assert found.degrees_of_freedom == pytest.approx(degrees)


@by_prior
def test_the_best_estimator_of_simulated_data_reaches_the_bound(known):
    matrix, sigma, _ = problem(1)
    rng = np.random.default_rng(2)
    count = 20_000
    inputs = prior.apply_root(known, rng.normal(size=(D, count)))
    seen = matrix @ inputs + sigma[:, None] * rng.normal(size=(N, count))
    covariance = prior_covariance(known)
    observed = matrix @ covariance @ matrix.T + np.diag(sigma**2)
    estimates = covariance @ matrix.T @ np.linalg.solve(observed, seen)
    factor = information.visible(matrix, sigma, np.zeros(N, bool))
    bound = cramer_rao.posterior(factor, known).mse
    assert np.mean((estimates - inputs) ** 2) == pytest.approx(bound, rel=0.02)


@by_prior
def test_limits(known):
    matrix, sigma, _ = problem()
    nothing = information.visible(matrix, sigma, np.ones(N, bool))
    assert nothing.shape == (0, D)
    found = cramer_rao.posterior(nothing, known)
    assert found.mse == pytest.approx(known.variance)
    assert found.degrees_of_freedom == pytest.approx(0.0, abs=1e-9)
    assert identifiability.rank(nothing) == 0
    exact = information.visible(matrix, sigma * 1e-6, np.zeros(N, bool))
    assert cramer_rao.posterior(exact, known).degrees_of_freedom == pytest.approx(D)


class TestBox:
    def test_what_lies_at_an_edge(self):
        inputs = np.array([[0.0, 1e-7, 0.5], [1.0, 1 - 1e-7, 0.0]], np.float32)
        assert box.saturated(inputs).tolist() == [True, False, False, True, False, True]

    @pytest.mark.parametrize("known", BOXED, ids=lambda known: known.name)
    def test_is_the_variance_given_the_granted(self, known):
        """By conditioning the posterior of a linear Gaussian model once more."""
        matrix, sigma, hidden = problem()
        granted = np.random.default_rng(1).uniform(size=D) < 0.4
        before = posterior_covariance(matrix[~hidden], sigma[~hidden], known)
        told = before[np.ix_(~granted, granted)]
        left = before[np.ix_(~granted, ~granted)] - told @ np.linalg.solve(
            before[np.ix_(granted, granted)], told.T
        )
        factor = information.visible(matrix, sigma, hidden)
        found = box.mse_bound(factor, known, granted)
        assert found == pytest.approx(np.trace(left) / D)

    @pytest.mark.parametrize("known", BOXED, ids=lambda known: known.name)
    def test_limits(self, known):
        matrix, sigma, hidden = problem(decades=6.0)
        factor = information.visible(matrix, sigma * 1e-6, hidden)
        nobody, everybody = np.zeros(D, bool), np.ones(D, bool)
        alone = cramer_rao.posterior(factor, known).mse
        assert box.mse_bound(factor, known, nobody) == pytest.approx(alone)
        assert box.mse_bound(factor, known, everybody) == 0.0
        nothing = information.nothing(D)
        assert box.mse_bound(nothing, known, nobody) == pytest.approx(known.variance)

    def test_who_uses_the_box_beats_the_prior_and_not_the_bound(self):
        """Black pictures with two grey pixels, of which eight sums are seen.

        Least squares in the box finds them where the Gaussian leaves four directions
        open; it cannot do better than who is told which pixels are black.
        """
        rng = np.random.default_rng(3)
        known, sigma = prior.isotropic(images()), np.full(8, 1e-3)
        errors = []
        for _ in range(40):
            matrix, truth = rng.normal(size=(8, D)), np.zeros(D)
            truth[rng.choice(D, 2, replace=False)] = rng.uniform(0.2, 0.8, 2)
            seen = matrix @ truth + sigma * rng.normal(size=8)
            found = optimize.lsq_linear(matrix, seen, (0.0, 1.0), method="bvls").x
            factor = information.visible(matrix, sigma, np.zeros(8, bool))
            alone = cramer_rao.posterior(factor, known).mse
            boxed = box.mse_bound(factor, known, box.saturated(truth))
            errors.append((alone, np.mean(np.square(found - truth)), boxed))
        alone, attack, boxed = np.median(errors, axis=0)
        assert alone > 100 * attack > 100 * boxed > 0


def test_psnr():
    assert cramer_rao.psnr_db(0.01) == pytest.approx(20.0)
    assert cramer_rao.psnr_db(0.0) == math.inf


class TestInformation:
    def test_factor_is_a_root_of_the_fisher_information(self):
        matrix, sigma, hidden = problem()
        factor = information.visible(matrix, sigma, hidden)
        whitened = matrix[~hidden] / sigma[~hidden, None]
        np.testing.assert_allclose(factor.T @ factor, whitened.T @ whitened)

    def test_blocks_do_not_matter(self, monkeypatch):
        matrix, sigma, hidden = problem()
        whole = information.visible(matrix, sigma, hidden)
        monkeypatch.setattr(information, "_LEAST_BLOCK", 5)
        wide = np.repeat(matrix, 4, axis=0), np.repeat(sigma, 4), np.repeat(hidden, 4)
        parts = information.visible(*wide)
        np.testing.assert_allclose(parts.T @ parts, 4 * whole.T @ whole)

    def test_nested_factors_are_those_of_the_masks(self):
        matrix, sigma, _ = problem()
        order = np.random.default_rng(3).permutation(N)
        found = information.nested(matrix, sigma, order, [0, 7, 7, 35, N])
        assert sorted(found) == [0, 7, 35, N]
        for m, factor in found.items():
            hidden = np.isin(np.arange(N), order[:m])
            alone = information.visible(matrix, sigma, hidden)
            np.testing.assert_allclose(factor.T @ factor, alone.T @ alone, atol=1e-9)


class TestIdentifiability:
    def test_ten_decades_are_told_apart(self):
        # Squared, the smallest singular value would drown at 1e-18.
        matrix, _, _ = problem(decades=9.0)
        factor = information.visible(matrix, np.ones(N), np.zeros(N, bool))
        values = identifiability.singular_values(factor)
        np.testing.assert_allclose(values, np.logspace(0, -9, D), rtol=1e-5)
        assert identifiability.rank(factor) == D
        assert identifiability.rank(factor, 1e-4) == 5
        assert identifiability.is_full(factor, 0.9e-9)
        assert not identifiability.is_full(factor, 1.1e-9)

    @pytest.mark.parametrize("known", range(D + 1))
    def test_rank_of_a_product(self, known):
        rng = np.random.default_rng(known)
        matrix = rng.normal(size=(N, known)) @ rng.normal(size=(known, D))
        factor = information.visible(matrix, np.ones(N), np.zeros(N, bool))
        assert identifiability.rank(factor) == known
        assert identifiability.is_full(factor) == (known == D)

    def test_fewer_rows_than_unknowns(self):
        factor = information.visible(np.eye(D)[:5], np.ones(5), np.zeros(5, bool))
        assert identifiability.rank(factor) == 5


class TestLeverage:
    @by_prior
    def test_is_what_removal_does(self, known):
        matrix, sigma, hidden = problem()
        scores = leverage.removal_increase(matrix, sigma, hidden, known)

        def bound(mask):
            factor = information.visible(matrix, sigma, mask)
            return cramer_rao.posterior(factor, known).mse

        before = bound(hidden)
        for row in range(N):
            without = hidden.copy()
            without[row] = True
            expected = 0.0 if hidden[row] else bound(without) - before
            assert scores[row] == pytest.approx(expected, rel=1e-6, abs=1e-15)

    def test_greedy_with_a_round_for_each_entry_is_step_by_step(self):
        matrix, sigma, _ = problem()
        order = leverage.greedy_order(matrix, sigma, PRIORS[0], 6, 6)
        hidden = np.zeros(N, bool)
        for row in order:
            scores = leverage.removal_increase(matrix, sigma, hidden, PRIORS[0])
            assert row == np.argmax(scores)
            hidden[row] = True

    def test_greedy_sees_that_rows_stand_in_for_each_other(self):
        # Each unknown is seen twice, one of them less exactly; the copies are useless
        # to hide alone, and a greedy order takes pairs.
        matrix = np.repeat(np.eye(D), 2, axis=0)
        sigma = np.full(2 * D, 1e-3)
        order = leverage.greedy_order(matrix, sigma, PRIORS[0], D, D)
        hidden = np.isin(np.arange(2 * D), order)
        factor = information.visible(matrix, sigma, hidden)
        assert identifiability.rank(factor) == D // 2

    @pytest.mark.parametrize(("m", "rounds"), [(0, 1), (N, 3), (5, 20)])
    def test_greedy_is_a_permutation(self, m, rounds):
        matrix, sigma, _ = problem()
        order = leverage.greedy_order(matrix, sigma, PRIORS[0], m, rounds)
        assert len(set(order.tolist())) == len(order) == m

    def test_greedy_refuses_too_many(self):
        with pytest.raises(ValueError, match="`m`"):
            leverage.greedy_order(*problem()[:2], PRIORS[0], N + 1, 1)


class TestThreshold:
    def test_rank_of_a_synthetic_family_is_lost_where_it_is(self):
        # Two rows for each unknown, in turn: the first pair is complete at D + 1.
        matrix, sigma = np.tile(np.eye(D), (2, 1)), np.ones(2 * D)
        order = np.arange(2 * D)
        found = threshold.between(
            lambda factor: not identifiability.is_full(factor),
            matrix,
            sigma,
            order,
            0,
            2 * D,
            information.nothing(D),
            1,
        )
        assert found == (D, D + 1)


class TestNoise:
    gradient = np.array([3.0, 0.0, -4.0, 0.0])

    def test_relative(self):
        # ||g|| / sqrt(4) = 2.5
        np.testing.assert_allclose(noise.relative(self.gradient, 1e-3), 2.5e-3)

    def test_float32_covers_real_rounding(self):
        rng = np.random.default_rng(0)
        exact = rng.normal(size=100_000)
        error = exact.astype(np.float32) - exact
        sigma = noise.float32_rounding(exact)
        assert np.all(sigma > 0)
        assert 0.2 < np.sqrt(np.mean(error**2)) / np.sqrt(np.mean(sigma**2)) < 1

    def test_quantisation_is_that_of_rounding(self):
        values = np.random.default_rng(0).uniform(-1, 1, 100_000)
        step = 0.01
        error = np.round(values / step) * step - values
        found = noise.quantisation(1, step)[0]
        assert np.std(error) == pytest.approx(found, rel=0.01)

    def test_combined(self):
        found = noise.combined(noise.gaussian(2, 3.0), noise.gaussian(2, 4.0))
        np.testing.assert_allclose(found, 5.0)

    @pytest.mark.parametrize(
        "call",
        [
            lambda: noise.relative(np.zeros(3), 1e-5),
            lambda: noise.float32_rounding(np.zeros(3)),
            lambda: noise.float32_rounding(np.array([np.nan])),
            lambda: noise.quantisation(3, 0.0),
            lambda: noise.gaussian(3, -1.0),
        ],
    )
    def test_refuses(self, call):
        with pytest.raises(ValueError, match="must be positive"):
            call()


class TestPrior:
    @by_prior
    def test_root_and_covariance(self, known):
        covariance = prior_covariance(known)
        np.testing.assert_allclose(np.diag(covariance), known.variance)
        assert np.linalg.eigvalsh(covariance).min() > 0
        root = prior.apply_root(known, np.eye(D))
        vectors = np.random.default_rng(0).normal(size=(D, 3))
        np.testing.assert_allclose(prior.apply_root(known, vectors), root @ vectors)
        np.testing.assert_allclose(
            prior.apply_root(known, vectors[:, 0], transpose=True),
            root.T @ vectors[:, 0],
        )
        assert prior.apply_root(known, np.empty([D, 0])).shape == (D, 0)

    def test_stationary_correlations_by_hand(self):
        known = prior.stationary(images(2000, (5, 6, 1)))
        covariance = prior_covariance(known).reshape(5, 6, 5, 6) / known.variance
        down = covariance[0, 0, 1, 0]
        for row, column in itertools.product(range(5), range(6)):
            expected = down**row * covariance[0, 0, 0, 1] ** column
            assert covariance[0, 0, row, column] == pytest.approx(expected)
        # x + its two neighbours: 1/3 of the variance is shared with the next pixel.
        assert down == pytest.approx(1 / 3, abs=0.04)

    def test_colours_and_batches(self):
        grey = images(50, (4, 4, 1))
        known = prior.stationary(np.repeat(grey, 3, axis=3), batch_size=2)
        covariance = prior_covariance(known)
        assert covariance.shape == (96, 96)
        assert np.abs(covariance[:48, 48:]).max() == 0
        assert covariance[0, 1] == pytest.approx(known.variance, rel=0.01)

    @pytest.mark.parametrize("build", [prior.isotropic, prior.stationary])
    def test_refuses_pictures_without_variance(self, build):
        with pytest.raises(ValueError, match="variance"):
            build(np.ones((3, 2, 2, 1)))
        with pytest.raises(ValueError, match="images"):
            build(np.ones((0, 2, 2, 1)))


@by_prior
def test_predict_puts_it_together(known):
    matrix, sigma, hidden = problem()
    gradient = np.arange(1.0, N + 1)
    granted = np.arange(D) % 3 == 0
    found = predict.predict(matrix, gradient, sigma, known, hidden, granted)
    factor = information.visible(matrix, sigma, hidden)
    assert found.hidden == hidden.sum()
    assert found.encryption_ratio == pytest.approx(hidden.mean())
    assert found.zero_fill_distance == pytest.approx(np.linalg.norm(gradient[hidden]))
    assert (found.rank, found.unknowns, found.identifiable) == (D, D, True)
    alone = cramer_rao.psnr_db(cramer_rao.posterior(factor, known).mse)
    assert found.psnr_without_box_db == alone < found.psnr_bound_db
    assert (found.saturated, found.mse_bound) == (
        4, box.mse_bound(factor, known, granted)
    )  # fmt: skip
    assert found.psnr_bound_db == pytest.approx(-10 * np.log10(found.mse_bound))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gradient": np.zeros(3)}, "`gradient`"),
        ({"sigma": np.zeros(N)}, "`sigma` must be positive"),
        ({"prior": prior.isotropic(images(shape=(2, 2, 1)))}, "`prior`"),
        ({"saturated": np.zeros(3, bool)}, "`granted`"),
    ],
)
def test_predict_refuses(change, message):
    matrix, sigma, hidden = problem()
    arguments = {
        "jacobian": matrix, "gradient": np.ones(N), "sigma": sigma,
        "prior": PRIORS[0], "hidden": hidden, "saturated": np.zeros(D, bool),
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        predict.predict(**(arguments | change))
