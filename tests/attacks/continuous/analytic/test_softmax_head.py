"""Heads of which whole rows, the bias and the label's column are hidden."""

import numpy as np
import pytest
from scipy import special

from attacks.continuous.analytic import r_gap_head, softmax_head
from attacks.structure import dense_layers

FEATURES, CLASSES, LABEL = 40, 30, 4
ALL = tuple(range(CLASSES))


def head_of(seed=0, classes=CLASSES, size=3.0):
    """Weights, biases, and an input of which a third is zero, as behind a ReLU."""
    generator = np.random.default_rng(seed)
    kernel = generator.standard_normal((FEATURES, classes)) / np.sqrt(FEATURES)
    features = np.maximum(generator.standard_normal(FEATURES) + 0.4, 0) * size
    return kernel, 0.1 * generator.standard_normal(classes), features


def delta_of(kernel, bias, features, label=LABEL):
    return special.softmax(features @ kernel + bias) - np.eye(bias.size)[label]


def gradient_of(features, delta, dtype=np.float32):
    """Kernel and, as the last row, bias; as a client's float32 leaves them."""
    found = np.outer(np.append(features, 1.0), delta)
    return found.astype(dtype).astype(np.float64)


def known_of(values, rows=12, label=LABEL, bias=False):
    """The largest rows, the label's column where it is not zero, and the bias hidden."""
    known = np.ones(values.shape, np.bool_)
    known[np.argsort(-np.abs(values[:-1]).sum(axis=1))[:rows]] = False
    known[:, label] &= values[:, label] == 0
    known[-1] = bias
    return known


def complete(values, known, kernel, bias, labels=ALL):
    return softmax_head.complete(
        np.where(known, values, 0.0), known, kernel, bias, labels
    )


@pytest.mark.parametrize("bias_seen", [False, True])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("dtype", "accuracy"), [(np.float64, 1e-9), (np.float32, 1e-4)]
)
def test_hidden_rows_follow(seed, bias_seen, dtype, accuracy):
    kernel, bias, features = head_of(seed)
    delta = delta_of(kernel, bias, features)
    values = gradient_of(features, delta, dtype)
    known = known_of(values)
    known[-1, 7:15] = bias_seen
    found = complete(values, known, kernel, bias)
    assert found.labels == (LABEL,) and found.delta_known.all()
    np.testing.assert_allclose(found.features, features, atol=accuracy * 10)
    np.testing.assert_allclose(found.delta, delta, atol=accuracy)
    assert found.residual < 1e-6


def test_errors_are_those_that_are_made():
    ratios = []
    for seed in range(20):
        kernel, bias, features = head_of(seed)
        values = gradient_of(features, delta_of(kernel, bias, features))
        found = complete(values, known_of(values), kernel, bias)
        solved = found.errors > 0
        ratios.append((found.features - features)[solved] / found.errors[solved])
    assert 0.1 < np.sqrt(np.mean(np.square(np.concatenate(ratios)))) < 2


def test_features_of_either_sign():
    kernel, bias, features = head_of()
    features = features - 1.5
    delta = delta_of(kernel, bias, features)
    values = gradient_of(features, delta)
    found = complete(values, known_of(values), kernel, bias)
    np.testing.assert_allclose(found.features, features, atol=1e-3)


def test_hidden_entries_are_not_looked_at():
    kernel, bias, features = head_of()
    values = gradient_of(features, delta_of(kernel, bias, features))
    known = known_of(values)
    first, second = (
        softmax_head.complete(np.where(known, values, other), known, kernel, bias, ALL)
        for other in (7.0, np.nan)
    )
    np.testing.assert_equal(first._asdict(), second._asdict())


def test_a_column_that_nothing_tells_of():
    """Two classes' columns are hidden: the input follows, not which is the label."""
    kernel, bias, features = head_of()
    delta = delta_of(kernel, bias, features)
    values = gradient_of(features, delta)
    known = known_of(values)
    known[:, 9] &= values[:, 9] == 0
    found = complete(values, known, kernel, bias)
    assert found.labels == (LABEL, 9)
    assert np.flatnonzero(~found.delta_known).tolist() == [LABEL, 9]
    np.testing.assert_allclose(found.features, features, atol=1e-3)
    # One entry of a row that was not read settles it.
    known[int(np.argmax(features)), 9] = True
    assert complete(values, known, kernel, bias).labels == (LABEL,)
    assert complete(values, known, kernel, bias, (9,)) is None


def test_wrong_labels_are_refused():
    kernel, bias, features = head_of()
    values = gradient_of(features, delta_of(kernel, bias, features))
    known = known_of(values)
    others = [label for label in ALL if label != LABEL]
    assert complete(values, known, kernel, bias, others) is None


@pytest.mark.parametrize(
    ("rows", "bias_seen", "enough"),
    [
        (25, False, True),
        (26, False, False),
        (30, False, False),
        (26, True, True),
        (27, True, False),
    ],
)
def test_classes_to_spare(rows, bias_seen, enough):
    """29 equations: unread rows, a scale unless the bias says it, a constant, two spare."""
    kernel, bias, features = head_of(3)
    features = features + 0.1
    values = gradient_of(features, delta_of(kernel, bias, features), np.float64)
    known = known_of(values, rows, bias=bias_seen)
    assert (complete(values, known, kernel, bias) is not None) == enough


