"""The sketched factors against those of the whole matrix."""

import numpy as np
import pytest

from selenc_tf.distance import cramer_rao, identifiability, information, prior, sketch
from selenc_tf.distance.jacobian import Linearisation

N, D = 3000, 24
SHAPE = (1, 4, 6, 1)


def linearisation(matrix):
    return Linearisation(
        gradient=np.ones(len(matrix)),
        unknowns=matrix.shape[1],
        jvp=lambda v: matrix @ v,
        vjp=lambda u: matrix.T @ u,
        columns=lambda start, stop: matrix[:, start:stop],
    )


@pytest.fixture(scope="module")
def known():
    images = np.random.default_rng(1).uniform(size=(50, 4, 6, 1))
    return prior.stationary(images)


@pytest.fixture(scope="module")
def matrix():
    """Ten decades of singular values, rows of very different size, rank d - 4 late."""
    rng = np.random.default_rng(0)
    made = rng.normal(size=(N, D)) * np.logspace(2, -3, N)[:, None]
    made = made @ (np.logspace(0, -5, D)[:, None] * rng.normal(size=(D, D)))
    # The last rows see only the first 20 unknowns.
    made[N // 2 :, 20:] = 0
    return made


COUNTS = (0, 100, 1400, N // 2, 2500, N - 10, N)


def test_agrees_with_the_whole_matrix(matrix, known):
    sigma = np.full(N, 1e-3)
    order = np.arange(N)
    exact = information.nested(matrix, sigma, order, COUNTS)
    found = sketch.nested(linearisation(matrix), sigma, order, COUNTS, known, seed=3)
    assert set(found) == set(COUNTS)
    for m in COUNTS:
        left, right = (cramer_rao.posterior(each[m], known) for each in (found, exact))
        assert cramer_rao.psnr_db(left.mse) == pytest.approx(
            cramer_rao.psnr_db(right.mse), abs=1.0
        )
        assert left.degrees_of_freedom == pytest.approx(
            right.degrees_of_freedom, abs=0.5
        )
        assert identifiability.rank(found[m]) == identifiability.rank(exact[m])


def test_is_unbiased(known):
    """Mean over many sketches; without the correction it would be twice as large."""
    rng = np.random.default_rng(5)
    matrix = rng.normal(size=(400, D))
    sigma, order = np.full(400, 0.1), rng.permutation(400)
    expected = cramer_rao.posterior(
        information.nested(matrix, sigma, order, (40,))[40], known
    ).mse
    found = []
    for seed in range(60):
        factor = sketch.nested(
            linearisation(matrix), sigma, order, (40,), known, seed, rows_per_unknown=2
        )[40]
        found.append(cramer_rao.posterior(factor, known).mse)
    error = np.std(found) / np.sqrt(len(found))
    assert np.mean(found) == pytest.approx(expected, abs=4 * error + 0.05 * expected)


def test_same_seed_same_numbers(matrix, known):
    arguments = (linearisation(matrix), np.ones(N), np.arange(N), (5, 9), known)
    one, two, other = (sketch.nested(*arguments, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one[9], two[9])
    assert not np.array_equal(one[9], other[9])


def test_what_no_mask_leaves_visible_does_not_matter(matrix, known):
    changed = matrix.copy()
    changed[:5] = 1e6
    one, two = (
        sketch.nested(
            linearisation(each), np.ones(N), np.arange(N), (5, 9), known, seed=1
        )
        for each in (matrix, changed)
    )
    np.testing.assert_array_equal(one[5], two[5])


def test_refuses(matrix, known):
    arguments = (np.ones(N), np.arange(N), (5,), known, 0)
    with pytest.raises(ValueError, match="rows_per_unknown"):
        sketch.nested(linearisation(matrix), *arguments, rows_per_unknown=1)
    broken = matrix.copy()
    broken[7, 11] = np.nan
    with pytest.raises(ValueError, match="must be finite"):
        sketch.nested(linearisation(broken), *arguments)
