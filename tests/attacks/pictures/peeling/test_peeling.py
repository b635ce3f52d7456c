"""Layer peeling, from the reading of a network to the attack."""

from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from attacks import effort, knowledge
from attacks import target as target_lib
from attacks.continuous.first_order import search
from attacks.metrics import evaluation
from attacks.optimisers import blas
from attacks.pictures.peeling import (
    convolution,
    forward,
    layer_peeling,
    peel,
    pooled,
    top,
)
from attacks.structure import dense_layers, network
from selenc_tf import flatten
from selenc_tf.models import (
    batch_statistics,
    convnet64,
    fedavg_cnn,
    functional,
    lenet,
    resnet18,
)
from tests.attacks import victims

build_layer_peeling = victims.shared(layer_peeling.build_layer_peeling)

SEED = (1, 2)
layers = keras.layers


@pytest.fixture(autouse=True)
def one_thread():
    """As in the attack: many small matrices, tens of times slower on two threads."""
    with blas.one_thread():
        yield


class Net(NamedTuple):
    """A network and what its Keras model has at the depths 0, 1, ..."""

    model: functional.FunctionalModel
    depths: tuple


def uniform(bound, seed):
    return keras.initializers.RandomUniform(-bound, bound, seed=seed)


def build_net(shape, blocks, hidden=(), classes=5, seed=0, norm=True):
    """Convolutions of these channels and poolings (0: none; negative: `max_pool`)."""
    inputs = keras.Input(shape)
    x = layers.Rescaling(4.0, -2.0)(inputs)
    depths = [x]
    for index, (channels, pool) in enumerate(blocks):
        bound = (9 * x.shape[-1]) ** -0.5
        x = layers.Conv2D(
            channels,
            3,
            padding="same",
            kernel_initializer=uniform(bound, seed + index),
            bias_initializer=uniform(bound, seed + 50 + index),
        )(x)
        if norm:
            x = layers.BatchNormalization(epsilon=1e-5)(x)
        x = layers.ReLU()(x)
        if pool > 0:
            x = layers.MaxPooling2D(pool)(x)
        elif pool < 0:
            x = convnet64.max_pool(x, -pool, name=f"pool{index}")
        depths.append(x)
    x = layers.Flatten()(x)
    for index, units in enumerate((*hidden, classes)):
        bound = x.shape[-1] ** -0.5
        x = layers.Dense(
            units,
            activation="relu" if index < len(hidden) else None,
            kernel_initializer=uniform(bound, seed + 100 + index),
            bias_initializer=uniform(bound, seed + 150 + index),
        )(x)
    model = keras.Model(inputs, x)
    generator = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            size = layer.gamma.shape
            # A negative scale turns the maximum of a window into its minimum.
            sign = np.where(generator.uniform(size=size) < 0.2, -1, 1)
            layer.gamma.assign(sign * generator.uniform(0.6, 1.5, size))
            layer.beta.assign(generator.uniform(-0.2, 0.3, size))
            layer.moving_mean.assign(generator.uniform(-0.3, 0.3, size))
            layer.moving_variance.assign(generator.uniform(0.3, 1.2, size))
    return Net(functional.from_keras(model), tuple(depths))


def picture(shape, seed=0):
    """A smooth picture with some noise, float32 [1, h, w, c]."""
    generator = np.random.default_rng(seed)
    coarse = generator.uniform(0.1, 0.9, (1, 4, 4, shape[2]))
    smooth = tf.image.resize(coarse, shape[:2], "bicubic").numpy()
    noisy = smooth + 0.05 * generator.standard_normal(smooth.shape)
    return np.clip(noisy, 0, 1).astype(np.float32)


@pytest.fixture(scope="module")
def deep():
    """Both kinds of pooling, which cut rows, and a dense layer below the head."""
    return build_net((15, 14, 3), ((8, 0), (12, 2), (12, 0), (16, -3)), (10,))


@pytest.fixture(scope="module")
def easy():
    """Every layer has equations to spare."""
    return build_net((8, 8, 3), ((16, 0), (32, -2)), (12,))


