"""Small models with batches, and all that a client could tell a metric about them."""

import keras
import numpy as np
import tensorflow as tf

from selenc_tf import flatten
from selenc_tf.masks import policy
from selenc_tf.models import functional
from selenc_tf.significance.context import ScoreBatch, ScoreContext

MODELS = ("lenet", "small_cnn", "fedavg_cnn", "mlp", "r_gap_cnn")
"""Those of the catalogue that take pictures of 8x8; the others are deeper versions."""


def pictures(model, count, seed=0):
    """Uniform inputs and one-hot labels in the dtype of the model."""
    rng = np.random.default_rng(seed)
    dtype = model.initial_weights[0].dtype
    return ScoreBatch(
        tf.constant(rng.uniform(size=[count, *model.input_shape]), dtype),
        tf.one_hot(
            rng.integers(0, model.num_classes, count), model.num_classes, dtype=dtype
        ),
    )


def gradient_at(model, flat, batch):
    return functional.gradient(model, flatten.unflatten(flat, model.spec), *batch)


def context_of(model, batch, *, seed=(1, 2), steps=1, learning_rate=0.5):
    """After `steps` local steps; the gradient is the one before the last of them."""
    start = flatten.flatten(model.initial_weights)
    weights = start
    for _ in range(steps):
        gradient = gradient_at(model, weights, batch)
        weights = weights - learning_rate * gradient
    return ScoreContext(
        gradient=gradient,
        seed=tf.constant(seed),
        spec=model.spec,
        weights=start,
        update=weights - start,
        batch=batch,
        model=model,
    )


def dense(features=6, classes=3):
    """Two dense layers: 43 parameters, small enough for the whole Jacobian."""
    keras.utils.set_random_seed(4)
    return functional.from_keras(
        keras.Sequential(
            [
                keras.Input((features,)),
                keras.layers.Dense(4, activation="tanh", name="hidden"),
                keras.layers.Dense(classes, name="head"),
            ]
        ),
        name="dense",
    )


def frozen():
    """The same with a first layer that is not trained."""
    keras.utils.set_random_seed(4)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(4, activation="tanh", name="hidden"),
            keras.layers.Dense(3, name="head"),
        ]
    )
    model.layers[0].trainable = False
    return functional.from_keras(model, name="frozen")


def embedding():
    """An embedding, whose gradient TensorFlow makes sparse. Inputs are token numbers."""
    keras.utils.set_random_seed(4)
    return functional.from_keras(
        keras.Sequential(
            [
                keras.Input((5,)),
                keras.layers.Embedding(7, 3, name="tokens"),
                keras.layers.GlobalAveragePooling1D(),
                keras.layers.Dense(3, name="head"),
            ]
        ),
        name="embedding",
    )


def tokens(count):
    rng = np.random.default_rng(1)
    return ScoreBatch(
        tf.constant(rng.integers(0, 4, [count, 5]), tf.float32),
        tf.one_hot(rng.integers(0, 3, count), 3),
    )


def top_tenth(scores):
    """The mask that the scores make at an encryption ratio of 0.1."""
    n = int(scores.shape[0])
    return policy.top_scores(scores, policy.hidden_count(0.1, n)).numpy()
