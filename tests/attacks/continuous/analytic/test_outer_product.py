import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacks.continuous.analytic import outer_product


def reachable(matrix, visible, bias, bias_visible):
    """Rows connected to the bias row by visible non-zero entries: by plain search."""
    values = np.vstack([matrix, bias])
    edges = np.vstack([visible, bias_visible]) & (values != 0)
    rows, columns = {len(matrix)}, set()
    while True:
        columns |= {j for i in rows for j in np.flatnonzero(edges[i])}
        more = rows | {i for j in columns for i in np.flatnonzero(edges[:, j])}
        if more == rows:
            return rows - {len(matrix)}
        rows = more


def test_worked_by_hand():
    matrix = np.array([[2.0, np.nan], [4.0, 6.0]])
    found = outer_product.factorise(matrix, ~np.isnan(matrix))
    np.testing.assert_allclose(found.rows, [0.5, 1.0])
    np.testing.assert_allclose(found.columns, [4.0, 6.0])
    assert not found.scaled and found.residual < 1e-30


def test_one_visible_bias_fixes_the_scale():
    matrix = np.array([[2.0, 3.0], [4.0, 6.0]])
    bias, seen = np.array([np.nan, 3.0]), np.array([False, True])
    found = outer_product.factorise(matrix, np.ones((2, 2), bool), bias, seen)
    np.testing.assert_allclose(found.rows, [1.0, 2.0])
    np.testing.assert_allclose(found.columns, [2.0, 3.0])
    assert found.scaled and found.columns_known.all()


def test_zero_rows_and_silent_units():
    x, a = np.array([0.5, 0.0, 1.0]), np.array([2.0, 0.0, -1.0])
    found = outer_product.factorise(
        np.outer(x, a), np.ones((3, 3), bool), a, np.ones(3, bool)
    )
    np.testing.assert_allclose(found.rows, x)
    np.testing.assert_allclose(found.columns, a)
    assert found.rows_known.all() and found.columns_known.all()


def test_a_zero_in_an_unknown_column_says_nothing():
    # Column 1 is seen in row 1 only, where it is zero: x_1 = 0 or a_1 = 0.
    matrix = np.array([[2.0, 0.0], [0.0, 0.0]])
    visible = np.array([[True, False], [False, True]])
    found = outer_product.factorise(matrix, visible)
    assert found.rows_known.tolist() == [True, False]


def test_two_components_have_no_common_scale():
    matrix = np.diag([1.0, 2.0])
    visible = np.eye(2, dtype=bool)
    found = outer_product.factorise(matrix, visible)
    assert found.rows_known.sum() == 1


@pytest.mark.parametrize("visible", [np.zeros((3, 2), bool), np.ones((3, 2), bool)])
def test_nothing_but_zeros(visible):
    found = outer_product.factorise(np.zeros((3, 2)), visible)
    assert not found.rows_known.any() and not found.columns_known.any()
    assert found.residual == 0.0


def test_a_second_picture_does_not_fit():
    generator = np.random.default_rng(0)
    matrix = generator.random((8, 2)) @ generator.standard_normal((2, 6))
    found = outer_product.factorise(matrix, np.ones((8, 6), bool))
    assert found.residual > 1e-3


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.95))
@settings(max_examples=100, deadline=None)
def test_what_is_connected_is_recovered(seed, hide):
    generator = np.random.default_rng(seed)
    x = generator.uniform(0.05, 1, 15) * (generator.random(15) < 0.8)
    a = np.exp(3 * generator.standard_normal(10)) * generator.choice([-1, 1], 10)
    matrix = np.outer(x, a).astype(np.float32)
    visible, seen = generator.random((15, 10)) >= hide, generator.random(10) >= hide
    found = outer_product.factorise(
        np.where(visible, matrix, np.nan), visible, np.where(seen, a, np.nan), seen
    )
    if not found.scaled:
        return
    known = set(np.flatnonzero(found.rows_known))
    connected = reachable(matrix, visible, a, seen)
    assert connected <= known
    assert all(x[i] == 0 for i in known - connected)
    np.testing.assert_allclose(found.rows[found.rows_known], x[found.rows_known], 1e-5)
    np.testing.assert_allclose(
        found.columns[found.columns_known], a[found.columns_known], 1e-5
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_entries_hidden(dtype):
    generator = np.random.default_rng(1)
    x = generator.uniform(0, 1, 300)
    a = generator.standard_normal(100) * np.exp(generator.standard_normal(100))
    full = np.vstack([np.outer(x, a), a]).astype(dtype)
    visible = np.abs(full) < np.quantile(np.abs(full), 0.5)
    found = outer_product.factorise(full[:-1], visible[:-1], full[-1], visible[-1])
    assert found.scaled and found.rows_known.all()
    # 60 dB on pixels in [0, 1]; rounding of float32 alone leaves far more.
    assert np.mean(np.square(found.rows - x)) < 1e-12
