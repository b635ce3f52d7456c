"""A block's input from its output and the gradient of its kernel."""

import numpy as np
import pytest
import tensorflow as tf

from attacks import knowledge
from attacks.continuous.first_order import starts
from attacks.pictures.peeling import (
    forward,
    pooled,
)
from attacks.structure import network
from selenc_tf.models import (
    batch_statistics,
    convnet64,
)
from tests.attacks.chains import (
    block_of,
    picture,
)

SEED = (1, 2)


def pooled_layer(block, seed, sparsity=0.5, size=(3, 3)):
    """A normalised layer over a rectified input; gradients rounded to float32."""
    generator = np.random.default_rng(seed)
    inputs, outputs = block.input_shape[2], block.output_shape[2]
    x = np.maximum(generator.standard_normal(block.input_shape) + 0.5 - sparsity, 0)
    bound = (size[0] * size[1] * inputs) ** -0.5
    kernel = generator.uniform(-bound, bound, (*size, inputs, outputs))
    factor = generator.uniform(0.6, 1.5, outputs)
    factor *= np.where(generator.uniform(size=outputs) < 0.2, -1, 1)
    summand = generator.uniform(-0.2, 0.3, outputs)
    derivative = generator.standard_normal(block.output_shape)
    watched = tf.Variable(kernel)
    with tf.GradientTape() as tape:
        hidden = tf.nn.conv2d(tf.constant(x[np.newaxis]), watched, 1, "SAME")
        hidden = tf.nn.relu(hidden * factor + summand)
        hidden = tf.nn.max_pool2d(hidden, block.pool, block.pool, "VALID")[0]
        score = tf.reduce_sum(hidden * derivative)
    gradient = tape.gradient(score, watched).numpy().astype(np.float32)
    layer = pooled.Layer(
        output=hidden.numpy().astype(np.float32).astype(np.float64),
        derivative=derivative,
        gradient=gradient.astype(np.float64),
        visible=np.ones(kernel.shape, np.bool_),
        kernel=kernel,
        factor=factor,
        summand=summand,
    )
    assert hidden.shape == block.output_shape
    return x, layer


def as_float64(model):
    return [tf.cast(tensor, tf.float64) for tensor in model.initial_weights]


@pytest.fixture(scope="module")
def last_block():
    """ConvNet16, its last block, that block's input, and what is known of it."""
    public = np.concatenate([picture((32, 32, 3), seed) for seed in range(1, 9)])
    model = batch_statistics.calibrate(convnet64.convnet16((32, 32, 3), 10, 0), public)
    read, weights = network.read_network(model), as_float64(model)
    block = read.blocks[7]
    image = tf.constant(picture(model.input_shape), tf.float64)
    x = forward.run(read, weights, image, 7)
    derivative = np.random.default_rng(0).standard_normal(block.output_shape)
    with tf.GradientTape() as tape:
        tape.watch(weights[block.kernel])
        output = forward.run_block(block, weights, x)[0]
        score = tf.reduce_sum(output * derivative)
    gradient = tape.gradient(score, weights[block.kernel]).numpy().astype(np.float32)
    factor, summand = forward.normaliser(block, weights)
    layer = pooled.Layer(
        output=output.numpy(),
        derivative=derivative,
        gradient=gradient.astype(np.float64),
        visible=np.ones(gradient.shape, np.bool_),
        kernel=weights[block.kernel].numpy(),
        factor=factor.numpy(),
        summand=summand.numpy(),
    )
    return model, block, x[0].numpy(), layer


def hide(layer, ratio, seed=0):
    generator = np.random.default_rng(seed)
    visible = generator.uniform(size=layer.gradient.shape) >= ratio
    return layer._replace(visible=visible, gradient=layer.gradient * visible)


def relative_error(found, x):
    return np.linalg.norm(found.values - x) / np.linalg.norm(x)


@pytest.mark.parametrize(
    ("hidden", "initial"),
    [
        pytest.param(0.0, "grey", marks=pytest.mark.slow),
        pytest.param(0.0, "normal", marks=pytest.mark.slow),
        pytest.param(0.3, "grey", marks=pytest.mark.slow),
        pytest.param(0.3, "normal", marks=pytest.mark.slow),
    ],
)
def test_the_last_block_of_the_convnet(last_block, initial, hidden):
    model, block, x, layer = last_block
    known = knowledge.Knowledge(model)
    images = tf.constant(starts.draw_images(known, initial, SEED, 0), tf.float64)
    read, weights = network.read_network(model), as_float64(model)
    start = forward.run(read, weights, images, 7)[0].numpy()
    assert np.linalg.norm(start - x) > 0.5 * np.linalg.norm(x)
    found = pooled.solve(block, hide(layer, hidden), start, positive=True)
    assert found.determined and found.residual < 1e-6
    assert relative_error(found, x) < 1e-5


