import numpy as np
import pytest

from attacks import effort
from attacks.continuous.analytic import low_rank

SEED = (3, 4)
EFFORT = effort.Effort(max_iterations=400)


def gradient(rank, rows=120, columns=60, seed=0):
    """Pictures times the derivatives of units that differ in size and often rest."""
    generator = np.random.default_rng(seed)
    pictures = generator.uniform(0, 1, (rows, rank))
    deltas = generator.standard_normal((columns, rank))
    deltas *= np.exp(generator.standard_normal((columns, 1)))
    deltas *= generator.random((columns, rank)) < 0.6
    return (pictures @ deltas.T).astype(np.float32)


@pytest.mark.parametrize("rank", [1, 2, 4])
@pytest.mark.parametrize("hide", [0.0, 0.3, 0.6])
def test_random_entries_are_recovered(rank, hide):
    matrix = gradient(rank)
    visible = np.random.default_rng(9).random(matrix.shape) >= hide
    found = low_rank.complete(
        np.where(visible, matrix, np.nan), visible, rank, SEED, EFFORT
    )
    assert found.known.mean() > 0.95
    np.testing.assert_allclose(
        found.matrix[found.known], matrix[found.known], atol=1e-4
    )
    assert found.residual < 1e-11


def test_large_entries_are_recovered_where_they_follow():
    matrix = gradient(3)
    visible = np.abs(matrix) <= np.quantile(np.abs(matrix), 0.6)
    found = low_rank.complete(matrix, visible, 3, SEED, EFFORT)
    hidden = found.known & ~visible
    assert hidden.sum() > 0.5 * (~visible).sum()
    np.testing.assert_allclose(found.matrix[hidden], matrix[hidden], 1e-3, atol=1e-4)


def test_visible_entries_stay_as_they_are():
    matrix = gradient(2)
    visible = np.random.default_rng(9).random(matrix.shape) >= 0.5
    found = low_rank.complete(matrix, visible, 2, SEED, EFFORT)
    np.testing.assert_array_equal(found.matrix[visible], matrix[visible])


def test_a_wrong_rank_is_not_believed():
    matrix = gradient(4)
    visible = np.random.default_rng(9).random(matrix.shape) >= 0.3
    found = low_rank.complete(matrix, visible, 2, SEED, EFFORT)
    np.testing.assert_array_equal(found.known, visible)
    assert found.held_out > 1e-4


@pytest.mark.parametrize("share", [0.0, 0.02])
def test_too_few_entries_determine_nothing(share):
    matrix = gradient(3)
    visible = np.random.default_rng(9).random(matrix.shape) < share
    found = low_rank.complete(
        np.where(visible, matrix, np.nan), visible, 3, SEED, EFFORT
    )
    np.testing.assert_array_equal(found.known, visible)
    assert np.all(np.isfinite(found.matrix))


def test_same_seed_same_bits_whatever_is_hidden():
    matrix = gradient(2)
    visible = np.random.default_rng(9).random(matrix.shape) >= 0.5
    first = low_rank.complete(matrix, visible, 2, SEED, EFFORT)
    second = low_rank.complete(
        np.where(visible, matrix, np.nan), visible, 2, SEED, EFFORT
    )
    np.testing.assert_equal(first._asdict(), second._asdict())


def test_all_zero():
    found = low_rank.complete(np.zeros((6, 5)), np.ones((6, 5), bool), 1, SEED, EFFORT)
    assert found.residual == 0.0 and not found.matrix.any()