@pytest.fixture(scope="module")
def hard():
    """The first convolution has 72 equations for 144 positions."""
    return build_net((12, 12, 3), ((8, 0), (16, 2), (32, 2)), (10,))


def psnr(found, image):
    truth = evaluation.Truth(image, found.labels)
    return evaluation.evaluate(found, truth)[0].psnr


def with_parts(*parts):
    """A convolution unless the parts begin with one, the parts, and a head."""
    inputs = x = keras.Input((8, 8, 3))
    if not (parts and "Conv" in type(parts[0]).__name__):
        x = layers.Conv2D(3, 3, padding="same")(x)
    for part in parts:
        x = part(x)
    if len(x.shape) > 2:
        x = layers.Flatten()(x)
    return functional.from_keras(keras.Model(inputs, layers.Dense(2)(x)))


def check_read_rightly(model):
    """What is below the dense layers, against Keras; an answer of None is right too."""
    read = network.read_network(model)
    if read is None:
        return False
    image = picture(model.input_shape)
    keras_model = model.keras_model
    first = next(x for x in keras_model.layers if isinstance(x, layers.Dense))
    expected = keras.Model(keras_model.inputs[0], first.input)(image)
    found = forward.run(
        read, model.initial_weights, tf.constant(image), len(read.blocks)
    )
    np.testing.assert_allclose(np.ravel(found), np.ravel(expected), atol=1e-5)
    return True


def conv(channels=3, size=3, **options):
    return layers.Conv2D(channels, size, padding="same", **options)


# Each as a function: no layers are made while tests are collected.
NO_CHAINS = {
    "strides": lambda: [conv(strides=2)],
    "even": lambda: [conv(size=2)],
    "valid": lambda: [layers.Conv2D(4, 3)],
    "dilation": lambda: [conv(dilation_rate=2)],
    "groups": lambda: [conv(groups=3)],
    "depthwise": lambda: [layers.DepthwiseConv2D(3, padding="same")],
    "frozen_kernel": lambda: [conv(trainable=False)],
    "sigmoid": lambda: [layers.Activation("sigmoid")],
    "own_sigmoid": lambda: [conv(activation="sigmoid")],
    "relu_6": lambda: [layers.ReLU(max_value=6)],
    "slope": lambda: [layers.ReLU(negative_slope=0.1)],
    "threshold": lambda: [layers.ReLU(threshold=0.1)],
    "leaky_relu": lambda: [layers.LeakyReLU()],
    "padding": lambda: [layers.ReLU(), layers.ZeroPadding2D(1)],
    "two_poolings": lambda: [layers.MaxPooling2D(2), layers.MaxPooling2D(2)],
    "overlapping": lambda: [layers.MaxPooling2D(3, 2)],
    "gaps": lambda: [layers.MaxPooling2D(2, 3)],
    "oblong": lambda: [layers.MaxPooling2D((2, 3))],
    "padded_pooling": lambda: [layers.MaxPooling2D(3, padding="same")],
    "mean_pooling": lambda: [layers.AveragePooling2D(2)],
    "global_pooling": lambda: [layers.GlobalMaxPooling2D()],
    "pooling_then_relu": lambda: [layers.MaxPooling2D(2), layers.ReLU()],
    "relu_then_norm": lambda: [layers.ReLU(), layers.BatchNormalization()],
    "two_norms": lambda: [layers.BatchNormalization(), layers.BatchNormalization()],
    "late_rescaling": lambda: [layers.Rescaling(2.0)],
    "linear_dense": lambda: [layers.Flatten(), layers.Dense(4)],
    "sigmoid_dense": lambda: [layers.Flatten(), layers.Dense(4, activation="sigmoid")],
    "normalised_dense": lambda: [
        layers.Flatten(),
        layers.Dense(4),
        layers.BatchNormalization(),
        layers.ReLU(),
    ],
    "frozen_dense": lambda: [
        layers.Flatten(),
        layers.Dense(4, activation="relu", trainable=False),
    ],
}

