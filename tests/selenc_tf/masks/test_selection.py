"""The exact selection against a stable sort, and the order of floats."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from selenc_tf.masks import order, policy, selection

# Zeros of both signs, the smallest and largest denormals and normals, neighbours, and
# what the two halves of a key could confuse.
EDGES = [
    0.0, -0.0, 1e-45, -1e-45, 1.1754942e-38, -1.1754942e-38, 1.1754944e-38,
    -1.1754944e-38, 3.4028235e38, -3.4028235e38, 3.39e38, -3.39e38, 1.0,
    float(np.nextafter(np.float32(1), np.float32(2))), -1.0, 1.0078125, -1.0078125,
]  # fmt: skip
FLOATS = st.one_of(
    st.sampled_from(EDGES), st.floats(width=32, allow_nan=False, allow_infinity=False)
)
CASES = st.lists(FLOATS, min_size=1, max_size=50).flatmap(
    lambda scores: st.tuples(st.just(scores), st.integers(0, len(scores)))
)


SIGNATURE = [tf.TensorSpec([None], tf.float32), tf.TensorSpec([], tf.int64)]


@tf.function(input_signature=SIGNATURE, autograph=False)
def highest(scores, m):
    return selection.highest(
        lambda start, end: order.keys(scores[start:end]),
        tf.size(scores, tf.int64),
        m,
    )


def by_sorting(scores, m):
    """Python's sort is stable, and takes -0.0 and 0.0 for equal."""
    best = sorted(range(len(scores)), key=lambda index: -scores[index])[:m]
    mask = np.zeros([len(scores)], np.bool_)
    mask[best] = True
    return mask


@settings(max_examples=30, deadline=None)
@given(CASES)
def test_as_sorting(case):
    scores, m = case
    scores = [float(np.float32(score)) for score in scores]
    np.testing.assert_array_equal(highest(scores, m), by_sorting(scores, m))


@settings(max_examples=40, deadline=None)
@given(CASES)
def test_keys_have_the_order_of_their_scores(case):
    scores = np.array(case[0], np.float32)
    keys = order.keys(tf.constant(scores)).numpy()
    # NumPy compares in float64, where nothing is a denormal.
    first, second = scores.astype(np.float64), keys.astype(np.int64)
    np.testing.assert_array_equal(
        np.sign(first[:, None] - first), np.sign(second[:, None] - second)
    )
    assert order.LEAST < keys.min() and keys.max() < order.GREATEST


def test_keys_by_hand():
    keys = order.keys(tf.constant([-1.5, -0.0, 0.0, 1e-45, 2.0]))
    np.testing.assert_array_equal(keys, [-0x3FC00000, 0, 0, 1, 0x40000000])


def chunked(monkeypatch, size):
    monkeypatch.setattr(selection, "_CHUNK", size)
    return tf.function(
        highest.python_function, input_signature=SIGNATURE, autograph=False
    )


@pytest.mark.parametrize("size", [3, pytest.param(64, marks=pytest.mark.slow)])
def test_chunks(monkeypatch, size):
    traced = chunked(monkeypatch, size)
    generator = np.random.default_rng(size)
    for n in (1, size - 1, size, size + 1, 2 * size + 22):
        scores = generator.integers(-3, 4, n).astype(np.float32)
        for m in sorted({0, n // 3, n - 1, n}):
            mask = traced(tf.constant(scores), tf.constant(m, tf.int64))
            np.testing.assert_array_equal(mask, by_sorting(scores, m))


@pytest.mark.parametrize("kind", ["normal", "magnitude", "few values", "equal"])
def test_as_top_k_for_many_chunks(kind):
    n = 300_001
    generator = np.random.default_rng(0)
    normal = generator.standard_normal(n).astype(np.float32)
    scores = {
        "normal": normal,
        "magnitude": np.abs(normal) * np.float32(1e-3),
        "few values": np.round(normal),
        "equal": np.full([n], -2.5, np.float32),
    }[kind]
    for m in (1, n // 10):
        expected = np.zeros([n], np.bool_)
        expected[tf.math.top_k(scores, m).indices] = True
        mask = highest(tf.constant(scores), tf.constant(m, tf.int64))
        np.testing.assert_array_equal(mask, expected)


def test_scores_made_chunk_by_chunk():
    gradient = tf.random.stateless_normal([400_000], [1, 2])
    lazy = selection.highest(
        lambda start, end: order.keys(tf.abs(gradient[start:end])), 400_000, 40_000
    )
    np.testing.assert_array_equal(lazy, policy.top_scores(tf.abs(gradient), 40_000))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(FLOATS, st.floats(width=32)), min_size=1, max_size=20))
def test_all_finite(scores):
    found = order.all_finite(tf.constant(scores, tf.float32))
    assert bool(found) == bool(np.all(np.isfinite(np.array(scores, np.float32))))