def test_nothing_where_every_row_is_read():
    kernel, bias, features = head_of()
    values = gradient_of(features, delta_of(kernel, bias, features))
    assert complete(values, known_of(values, 0), kernel, bias) is None


def smoothed(kernel, bias, features):
    return delta_of(kernel, bias, features) + 0.1 * (
        np.eye(CLASSES)[LABEL] - 1 / CLASSES
    )


def squared(kernel, bias, features):
    return features @ kernel + bias - np.eye(CLASSES)[LABEL]


def events(kernel, bias, features):
    return special.expit(features @ kernel + bias) - np.eye(CLASSES)[LABEL]


def other_weights(kernel, bias, features):
    return delta_of(1.01 * kernel, bias, features)


@pytest.mark.parametrize("made", [smoothed, squared, events, other_weights])
@pytest.mark.parametrize("seed", range(3))
def test_another_loss_is_refused(made, seed):
    kernel, bias, features = head_of(seed)
    values = gradient_of(features, made(kernel, bias, features))
    for bias_seen in (False, True):
        known = known_of(values, bias=bias_seen)
        known[-1, LABEL] = False
        assert complete(values, known, kernel, bias) is None


@pytest.mark.parametrize("label", [LABEL, 9])
def test_several_examples_are_refused(label):
    kernel, bias, features = head_of()
    other = head_of(1)[2]
    values = gradient_of(features, delta_of(kernel, bias, features))
    values = (values + gradient_of(other, delta_of(kernel, bias, other, label))) / 2
    assert complete(values, known_of(values), kernel, bias) is None


def test_steps_are_refused():
    """The sum of two steps of one example whose features stay as they are: rank one."""
    kernel, bias, features = head_of()
    first = delta_of(kernel, bias, features)
    moved = kernel - 0.01 * np.outer(features, first)
    values = gradient_of(features, first + delta_of(moved, bias, features))
    assert complete(values, known_of(values), kernel, bias) is None


@pytest.mark.parametrize("apart", [0.0, 1e-5])
def test_two_hidden_rows_that_weigh_the_same(apart):
    """What only their sum is told of, or their difference badly, is not told."""
    kernel, bias, features = head_of()
    first, second = np.argsort(-features)[:2]
    kernel[second] = kernel[first] + apart * kernel[first][::-1]
    values = gradient_of(features, delta_of(kernel, bias, features))
    assert complete(values, known_of(values), kernel, bias) is None


@pytest.mark.parametrize("hidden", [12, 30])
def test_recursive_inversion_begins_with_it(hidden):
    kernel, bias, features = head_of(3)
    features = features + 0.1
    delta = delta_of(kernel, bias, features)
    values = gradient_of(features, delta)
    known = known_of(values, hidden)
    vector = np.where(known, values, 0.0).ravel()
    size = FEATURES * CLASSES
    layer = dense_layers.DenseLayer(
        "head",
        slice(0, size),
        FEATURES,
        CLASSES,
        slice(size, size + CLASSES),
        sees_picture=False,
        head=True,
    )
    found = r_gap_head.read(vector, known.ravel(), layer, kernel, bias, LABEL)
    if hidden == 30:
        assert found is None
        return
    assert found.features_known.all() and found.delta_known.all()
    np.testing.assert_allclose(found.features, features, atol=1e-3)
    np.testing.assert_allclose(found.delta, delta, atol=1e-5)
    assert found.entries == np.count_nonzero(known)


@pytest.mark.parametrize("hidden", [0.0, 0.1])
def test_what_rounding_leaves_of_a_sure_picture(hidden):
    """p - y is zero at its label and does not sum to zero: nothing may rest on that."""
    kernel, bias, features = head_of(classes=10)
    delta = np.zeros(10)
    delta[[0, 3, 8]] = 3.8e-9, 6.3e-10, 2.1e-14
    values = gradient_of(features, delta)
    known = np.random.default_rng(0).uniform(size=values.shape) >= hidden
    layer = dense_layers.DenseLayer(
        name="head",
        kernel=slice(0, FEATURES * 10),
        features=FEATURES,
        units=10,
        bias=slice(FEATURES * 10, FEATURES * 10 + 10),
        sees_picture=False,
        head=True,
    )
    vector = np.where(known, values, 0.0).ravel()
    found = r_gap_head.read(vector, known.ravel(), layer, kernel, bias, LABEL)
    assert found is not None and found.features_known.all()
    np.testing.assert_allclose(found.features, features, rtol=1e-5)
    np.testing.assert_allclose(found.delta, delta, rtol=1e-5)


def test_what_was_solved_says_how_sure_it_is():
    """And p - y stays the client's, whose rounding went into the layers below."""
    kernel, bias, features = head_of(classes=10, size=1.5)
    features[3] = 0.0
    delta = delta_of(kernel, bias, features) * (1 + 1e-5 * np.arange(10))
    values = gradient_of(features, delta)
    known = np.ones(values.shape, np.bool_)
    known[3:5] = False
    size = FEATURES * 10
    layer = dense_layers.DenseLayer(
        "head",
        slice(0, size),
        FEATURES,
        10,
        slice(size, size + 10),
        sees_picture=False,
        head=True,
    )
    vector = np.where(known, values, 0.0).ravel()
    found = r_gap_head.read(vector, known.ravel(), layer, kernel, bias, LABEL)
    assert found is not None
    assert np.flatnonzero(found.errors).tolist() == [3, 4]
    np.testing.assert_allclose(found.delta, delta, rtol=1e-6)
