"""Spans of matrices with holes."""

import numpy as np
import pytest

from attacks.text.spans import balance, subspace
from attacks.text.spans.places import Shown

WIDTH, COLUMNS, RANK = 32, 96, 6


@pytest.fixture(scope="module")
def case():
    """Vectors that enter, others, and a gradient with columns of different size."""
    generator = np.random.default_rng(0)
    true = generator.standard_normal((RANK, WIDTH))
    slopes = generator.standard_normal((RANK, COLUMNS)) * np.exp(
        2 * generator.standard_normal((1, COLUMNS))
    )
    values = (true.T @ slopes).astype(np.float32).astype(np.float64)
    return values, true, generator.standard_normal((100, WIDTH))


def seen_of(values, kind):
    seen = np.ones(values.shape, bool)
    generator = np.random.default_rng(1)
    if kind.startswith("random"):
        seen = generator.random(values.shape) > float(kind[6:])
    if kind.startswith("largest"):
        seen = np.abs(values) < np.quantile(np.abs(values), 1 - float(kind[7:]))
    if kind == "rows":
        seen[RANK + 4 :] = False
    if kind == "columns":
        seen[:, RANK + 2 :] = False
    return seen


KINDS = ("random0", "rows", "columns", "random0.1", "largest0.1", "random0.5")


@pytest.mark.parametrize("kind", [*KINDS, "largest0.5"])
def test_true_vectors_are_in_the_span_and_others_are_not(case, kind):
    values, true, others = case
    seen = seen_of(values, kind)
    found = subspace.of(Shown(np.where(seen, values, 0), seen), 12)
    assert found.rank == RANK and found.exact
    assert subspace.log_distances(found, true).max() < np.log(1e-4)
    assert subspace.log_distances(found, others).min() > np.log(0.05)


def test_hidden_values_are_not_read(case):
    values, _, _ = case
    seen = seen_of(values, "random0.3")
    first, second = (
        subspace.of(Shown(np.where(seen, values, other), seen), 12)
        for other in (0.0, 1e9)
    )
    np.testing.assert_array_equal(first.basis, second.basis)


def test_zeros_in_their_place_spoil_it(case):
    values, true, others = case
    seen = seen_of(values, "random0.1")
    found = subspace.zero_filled(Shown(np.where(seen, values, 0), seen))
    assert found.rank == WIDTH // 2
    assert subspace.log_distances(found, true).max() > np.log(0.05)
    assert np.ptp(subspace.log_distances(found, others)) < 2


def test_too_few_columns_are_no_span_of_all(case):
    values, true, _ = case
    seen = np.zeros(values.shape, bool)
    seen[:, : RANK - 1] = True
    found = subspace.of(Shown(np.where(seen, values, 0), seen), 12)
    assert found.rank < RANK and not found.exact
    assert subspace.log_distances(found, true).max() > np.log(1e-2)
    nothing = np.zeros(values.shape, bool)
    assert subspace.of(Shown(np.zeros(values.shape), nothing), 12) is None


@pytest.mark.parametrize(
    ("singular", "rank"),
    [([5, 1, 2e-3, 3e-7, 2e-7], 3), ([5, 1, 0.5], 3), ([3e-7, 1e-7], 0), ([1, 0], 1)],
)
def test_the_rank_is_where_singular_values_fall(singular, rank):
    assert balance.rank_of(np.array(singular, float), 1e-6) == rank
