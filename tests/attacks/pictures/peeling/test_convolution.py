"""A convolution's input from the gradient of its kernel."""

from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from attacks.pictures.peeling import (
    convolution,
)
from tests.attacks.chains import (
    block_of,
)


class Products(NamedTuple):
    """A convolution's input, the derivative by its products, its kernel's gradient."""

    x: np.ndarray
    k: np.ndarray
    gradient: np.ndarray


def products(block, size=(3, 3), seed=0):
    """The gradient as TensorFlow has it, float64."""
    generator = np.random.default_rng(seed)
    inputs, outputs = block.input_shape[2], block.output_shape[2]
    x = generator.standard_normal(block.input_shape)
    k = generator.standard_normal(block.map_shape)
    k *= generator.uniform(size=k.shape) < 0.6
    kernel = tf.Variable(generator.standard_normal((*size, inputs, outputs)))
    with tf.GradientTape() as tape:
        hidden = tf.nn.conv2d(tf.constant(x[np.newaxis]), kernel, 1, "SAME")
        score = tf.reduce_sum(hidden * k)
    return Products(x, k, tape.gradient(score, kernel).numpy())


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (5, 3), (7, 7)])
def test_design_is_the_gradient_of_the_kernel(size):
    block = block_of((6, 4, 2), 5, size=size)
    true = products(block, size)
    matrix = convolution.design(block, size, true.k)
    assert matrix.shape == (size[0] * size[1], 5, 24)
    for channel in range(2):
        found = matrix @ true.x[:, :, channel].ravel()
        expected = true.gradient[:, :, channel].reshape(-1, 5)
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("size", [(3, 3), (5, 3)])
@pytest.mark.parametrize("hidden", [0.0, 0.4])
def test_the_input_is_found(size, hidden):
    block = block_of((6, 5, 3), 16, size=size)
    true = products(block, size)
    seen = np.random.default_rng(1).uniform(size=true.gradient.shape) >= hidden
    found = convolution.solve(block, true.k, true.gradient * seen, seen)
    np.testing.assert_allclose(found.values, true.x, atol=1e-8)
    assert found.determined and found.residual < 1e-10


@pytest.mark.parametrize("pull", [0.0, 0.1])
def test_hidden_entries_are_not_read(pull):
    block = block_of((6, 5, 3), 16)
    true = products(block)
    seen = np.random.default_rng(1).uniform(size=true.gradient.shape) < 0.6
    first, *others = (
        convolution.solve(
            block,
            true.k,
            np.where(seen, true.gradient, value),
            seen,
            near=np.ones_like(true.x),
            pull=pull,
        )
        for value in (0.0, 7.0, np.nan)
    )
    assert np.all(np.isfinite(first.values))
    for other in others:
        np.testing.assert_equal(other._asdict(), first._asdict())


def test_equations_without_weight_are_not_read():
    block = block_of((6, 5, 3), 16)
    true = products(block)
    wrong = true.gradient.copy()
    wrong[..., 3] += 1.0
    weights = np.linspace(0.5, 2, 16)
    weights[3] = 0
    found = convolution.solve(
        block, true.k, wrong, np.ones(wrong.shape, bool), equation_weights=weights
    )
    np.testing.assert_allclose(found.values, true.x, atol=1e-8)
    assert found.determined
    misled = convolution.solve(block, true.k, wrong, np.ones(wrong.shape, bool))
    assert misled.residual > 1e-3 and np.max(np.abs(misled.values - true.x)) > 1e-2


def test_too_few_equations_are_reported():
    """Against LAPACK: the smallest input, or the nearest to another."""
    block = block_of((6, 5, 1), 2)
    true = products(block)
    every = np.ones(true.gradient.shape, bool)
    matrix = convolution.design(block, (3, 3), true.k).reshape(18, 30)
    for near in (np.zeros((6, 5, 1)), np.ones((6, 5, 1))):
        found = convolution.solve(block, true.k, true.gradient, every, near=near)
        assert not found.determined and found.residual < 1e-8
        side = true.gradient.reshape(18) - matrix @ near.ravel()
        expected = near.ravel() + np.linalg.lstsq(matrix, side, rcond=None)[0]
        np.testing.assert_allclose(found.values.ravel(), expected, atol=1e-7)


def test_one_channel_short_is_undetermined():
    block = block_of((6, 5, 3), 16)
    true = products(block)
    seen = np.ones(true.gradient.shape, bool)
    seen[:, :, 1, 3:] = False
    found = convolution.solve(block, true.k, true.gradient * seen, seen)
    assert not found.determined
    for channel in (0, 2):
        np.testing.assert_allclose(
            found.values[..., channel], true.x[..., channel], atol=1e-8
        )


def test_no_equations():
    block = block_of((6, 5, 3), 16)
    true = products(block)
    every = np.ones(true.gradient.shape, bool)
    near = np.full(true.x.shape, 0.3)
    for k, seen in ((true.k, ~every), (0 * true.k, every)):
        found = convolution.solve(block, k, true.gradient * seen, seen, near=near)
        assert not found.determined and found.residual == 1.0
        np.testing.assert_array_equal(found.values, near)


def test_limits_of_the_pull():
    block = block_of((6, 5, 3), 16)
    true = products(block)
    every = np.ones(true.gradient.shape, bool)
    near = np.ones_like(true.x)
    for pull, expected in ((1e-12, true.x), (1e12, near)):
        found = convolution.solve(
            block, true.k, true.gradient, every, near=near, pull=pull
        )
        np.testing.assert_allclose(found.values, expected, atol=1e-6)