VARIANTS = {
    "relu": lambda: [layers.ReLU()],
    "activation": lambda: [layers.Activation("relu")],
    "linear": lambda: [],
    "linear_pooled": lambda: [layers.MaxPooling2D(3)],
    "oblong_kernel": lambda: [conv(4, (5, 3), activation="relu")],
    "large_kernel": lambda: [conv(4, 11, activation="relu")],
    "no_bias": lambda: [conv(4, 1, use_bias=False), layers.ReLU()],
    "no_scale": lambda: [
        layers.BatchNormalization(
            scale=False,
            beta_initializer=uniform(1, 0),
            moving_mean_initializer=uniform(1, 1),
        ),
        layers.ReLU(),
    ],
    "no_shift": lambda: [
        layers.BatchNormalization(
            center=False,
            gamma_initializer=uniform(1, 0),
            moving_mean_initializer=uniform(1, 1),
        ),
        layers.ReLU(),
    ],
    "pool_of_one": lambda: [layers.MaxPooling2D(1), layers.MaxPooling2D(2)],
    "dense_relu_layer": lambda: [layers.Flatten(), layers.Dense(4), layers.ReLU()],
}


def shared(make, *others):
    """The same layer after two convolutions (or as both of them)."""

    def build():
        layer = make()
        inputs = x = keras.Input((8, 8, 3))
        for _ in range(2):
            x = conv()(x) if not isinstance(layer, layers.Conv2D) else x
            x = layer(x)
            for other in others:
                x = other()(x)
        logits = layers.Dense(2)(layers.Flatten()(x))
        return functional.from_keras(keras.Model(inputs, logits))

    return build


def windows_of(crop, target, axis=(2, 4), **options):
    def build():
        inputs = keras.Input((8, 8, 3))
        x = layers.Cropping2D(crop)(conv(4, activation="relu")(inputs))
        x = keras.ops.max(layers.Reshape(target)(x), axis=axis, **options)
        logits = layers.Dense(2)(layers.Flatten()(x))
        return functional.from_keras(keras.Model(inputs, logits))

    return build


def rescaled_twice():
    inputs = keras.Input((8, 8, 3))
    x = layers.Rescaling(2.0)(layers.Rescaling(3.0, 1.0)(inputs))
    x = layers.Flatten()(conv(activation="relu")(x))
    return functional.from_keras(keras.Model(inputs, layers.Dense(2)(x)))


def frozen_norm():
    return with_parts(
        layers.BatchNormalization(
            gamma_initializer=uniform(1, 0),
            beta_initializer=uniform(1, 1),
            trainable=False,
        ),
        layers.ReLU(),
    )


def norm_of_rows():
    norm = layers.BatchNormalization(axis=1, moving_mean_initializer=uniform(1, 0))
    return with_parts(norm, layers.ReLU())


def norm_of_positions():
    norm = layers.BatchNormalization(moving_mean_initializer=uniform(1, 0))
    return with_parts(layers.Flatten(), norm, layers.ReLU())


# Models that pass for a chain at first sight.
MISLEADING = {
    "no_dense_layer": lambda: functional.from_keras(
        keras.Sequential(
            [keras.Input((8, 8, 3)), conv(), layers.ReLU(), layers.Flatten()]
        )
    ),
    "windows_of_everything": windows_of(0, (4, 2, 4, 2, 4), axis=None, keepdims=True),
    "shared_relu": shared(layers.ReLU),
    "shared_pooling": shared(lambda: layers.MaxPooling2D(2)),
    "shared_convolution": shared(conv, layers.ReLU),
    "frozen_norm": frozen_norm,
    "norm_of_rows": norm_of_rows,
    "norm_of_positions": norm_of_positions,
    "rescaled_twice": rescaled_twice,
    "channels_first_flatten": lambda: with_parts(
        layers.Flatten(data_format="channels_first")
    ),
    "windows_of_a_part": windows_of(((0, 4), (0, 4)), (2, 2, 2, 2, 4)),
    "windows_with_a_floor": windows_of(0, (4, 2, 4, 2, 4), initial=0.9),
    "windows_kept": windows_of(0, (4, 2, 4, 2, 4), keepdims=True),
}


