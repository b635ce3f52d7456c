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


def test_directions_hardly_above_rounding_are_counted():
    rest = [7e-7, 6e-7, 5e-7, 4e-7]
    assert balance.rank_of(np.array([5, 1, 2e-5, 3e-6, *rest]), 1e-6) == 4
    # What is left at the end is not: it is above the floor, but nothing stands out, or
    # the fall says that it is rounding.
    assert balance.rank_of(np.array([5, 1, 2e-5, 4e-6, 3.5e-6, 3e-6]), 2e-6) == 3
    assert balance.rank_of(np.array([5, 1, 2e-2, 3e-6, *rest]), 1e-6) == 3


def test_a_vector_along_a_weak_direction_is_not_outside():
    generator = np.random.default_rng(0)
    rank = WIDTH // 2
    inputs = generator.standard_normal((WIDTH, rank))
    mixed = np.linalg.qr(generator.standard_normal((COLUMNS, rank)))[0]
    values = (inputs * np.geomspace(1, 1e-6, rank)) @ mixed.T
    rounded = values.astype(np.float32).astype(np.float64)
    found = subspace.of(Shown(rounded, np.ones(values.shape, bool)), rank)
    assert found.rank == rank
    strong = inputs[:, : rank // 2].T
    near = strong + 1e-4 * generator.standard_normal(strong.shape)
    level = subspace.log_distances(found, inputs.T).max()
    assert subspace.log_distances(found, near).min() > level + 2
    # By the distance alone the weakest of the true ones is farther outside than those.
    plain = found._replace(blur=np.zeros_like(found.blur))
    level = subspace.log_distances(plain, inputs.T).max()
    assert subspace.log_distances(plain, near).max() < level


@pytest.mark.parametrize("rank", [6, 8, 12])
def test_heads_tell_vectors_that_were_mixed(rank):
    """Fewer than a head has coordinates, as many, and more: the last are ranked only."""
    heads, size = 4, 8
    generator = np.random.default_rng(0)
    # As tokens are: most of their directions are weak.
    shape = np.exp(-np.arange(heads * size) / 8)
    true, others = (
        (generator.standard_normal((count, heads * size)) * shape)
        for count in (rank, 200)
    )
    mixed = np.concatenate(
        [
            generator.standard_normal((rank, rank)) @ true[:, at : at + size]
            for at in range(0, heads * size, size)
        ],
        axis=1,
    )
    values = mixed.T @ generator.standard_normal((rank, COLUMNS))
    values = values.astype(np.float32).astype(np.float64)
    found = subspace.of(Shown(values, np.ones(values.shape, bool), heads), 20)
    assert found.rank == rank and found.exact and found.soft
    assert found.spare == heads * max(0, size - rank)
    inside, outside = (subspace.log_distances(found, one) for one in (true, others))
    if rank < size:
        assert inside.max() < outside.min() - 1
    assert np.median(inside) < np.quantile(outside, 0.1)
    # The whole is not what mixing leaves alone.
    whole = subspace.of(Shown(values, np.ones(values.shape, bool)), 20)
    assert subspace.log_distances(whole, true).min() > np.log(0.01)
