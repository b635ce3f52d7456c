"""Reading a network: a chain of blocks, or nothing."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from attacks import knowledge
from attacks.pictures.peeling import (
    forward,
)
from attacks.structure import network
from selenc_tf.models import (
    convnet64,
    fedavg_cnn,
    functional,
    lenet,
    resnet18,
)
from tests.attacks import victims
from tests.attacks.chains import conv, picture, uniform, with_parts

layers = keras.layers


def check_read_rightly(model):
    """What is below the dense layers, against Keras; a refusal is right too."""
    try:
        read = network.read_network(model)
    except knowledge.DoesNotApply:
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


def check_refused(model, reason="`model` .* must be convolutions of stride 1"):
    with pytest.raises(knowledge.DoesNotApply, match=reason):
        network.read_network(model)


@pytest.mark.parametrize("activation", ["tanh", "linear"])
def test_the_layer_that_breaks_the_chain_is_named(activation):
    """Not the last one, which is as it should be."""
    inputs = keras.Input((8, 8, 3))
    x = layers.Flatten()(conv(activation="relu")(inputs))
    x = layers.Dense(4, activation=activation, name="other")(x)
    x = layers.Dense(4, activation="relu")(x)
    model = functional.from_keras(keras.Model(inputs, layers.Dense(2)(x)))
    check_refused(model, r"its layer 'other' \(Dense\)")


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
    "windows_of_a_part": windows_of(((0, 4), (0, 4)), (2, 2, 2, 2, 4)),
    "windows_with_a_floor": windows_of(0, (4, 2, 4, 2, 4), initial=0.9),
    "windows_kept": windows_of(0, (4, 2, 4, 2, 4), keepdims=True),
}


def test_dropout_has_no_effect_in_inference_mode():
    plain = network.read_network(with_parts(layers.ReLU()))
    calm = with_parts(layers.ReLU(), layers.Dropout(0.5))
    assert network.read_network(calm).blocks == plain.blocks


@pytest.mark.parametrize(
    "make", [lambda: layers.Dropout(0.5), layers.BatchNormalization]
)
def test_what_acts_in_training_mode_is_another_layer(make):
    with pytest.raises(knowledge.DoesNotApply, match=r"dropout|batch_normalization"):
        network.read_network(with_parts(make(), layers.ReLU(), training=True))


@pytest.mark.slow
def test_convnet():
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


def test_fedavg_cnn():
    read = network.read_network(fedavg_cnn.fedavg_cnn((28, 28, 1), 10, 0))
    assert (read.contrast, read.offset) == (1.0, 0.0)
    first, second = read.blocks
    assert first.padding == (2, 2) and first.output_shape == (14, 14, 32)
    assert second.pool == 2 and second.output_shape == (7, 7, 64)
    assert second.tensors == (2, 3) and second.statistics is None
    assert [layer.units for layer in read.dense] == [512, 10]


@pytest.mark.slow
def test_other_models_of_the_library():
    check_refused(lenet.lenet((32, 32, 3), 10, 0), r"\(ZeroPadding2D\) is another")
    check_refused(resnet18.resnet18((32, 32, 3), 10, 0))
    check_refused(victims.tiny_model(), r"\(Flatten\) is another")


@pytest.mark.parametrize("name", NO_CHAINS)
def test_no_chains(name):
    check_refused(with_parts(*NO_CHAINS[name]()))


def test_no_chain_with_a_skip():
    inputs = keras.Input((8, 8, 3))
    x = layers.Add()([conv(activation="relu")(inputs), inputs])
    logits = layers.Dense(2)(layers.Flatten()(x))
    model = functional.from_keras(keras.Model(inputs, logits))
    check_refused(model)


def test_no_chain_with_activated_logits():
    inputs = keras.Input((8, 8, 3))
    x = layers.Flatten()(conv(activation="relu")(inputs))
    logits = layers.Dense(2, activation="tanh")(x)
    model = functional.from_keras(keras.Model(inputs, logits))
    check_refused(model)


@pytest.mark.parametrize("activation", ["softmax", "linear"])
def test_probabilities_have_logits(activation):
    inputs = keras.Input((8, 8, 3))
    x = layers.Flatten()(conv(activation="relu")(inputs))
    outputs = layers.Dense(2, activation=activation)(x)
    model = functional.from_keras(keras.Model(inputs, outputs))
    assert check_read_rightly(model)


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_are_what_they_are(name):
    assert check_read_rightly(with_parts(*VARIANTS[name]()))


@pytest.mark.parametrize("build", list(MISLEADING.values()), ids=list(MISLEADING))
def test_no_other_network_is_read(build):
    check_read_rightly(build())