class TestNetwork:
    def test_dropout_has_no_effect(self):
        """Gradients are those of a model in inference mode."""
        plain = network.read_network(with_parts(layers.ReLU()))
        with_dropout = with_parts(layers.ReLU(), layers.Dropout(0.5))
        assert network.read_network(with_dropout).blocks == plain.blocks

    def test_convnet(self):
        read = network.read_network(convnet64.convnet16((32, 32, 3), 10, 0))
        assert (read.contrast, read.offset) == (4.0, -2.0)
        assert [block.output_shape for block in read.blocks] == [
            *((32, 32, channels) for channels in (16, 32, 32, 64, 64)),
            (10, 10, 64),
            (10, 10, 64),
            (3, 3, 64),
        ]
        assert [block.pool for block in read.blocks] == [1, 1, 1, 1, 1, 3, 1, 3]
        assert read.blocks[1].tensors == (4, 5, 6, 7)
        assert all(block.rectified and block.statistics for block in read.blocks)
        assert read.blocks[7].map_shape == (10, 10, 64)
        assert [layer.head for layer in read.dense] == [True]

    def test_fedavg_cnn(self):
        read = network.read_network(fedavg_cnn.fedavg_cnn((28, 28, 1), 10, 0))
        assert (read.contrast, read.offset) == (1.0, 0.0)
        first, second = read.blocks
        assert first.padding == (2, 2) and first.output_shape == (14, 14, 32)
        assert second.pool == 2 and second.output_shape == (7, 7, 64)
        assert second.tensors == (2, 3) and second.statistics is None
        assert [layer.units for layer in read.dense] == [512, 10]

    def test_other_models_of_the_library(self):
        assert network.read_network(lenet.lenet((32, 32, 3), 10, 0)) is None
        assert network.read_network(resnet18.resnet18((32, 32, 3), 10, 0)) is None
        assert network.read_network(victims.tiny_model()) is None

    @pytest.mark.parametrize("name", NO_CHAINS)
    def test_no_chains(self, name):
        assert network.read_network(with_parts(*NO_CHAINS[name]())) is None

    def test_no_chain_with_a_skip(self):
        inputs = keras.Input((8, 8, 3))
        x = layers.Add()([conv(activation="relu")(inputs), inputs])
        logits = layers.Dense(2)(layers.Flatten()(x))
        model = functional.from_keras(keras.Model(inputs, logits))
        assert network.read_network(model) is None

    def test_no_chain_with_activated_logits(self):
        inputs = keras.Input((8, 8, 3))
        x = layers.Flatten()(conv(activation="relu")(inputs))
        logits = layers.Dense(2, activation="softmax")(x)
        model = functional.from_keras(keras.Model(inputs, logits))
        assert network.read_network(model) is None

    @pytest.mark.parametrize("name", VARIANTS)
    def test_variants_are_what_they_are(self, name):
        assert check_read_rightly(with_parts(*VARIANTS[name]()))

    @pytest.mark.parametrize("build", list(MISLEADING.values()), ids=list(MISLEADING))
    def test_no_other_network_is_read(self, build):
        check_read_rightly(build())


class TestForward:
    def test_every_depth_is_that_of_keras(self, deep):
        model, depths = deep
        read = network.read_network(model)
        assert [block.pool for block in read.blocks] == [1, 2, 1, 3]
        image = picture(model.input_shape)
        layer_outputs = keras.Model(model.keras_model.inputs[0], list(depths))(image)
        assert len(layer_outputs) == len(read.blocks) + 1
        for depth, expected in enumerate(layer_outputs):
            found = forward.run(
                read, model.initial_weights, tf.constant(image), depth
            ).numpy()
            assert found.shape == expected.shape and np.any(found > 0)
            np.testing.assert_allclose(found, expected, atol=1e-5)
            assert depth == 0 or found.shape[1:] == read.blocks[depth - 1].output_shape

    @pytest.mark.parametrize("depth", [1, 2, 3, 4])
    def test_the_true_derivative_gives_the_true_gradients(self, deep, depth):
        model, depths = deep
        read = network.read_network(model)
        image = picture(model.input_shape)
        keras_model = model.keras_model
        activations = keras.Model(keras_model.inputs[0], depths[depth])(image)
        above = keras.Model(depths[depth], keras_model.output)
        with tf.GradientTape() as tape:
            tape.watch(activations)
            loss = functional.cross_entropy(tf.one_hot([1], 5), above(activations))
        derivative = tape.gradient(loss, activations)[0]
        found, gradients = forward.gradients_below(
            read, model.initial_weights, tf.constant(image), depth, derivative
        )
        np.testing.assert_allclose(found, activations[0], atol=1e-5)
        below = forward.tensors_below(read, depth)
        assert below == tuple(range(4 * depth))
        true = flatten.unflatten(
            tf.constant(victims.gradient(model, image, (1,))), model.spec
        )
        for index, part in zip(below, gradients, strict=True):
            atol = 1e-5 * np.max(np.abs(true[index]))
            np.testing.assert_allclose(part, true[index], atol=atol + 1e-8)


