"""A small model, its cohort and its rounds, for all modules that listen to a round."""

import os

import keras
import numpy as np
import tensorflow as tf

from federated.round import local_work
from selenc_tf.lattice import codec
from selenc_tf.lattice import engine as engine_lib
from selenc_tf.masks import agreement, policy
from selenc_tf.models import functional
from selenc_tf.significance import magnitude, random
from tests.selenc_tf.lattice import ciphers

BOUND = 4.0
CODEC = codec.FixedPointCodec(bits=24)
CIPHER = ciphers.named(
    os.environ.get("SELENC_TF_CIPHER", "tf_shell_bgv"), 4, CODEC.bits
)
ENGINE = engine_lib.Engine(CODEC, CIPHER)
N = 57
M = 23
POLICY = policy.top_fraction(0.4)  # 0.4 * 57 = 22.8
SEED = agreement.public_seed(random.random, POLICY, (1, 2))
HISTORY = agreement.previous_aggregate(magnitude.magnitude, POLICY, (1, 2))
NOTHING = agreement.previous_aggregate(
    magnitude.magnitude, policy.top_fraction(0.0), (1, 2)
)
OWN = agreement.OwnMask(magnitude.magnitude, POLICY, (1, 2))


def small_model() -> functional.FunctionalModel:
    """Of four tensors: 5 -> 6 tanh -> 3."""
    inputs = keras.Input((5,))
    kernel = keras.initializers.GlorotUniform(seed=1)
    hidden = keras.layers.Dense(6, "tanh", kernel_initializer=kernel)(inputs)
    logits = keras.layers.Dense(3, kernel_initializer=kernel)(hidden)
    return functional.from_keras(keras.Model(inputs, logits))


def batches(*sizes: int) -> list[local_work.Batch]:
    """The examples of a client for each size."""
    rng = np.random.default_rng(2)
    return [
        local_work.Batch(
            rng.normal(size=[size, 5]).astype(np.float32),
            rng.integers(0, 3, size).astype(np.int32),
        )
        for size in sizes
    ]


def gradient_of(
    model: functional.FunctionalModel, batch: local_work.Batch
) -> np.ndarray:
    """A client's gradient, float32 [n]."""
    return functional.gradient(
        model,
        model.initial_weights,
        tf.constant(batch.examples),
        tf.one_hot(batch.labels, model.num_classes),
    ).numpy()


def weights_of(model: functional.FunctionalModel) -> list[np.ndarray]:
    """What the server broadcasts."""
    return [weight.numpy() for weight in model.initial_weights]


def run(built, model, cohort):
    """The result of a first round of this cohort."""
    return built.next(built.initialize(), weights_of(model), cohort)