def test_the_truth_stays():
    block = block_of((8, 8, 4), 32, pool=2)
    x, layer = pooled_layer(block, seed=1)
    found = pooled.solve(block, layer, x, positive=True)
    assert found.determined and relative_error(found, x) < 1e-5


def test_what_hidden_entries_leave_open_is_in_the_outputs():
    """The corner of one input channel, of which the gradient shows nothing."""
    block = block_of((8, 8, 4), 32, pool=2)
    x, layer = pooled_layer(block, seed=1)
    places = pooled.largest(pooled.outputs_of(block, layer, x))[0]
    visible = layer.visible.copy()
    visible[1 - places // 2, 1 - places % 2, 1, np.arange(32)] = False
    hidden = layer._replace(
        visible=visible, gradient=np.where(visible, layer.gradient, 0.0)
    )
    assert x[0, 0, 1] > 0.1
    found = pooled.solve(block, hidden, x, positive=True)
    assert len(found.open) == 1 and np.flatnonzero(found.open).tolist() == [1]
    assert found.determined and found.residual < 1e-6
    assert relative_error(found, x) < 1e-5
    # Outputs that are none of that input's do not say it.
    other = hidden._replace(output=hidden.output * 1.01)
    assert not pooled.solve(block, other, x, positive=True).determined


@pytest.mark.slow
def test_a_small_residual_is_a_right_answer():
    believed = []
    for seed in range(8):
        # 4.5, 2.2, 1.6 and 0.8 equations for each unknown.
        outputs, hidden = [(32, 0.0), (16, 0.0), (16, 0.3), (12, 0.5)][seed % 4]
        block = block_of((8, 8, 3), outputs, pool=2)
        x, layer = pooled_layer(block, seed)
        start = np.random.default_rng(seed).uniform(size=x.shape)
        found = pooled.solve(block, hide(layer, hidden), start, positive=True)
        assert np.all(np.isfinite(found.values))
        believed.append(found.determined and found.residual < 1e-4)
        if believed[-1]:
            assert relative_error(found, x) < 1e-3
    assert any(believed) and not all(believed)


def test_another_gradient_is_not_explained():
    block = block_of((8, 8, 4), 32, pool=2)
    x, layer = pooled_layer(block, seed=1)
    _, other = pooled_layer(block, seed=2)
    mixed = layer._replace(gradient=other.gradient)
    assert pooled.solve(block, mixed, x, positive=True).residual > 1e-2


@pytest.mark.parametrize("hidden", [0.0, 0.4])
def test_without_pooling_the_start_is_not_read(hidden):
    block = block_of((8, 8, 4), 24)
    x, layer = pooled_layer(block, seed=3)
    found, again = (
        pooled.solve(block, hide(layer, hidden), start, positive=True)
        for start in (np.zeros_like(x), np.full_like(x, np.nan))
    )
    assert found.determined and relative_error(found, x) < 1e-5
    np.testing.assert_array_equal(found.values, again.values)


@pytest.mark.parametrize("wrong", ["zero", "positive"])
def test_an_output_rounded_to_the_wrong_side_of_zero(wrong):
    """There are 3.4 equations for each unknown."""
    block = block_of((8, 8, 4), 24)
    for seed in range(4):
        x, layer = pooled_layer(block, seed)
        output = layer.output.copy()
        if wrong == "zero":
            output[output == output[output > 0].min()] = 0.0
        else:
            output.ravel()[np.flatnonzero(output == 0)[100]] = 1e-9
        changed = layer._replace(output=output)
        found = pooled.solve(block, changed, x, positive=True)
        assert found.residual < 1e-6 and relative_error(found, x) < 1e-5


def test_nothing_to_solve():
    block = block_of((8, 8, 4), 24, pool=2)
    x, layer = pooled_layer(block, seed=3)
    for empty in (
        hide(layer, 1.1),
        layer._replace(derivative=0 * layer.derivative, gradient=0 * layer.gradient),
        layer._replace(output=0 * layer.output, gradient=0 * layer.gradient),
    ):
        found = pooled.solve(block, empty, x, positive=True)
        assert not found.determined and np.all(np.isfinite(found.values))
