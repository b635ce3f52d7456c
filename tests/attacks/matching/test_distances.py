"""Matching distances against NumPy formulas, and where norms vanish."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from attacks.matching import distances
from selenc_tf import flatten

SPEC = flatten.FlatSpec(("kernel", "bias", "head"), ((3, 4), (4,), (4, 2)))
SIZE = 24


def vectors(seed, hidden=0.4):
    generator = np.random.default_rng(seed)
    candidate, target = generator.standard_normal((2, SIZE))
    matched = (generator.uniform(size=SIZE) >= hidden).astype(float)
    return candidate, target * matched, matched


def value(name, candidate, target, matched, **options):
    distance = distances.build_distance(name, SPEC, **options)
    return float(
        distance(
            *(tf.constant(part, tf.float64) for part in (candidate, target, matched))
        )
    )


def cosine(left, right):
    return left @ right / np.sqrt((left @ left) * (right @ right))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_against_formulas(seed):
    q, g, m = vectors(seed)
    l2 = np.sum(m * (q - g) ** 2) / np.sum(g**2)
    l1 = np.sum(m * np.abs(q - g)) / np.sum(np.abs(g))
    np.testing.assert_allclose(value("l2", q, g, m), l2, rtol=1e-12)
    np.testing.assert_allclose(value("l1", q, g, m), l1, rtol=1e-12)
    np.testing.assert_allclose(value("tag", q, g, m, alpha=0.3), l2 + 0.3 * l1)
    np.testing.assert_allclose(value("cosine", q, g, m), 1 - cosine(m * q, g))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_zero_filling_scales_the_cosine(seed):
    """cos(q, m g) = cos(m q, m g) ||m q|| / ||q||."""
    q, g, m = vectors(seed)
    naive = 1 - value("cosine", q, g, np.ones(SIZE))
    aware = 1 - value("cosine", q, g, m)
    np.testing.assert_allclose(
        naive, aware * np.linalg.norm(m * q) / np.linalg.norm(q), atol=1e-12
    )


@pytest.mark.parametrize("name", distances.NAMES)
class TestEveryDistance:
    def test_perfect_match_is_zero(self, name):
        _, g, m = vectors(0)
        assert value(name, g, g, m) == 0

    def test_hidden_entries_do_not_matter(self, name):
        q, g, m = vectors(1)
        assert value(name, q, g, m) == value(name, np.where(m, q, 7.0), g, m)

    def test_scale_of_both_does_not_matter(self, name):
        q, g, m = vectors(2)
        np.testing.assert_allclose(
            value(name, 1e-3 * q, 1e-3 * g, m), value(name, q, g, m), rtol=1e-9
        )

    @pytest.mark.parametrize("zero", ["candidate", "target", "both", "unmatched"])
    def test_slopes_are_finite_where_norms_vanish(self, name, zero):
        q, g, m = vectors(3)
        q = q * 0 if zero in ("candidate", "both") else q
        g = g * 0 if zero in ("target", "both") else g
        m = m * 0 if zero == "unmatched" else m
        distance = distances.build_distance(name, SPEC)
        candidate = tf.constant(q, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(candidate)
            found = distance(
                candidate, tf.constant(g * m, tf.float32), tf.constant(m, tf.float32)
            )
        assert np.isfinite(found)
        assert np.all(np.isfinite(tape.gradient(found, candidate)))

    def test_slope_against_differences(self, name):
        q, g, m = vectors(4, hidden=0.2)
        distance = distances.build_distance(name, SPEC)
        parts = [tf.constant(part, tf.float64) for part in (g, m)]
        candidate = tf.constant(q)
        with tf.GradientTape() as tape:
            tape.watch(candidate)
            found = distance(candidate, *parts)
        slope = tape.gradient(found, candidate).numpy()
        step = 1e-6 * np.random.default_rng(0).standard_normal(SIZE)
        change = float(distance(q + step, *parts) - distance(q - step, *parts)) / 2
        np.testing.assert_allclose(change, slope @ step, rtol=1e-5, atol=1e-14)


def test_cosine_is_exact_near_zero_in_float32():
    q, g, m = vectors(5, hidden=0)
    near = (g + 1e-5 * q).astype(np.float32)
    distance = distances.build_distance("cosine", SPEC)
    found = float(distance(*(tf.constant(x, tf.float32) for x in (near, g, m))))
    expected = 1 - cosine(near.astype(float), g)
    # 1 - cos itself would be a multiple of 6e-8 here.
    assert expected < 1e-9
    np.testing.assert_allclose(found, expected, rtol=0.02)


class TestMeansOverTensors:
    def test_mean_over_those_that_are_seen(self):
        q, g, _ = vectors(6, hidden=0)
        m = np.ones(SIZE)
        m[12:15] = 0  # One entry of the bias is left: fewer than four.
        g = g * m
        parts = [slice(0, 12), slice(16, 24)]
        by_hand = np.mean([1 - cosine(q[part], g[part]) for part in parts])
        np.testing.assert_allclose(value("tensor_cosine", q, g, m), by_hand)
        l2 = np.mean([np.sum((q[p] - g[p]) ** 2) / np.sum(g[p] ** 2) for p in parts])
        np.testing.assert_allclose(value("tensor_l2", q, g, m), l2)

    def test_zero_tensor_does_not_take_part(self):
        q, g, m = vectors(7, hidden=0)
        g[:12] = 0
        parts = [slice(12, 16), slice(16, 24)]
        by_hand = np.mean([1 - cosine(q[part], g[part]) for part in parts])
        np.testing.assert_allclose(value("tensor_cosine", q, g, m), by_hand)

    def test_nothing_seen_enough_falls_back_to_the_whole(self):
        q, g, m = vectors(8)
        found = value("tensor_cosine", q, g, m, least_entries=100)
        np.testing.assert_allclose(found, value("cosine", q, g, m))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "l3"}, "`name` must be one of: l2, l1"),
        ({"name": "tag", "alpha": -1.0}, "`alpha` must be at least 0"),
        ({"name": "l2", "least_entries": 0}, "`least_entries` must be at least 1"),
    ],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        distances.build_distance(spec=SPEC, **options)
