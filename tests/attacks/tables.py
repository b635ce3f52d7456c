"""Models on rows of six numbers, and rows, that the attack tests share."""

import functools

import keras
import numpy as np
import tensorflow as tf

from attacks.matching import matching
from selenc_tf.models import functional, value_range
from selenc_tf.models import task as task_lib

layers = keras.layers

LOSSES = {
    "classes": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    "binary": keras.losses.BinaryCrossentropy(from_logits=True),
    "values": keras.losses.MeanSquaredError(),
}
WIDTHS = {"classes": 3, "binary": 1, "values": 2}
LABELS = {
    "classes": (2, 0),
    "binary": ((1.0,), (0.0,)),
    "values": ((0.7, -1.2), (-0.4, 0.3)),
}
STANDARDISED = value_range.value_range(
    [-3, -2.5, -4, -2, -3, -1], [3, 3.5, 2, 2.2, 5, 4]
)


@functools.cache
def row_model(kind, middle=(), *, training=True, regulariser=None, units=STANDARDISED):
    """Six standardised numbers -> 10 sigmoids -> the layers in the middle -> outputs."""

    def dense(width, seed, activation=None):
        return layers.Dense(
            width,
            activation=activation,
            kernel_initializer=keras.initializers.RandomUniform(-0.5, 0.5, seed=seed),
            bias_initializer=keras.initializers.RandomUniform(-0.5, 0.5, seed=seed),
            kernel_regularizer=regulariser,
        )

    inputs = keras.Input((6,))
    hidden = dense(10, 1, "sigmoid")(inputs)
    for make in middle:
        hidden = make()(hidden)
    outputs = dense(WIDTHS[kind], 2)(hidden)
    task = task_lib.from_keras(
        keras.Model(inputs, outputs, name="rows"), LOSSES[kind], training=training
    )
    return functional.from_task(task, value_range=units)


def rows(count, seed=0):
    """float32 [count, 6] in [0.1, 0.9]."""
    generator = np.random.default_rng(seed)
    return generator.uniform(0.1, 0.9, (count, 6)).astype(np.float32)


def gradient(model, examples, labels):
    """The client's gradient, float32 [n]."""
    targets = matching.as_targets(model, labels, tf.float32)
    return functional.gradient(
        model, model.initial_weights, tf.constant(examples), targets
    ).numpy()