def block_of(shape, outputs, pool=1, size=(3, 3)):
    """A block whose weights are given to it by hand."""
    height, width, _ = shape
    return network.Block(
        kernel=0,
        bias=1,
        scale=None,
        shift=None,
        statistics=None,
        padding=(size[0] // 2, size[1] // 2),
        rectified=True,
        pool=pool,
        input_shape=shape,
        output_shape=(height // pool, width // pool, outputs),
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


class TestConvolution:
    @pytest.mark.parametrize("size", [(1, 1), (3, 3), (5, 3), (7, 7)])
    def test_design_is_the_gradient_of_the_kernel(self, size):
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
    def test_the_input_is_found(self, size, hidden):
        block = block_of((6, 5, 3), 16, size=size)
        true = products(block, size)
        seen = np.random.default_rng(1).uniform(size=true.gradient.shape) >= hidden
        found = convolution.solve(block, true.k, true.gradient * seen, seen)
        np.testing.assert_allclose(found.values, true.x, atol=1e-8)
        assert found.determined and found.residual < 1e-10

    @pytest.mark.parametrize("pull", [0.0, 0.1])
    def test_hidden_entries_are_not_read(self, pull):
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

    def test_equations_without_weight_are_not_read(self):
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

    def test_too_few_equations_are_reported(self):
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

    def test_one_channel_short_is_undetermined(self):
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

    def test_no_equations(self):
        block = block_of((6, 5, 3), 16)
        true = products(block)
        every = np.ones(true.gradient.shape, bool)
        near = np.full(true.x.shape, 0.3)
        for k, seen in ((true.k, ~every), (0 * true.k, every)):
            found = convolution.solve(block, k, true.gradient * seen, seen, near=near)
            assert not found.determined and found.residual == 1.0
            np.testing.assert_array_equal(found.values, near)

    def test_limits_of_the_pull(self):
        block = block_of((6, 5, 3), 16)
        true = products(block)
        every = np.ones(true.gradient.shape, bool)
        near = np.ones_like(true.x)
        for pull, expected in ((1e-12, true.x), (1e12, near)):
            found = convolution.solve(
                block, true.k, true.gradient, every, near=near, pull=pull
            )
            np.testing.assert_allclose(found.values, expected, atol=1e-6)


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


class TestPooled:
    @pytest.mark.parametrize("initial", ["grey", "normal"])
    @pytest.mark.parametrize("hidden", [0.0, 0.3])
    def test_the_last_block_of_the_convnet(self, last_block, initial, hidden):
        model, block, x, layer = last_block
        known = knowledge.Knowledge(model)
        images = tf.constant(search.draw_images(known, initial, SEED, 0), tf.float64)
        read, weights = network.read_network(model), as_float64(model)
        start = forward.run(read, weights, images, 7)[0].numpy()
        assert np.linalg.norm(start - x) > 0.5 * np.linalg.norm(x)
        found = pooled.solve(block, hide(layer, hidden), start, positive=True)
        assert found.determined and found.residual < 1e-6
        assert relative_error(found, x) < 1e-5

    def test_the_truth_stays(self):
        block = block_of((8, 8, 4), 32, pool=2)
        x, layer = pooled_layer(block, seed=1)
        found = pooled.solve(block, layer, x, positive=True)
        assert found.determined and relative_error(found, x) < 1e-5

    def test_a_small_residual_is_a_right_answer(self):
        believed = []
        for seed in range(12):
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

    def test_another_gradient_is_not_explained(self):
        block = block_of((8, 8, 4), 32, pool=2)
        x, layer = pooled_layer(block, seed=1)
        _, other = pooled_layer(block, seed=2)
        mixed = layer._replace(gradient=other.gradient)
        assert pooled.solve(block, mixed, x, positive=True).residual > 1e-2

    @pytest.mark.parametrize("hidden", [0.0, 0.4])
    def test_without_pooling_the_start_is_not_read(self, hidden):
        block = block_of((8, 8, 4), 24)
        x, layer = pooled_layer(block, seed=3)
        found, again = (
            pooled.solve(block, hide(layer, hidden), start, positive=True)
            for start in (np.zeros_like(x), np.full_like(x, np.nan))
        )
        assert found.determined and relative_error(found, x) < 1e-5
        np.testing.assert_array_equal(found.values, again.values)

    @pytest.mark.parametrize("wrong", ["zero", "positive"])
    def test_an_output_rounded_to_the_wrong_side_of_zero(self, wrong):
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

    def test_nothing_to_solve(self):
        block = block_of((8, 8, 4), 24, pool=2)
        x, layer = pooled_layer(block, seed=3)
        for empty in (
            hide(layer, 1.1),
            layer._replace(
                derivative=0 * layer.derivative, gradient=0 * layer.gradient
            ),
            layer._replace(output=0 * layer.output, gradient=0 * layer.gradient),
        ):
            found = pooled.solve(block, empty, x, positive=True)
            assert not found.determined and np.all(np.isfinite(found.values))


@pytest.fixture(scope="module")
def case(deep):
    """The gradient, the flat activations below the dense layers, dL by them."""
    model, depths = deep
    image = picture(model.input_shape)
    flat = keras.Model(model.keras_model.inputs[0], depths[-1])(image)
    above = keras.Model(depths[-1], model.keras_model.output)
    with tf.GradientTape() as tape:
        tape.watch(flat)
        loss = functional.cross_entropy(tf.one_hot([1], 5), above(flat))
    derivative = tape.gradient(loss, flat)
    vector = victims.gradient(model, image, (1,))
    return model, vector, np.ravel(flat), np.ravel(derivative)


class TestTop:
    FEATURES = 2 * 2 * 16
    HEAD = 5 * 10 + 5

    def read(self, case, mask=None):
        model, vector, *_ = case
        view = victims.view_of(model, [vector], mask)
        target = target_lib.build_target(
            view, knowledge.Knowledge(model), 0, "mask_aware"
        )
        found = dense_layers.dense_layers(model)
        return top.read(target, view.weights, found, 1)

    def test_two_dense_layers(self, case):
        _, _, values, derivative = case
        found = self.read(case)
        assert found.known.all() and values.size == self.FEATURES
        np.testing.assert_allclose(found.values, values, atol=1e-5)
        np.testing.assert_allclose(found.derivative, derivative, atol=1e-5)
        # The kernels; and the head's bias.
        assert found.entries == self.FEATURES * 10 + self.HEAD

    def test_hidden_entries(self, case):
        model, vector, values, derivative = case
        mask = victims.random_mask(vector.size, 0.4)
        found = self.read(case, mask)
        assert found.known.mean() > 0.9
        np.testing.assert_allclose(
            found.values[found.known], values[found.known], atol=1e-4
        )
        np.testing.assert_array_equal(found.values[~found.known], 0)
        np.testing.assert_allclose(found.derivative, derivative, atol=1e-4)
        poisoned = np.where(mask, np.float32(np.nan), vector)
        again = self.read((model, poisoned), mask)
        np.testing.assert_equal(again._asdict(), found._asdict())

    def test_a_hidden_row_is_not_known(self, case):
        _, vector, values, _ = case
        mask = np.zeros(vector.size, np.bool_)
        first = vector.size - self.HEAD - 10 - self.FEATURES * 10
        mask[first : first + 2 * 10] = True
        found = self.read(case, mask)
        assert np.flatnonzero(~found.known).tolist() == [0, 1]
        np.testing.assert_allclose(found.values[2:], values[2:], atol=1e-5)

    def test_a_hidden_head(self, case):
        vector = case[1]
        mask = np.zeros(vector.size, np.bool_)
        mask[-self.HEAD :] = True
        assert self.read(case, mask) is None
        # Two inputs of the head: the derivative below would be incomplete.
        mask[-self.HEAD :] = False
        mask[-self.HEAD : -self.HEAD + 10] = True
        assert self.read(case, mask) is None


def attack(net, view, iterations=40, *, labels=None, restarts=1, **options):
    limits = effort.Effort(
        restarts, iterations, max_seconds=options.pop("max_seconds", None)
    )
    build = build_layer_peeling(effort=limits, **options)
    return build(view, knowledge.Knowledge(net.model, labels=labels), SEED)


def view_of(net, image, mask=None, value=None):
    """The client's view; hidden entries replaced by a value first."""
    vector = victims.gradient(net.model, image, (1,))
    if value is not None:
        vector = np.where(mask, np.float32(value), vector)
    return victims.view_of(net.model, [vector], mask)


def assert_identical(first, second):
    untimed = {"seconds": 0.0}
    np.testing.assert_equal(
        first._replace(**untimed)._asdict(), second._replace(**untimed)._asdict()
    )


def check_well_formed(found, net):
    shape = (1, *net.model.input_shape)
    assert found.images.shape == shape and found.images.dtype == np.float32
    assert np.all((found.images >= 0) & (found.images <= 1))
    assert found.labels.shape == (1,) and found.labels.dtype == np.int64
    assert found.converged == (found.stop == "closed_form")


class TestAttack:
    @pytest.mark.parametrize("hidden", [0.0, 0.3])
    def test_every_layer_comes_off(self, easy, hidden):
        image = picture(easy.model.input_shape)
        mask = victims.random_mask(easy.model.spec.size, hidden)
        found = attack(easy, view_of(easy, image, mask))
        check_well_formed(found, easy)
        assert found.stop == "closed_form" and psnr(found, image) > 60
        assert found.iterations == 0 and found.objective < 1e-10
        assert found.labels.tolist() == [1] and found.label_source == "inferred"
        # Every entry of the kernels and the head, no more.
        biases = [
            size
            for size, shape in zip(
                easy.model.spec.sizes, easy.model.spec.shapes, strict=True
            )
            if len(shape) == 1
        ]
        kernels = easy.model.spec.size - sum(biases)
        if not hidden:
            assert found.matched_entries == kernels + biases[-1]
        assert found.matched_entries <= np.count_nonzero(~mask)

    def test_what_is_left_is_searched(self, hard):
        image = picture(hard.model.input_shape)
        steps = []
        found = attack(
            hard,
            view_of(hard, image),
            120,
            progress=lambda *step: steps.append(step),
        )
        check_well_formed(found, hard)
        assert found.stop == "iterations" and found.iterations == 120
        assert psnr(found, image) > 25
        assert steps[-1][1] == 120 and steps[-1][2] < steps[0][2]

    def test_a_layer_that_resisted_is_tried_again(self, easy, monkeypatch):
        image = picture(easy.model.input_shape)
        calls, descend = [], peel.descend

        def stubborn(problem, level, candidates, deadline=None):
            calls.append(len(candidates))
            if len(calls) == 1:
                return level, True
            return descend(problem, level, candidates, deadline)

        monkeypatch.setattr(peel, "descend", stubborn)
        found = attack(easy, view_of(easy, image), 90)
        assert calls == [4, 1] and found.iterations == 30
        assert found.stop == "closed_form" and psnr(found, image) > 60

    def test_iterations_are_shared_by_the_starts(self, hard):
        image = picture(hard.model.input_shape)
        steps = []
        found = attack(
            hard,
            view_of(hard, image),
            20,
            restarts=3,
            progress=lambda *step: steps.append(step),
        )
        assert {start for start, *_ in steps} == {0, 1, 2}
        assert 18 <= found.iterations <= 20

    @pytest.mark.parametrize("name", ["easy", "hard"])
    def test_hidden_entries_are_never_read(self, name, request):
        """The same bits, and so the same from run to run too."""
        net = request.getfixturevalue(name)
        image = picture(net.model.input_shape)
        mask = victims.random_mask(net.model.spec.size, 0.3)
        first, again, *others = (
            attack(net, view_of(net, image, mask, value), 10)
            for value in (None, None, np.nan, 7.0)
        )
        check_well_formed(first, net)
        for other in (again, *others):
            assert_identical(first, other)

    @pytest.mark.parametrize("hidden", [0.2, 0.5, 0.7])
    def test_a_closed_form_is_right(self, easy, hidden):
        for seed in range(2):
            image = picture(easy.model.input_shape, seed)
            mask = victims.random_mask(easy.model.spec.size, hidden, seed)
            mask[-(12 * 5 + 5) :] = False
            found = attack(easy, view_of(easy, image, mask), 5)
            check_well_formed(found, easy)
            if found.stop == "closed_form":
                assert psnr(found, image) > 60

    def test_weights_come_from_the_view(self, easy):
        image = picture(easy.model.input_shape)
        other = easy.model._replace(
            initial_weights=tuple(0 * part for part in easy.model.initial_weights)
        )
        found = attack(Net(other, ()), view_of(easy, image))
        assert found.stop == "closed_form" and psnr(found, image) > 60

    def test_gradients_of_no_picture(self, easy):
        """The head is right, and what lies below it is noise."""
        vector = victims.gradient(easy.model, picture((8, 8, 3)), (1,))
        generator = np.random.default_rng(0)
        end = vector.size - (12 * 5 + 5)
        vector[:end] = generator.standard_normal(end)
        found = attack(easy, victims.view_of(easy.model, [vector]), 5)
        check_well_formed(found, easy)
        assert found.stop == "iterations"

    @pytest.mark.parametrize("name", ["linear", "linear_pooled"])
    def test_without_a_relu_there_is_a_search(self, name):
        net = Net(with_parts(*VARIANTS[name]()), ())
        found = attack(net, view_of(net, picture((8, 8, 3))), 5)
        check_well_formed(found, net)
        assert found.stop == "iterations" and found.iterations == 5

    def test_one_picture_only(self, easy):
        known = knowledge.Knowledge(easy.model, batch_size=2)
        view = view_of(easy, picture((8, 8, 3)))
        with pytest.raises(ValueError, match=r"`knowledge.batch_size` must be 1"):
            build_layer_peeling()(view, known, SEED)

    def test_not_applicable(self):
        net = Net(victims.tiny_model(), ())
        found = attack(net, view_of(net, victims.tiny_pictures(1)))
        check_well_formed(found, net)
        assert found.stop == "not_applicable" and found.matched_entries == 0
        np.testing.assert_array_equal(found.images, np.float32(0.5))

    @pytest.mark.parametrize(
        ("value", "hidden", "stop"),
        [
            (1.0, True, "nothing_visible"),
            (0.0, False, "all_zero"),
            (np.nan, False, "not_finite"),
            (np.inf, False, "not_finite"),
        ],
    )
    def test_nothing_to_go_by(self, easy, value, hidden, stop):
        vector = np.full(easy.model.spec.size, value, np.float32)
        mask = np.full(vector.size, hidden)
        found = attack(easy, victims.view_of(easy.model, [vector], mask))
        check_well_formed(found, easy)
        assert found.stop == stop
        np.testing.assert_array_equal(found.images, np.float32(0.5))

    @pytest.mark.parametrize("name", ["easy", "hard"])
    def test_no_time(self, name, request):
        net = request.getfixturevalue(name)
        image = picture(net.model.input_shape)
        found = attack(net, view_of(net, image), 500, max_seconds=1e-6)
        check_well_formed(found, net)
        assert found.stop in {"closed_form", "seconds"} and found.iterations <= 50
