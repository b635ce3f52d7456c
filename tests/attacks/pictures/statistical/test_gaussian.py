"""The dual, low-rank conditional against the textbook formula, computed densely."""

import numpy as np
import pytest

from attacks.pictures.statistical import gaussian


def examples(count, seen, unseen, seed=0, rank=None, noise=0.1):
    generator = np.random.default_rng(seed)
    loadings = generator.normal(size=(rank or 4, seen + unseen))
    drawn = generator.normal(size=(count, len(loadings))) @ loadings
    drawn += noise * generator.normal(size=drawn.shape) + generator.normal(size=1)
    return drawn[:, :seen], drawn[:, seen:]


def textbook_mean(seen, unseen, observed, ridge):
    """mu_H + C_HV C_VV^-1 (g_V - mu_V) with the ridge on standardised columns."""
    scale = seen.std(axis=0) * np.sqrt(seen.shape[1])
    joint = np.concatenate([seen / scale, unseen], axis=1)
    covariance = np.cov(joint.T, bias=True)
    size = seen.shape[1]
    inner = covariance[:size, :size] + ridge * np.eye(size)
    gain = covariance[size:, :size] @ np.linalg.inv(inner)
    return unseen.mean(axis=0) + gain @ ((observed - seen.mean(axis=0)) / scale)


@pytest.mark.parametrize(("count", "size"), [(30, 8), (12, 40)])
@pytest.mark.parametrize("ridge", [1e-4, 0.1, 10.0])
def test_mean_is_the_textbook_formula(count, size, ridge):
    seen, unseen = examples(count, size, 5)
    observed = seen[0] + 0.3
    found = gaussian.condition(seen, unseen, observed, (ridge,))
    np.testing.assert_allclose(
        found.mean, textbook_mean(seen, unseen, observed, ridge), rtol=1e-8
    )


@pytest.mark.parametrize("ridge", [1e-3, 0.3])
def test_variance_is_the_error_of_refits_without_each_example(ridge):
    seen, unseen = examples(14, 6, 3)
    found = gaussian.condition(seen, unseen, seen[0], (ridge,))
    scale = seen.std(axis=0) * np.sqrt(seen.shape[1])
    errors = []
    for index in range(len(seen)):
        rows = np.arange(len(seen)) != index
        centre, mean = seen[rows].mean(axis=0), unseen[rows].mean(axis=0)
        standard = (seen[rows] - centre) / scale
        # The ridge of the sum over examples, the left-out one not counted.
        inner = standard.T @ standard + ridge * len(seen) * np.eye(6)
        gain = np.linalg.solve(inner, standard.T @ (unseen[rows] - mean))
        errors.append(mean + (seen[index] - centre) / scale @ gain - unseen[index])
    np.testing.assert_allclose(
        found.variance, np.mean(np.square(errors), axis=0), rtol=1e-7
    )


@pytest.mark.slow
@pytest.mark.long
def test_variance_is_that_of_the_true_gaussian():
    """With many examples the error is the conditional variance C_HH - C_HV C_VV^-1 C_VH."""
    generator = np.random.default_rng(1)
    loadings = generator.normal(size=(5, 9))
    covariance = loadings.T @ loadings + 0.2 * np.eye(9)
    drawn = generator.multivariate_normal(np.zeros(9), covariance, 4000)
    found = gaussian.condition(drawn[:, :6], drawn[:, 6:], drawn[0, :6], (1e-8,))
    gain = covariance[6:, :6] @ np.linalg.inv(covariance[:6, :6])
    expected = covariance[6:, 6:] - gain @ covariance[:6, 6:]
    np.testing.assert_allclose(found.variance, np.diag(expected), rtol=0.1)
    np.testing.assert_allclose(found.mean, gain @ drawn[0, :6], atol=0.1)


def test_predictable_entries_are_predicted_and_others_are_not():
    seen, unseen = examples(60, 20, 6, noise=0.0)
    generator = np.random.default_rng(2)
    exact = gaussian.condition(seen[1:], unseen[1:], seen[0])
    np.testing.assert_allclose(exact.mean, unseen[0], atol=1e-4)
    assert exact.explained > 0.999999
    noise = generator.normal(size=unseen.shape)
    blind = gaussian.condition(seen, noise, seen[0])
    assert blind.explained < 0.05
    np.testing.assert_allclose(blind.mean, noise.mean(axis=0), atol=0.3)


def test_ridge_is_chosen_by_the_left_out_error():
    seen, unseen = examples(15, 30, 4, noise=1.0)
    errors = {
        ridge: gaussian.condition(seen, unseen, seen[0], (ridge,)).variance
        / unseen.var(axis=0)
        for ridge in gaussian.RIDGES
    }
    best = min(errors, key=lambda ridge: errors[ridge].sum())
    assert gaussian.condition(seen, unseen, seen[0]).ridge == best
    assert best not in (gaussian.RIDGES[0], gaussian.RIDGES[-1])


def test_constant_columns_and_no_unseen_ones():
    seen, unseen = examples(10, 4, 2)
    seen[:, 1] = 3.0
    unseen[:, 0] = -2.0
    found = gaussian.condition(seen, unseen, seen[0])
    assert np.all(np.isfinite(found.mean)) and found.mean[0] == pytest.approx(-2.0)
    assert found.variance[0] == pytest.approx(0.0, abs=1e-20)
    empty = gaussian.condition(seen, unseen[:, :0], seen[0])
    assert empty.mean.shape == (0,) and empty.explained == 1.0


def test_bad_arguments_are_refused():
    seen, unseen = examples(10, 4, 2)
    with pytest.raises(ValueError, match="`seen` must hold at least 3 examples"):
        gaussian.condition(seen[:2], unseen[:2], seen[0])
    with pytest.raises(ValueError, match="`ridges` must be positive"):
        gaussian.condition(seen, unseen, seen[0], (0.0,))
