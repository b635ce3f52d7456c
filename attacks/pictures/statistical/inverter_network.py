"""A small network that maps features of a gradient to pictures, and its training.

Wu, Chen, Guo, Weinberger, "Learning To Invert: Simple Adaptive Attacks for Gradient
Inversion in Federated Learning", UAI 2023: two hidden layers, ReLU, sigmoid output,
mean squared error, Adam. The epoch is chosen on held-out public pictures.
"""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from attacks import effort as effort_lib

_BATCH = 64
_PATIENCE = 6
"""Epochs without a better held-out error after which the training ends."""


class Examples(NamedTuple):
    """Gradients' features with the pictures behind them.

    Attributes:
      features: float32 [s, k].
      pictures: float32 [s, d] in [0, 1].
    """

    features: np.ndarray
    pictures: np.ndarray


class Trained(NamedTuple):
    """A trained network.

    Attributes:
      network: float32 [s, k] -> [s, d] in (0, 1).
      held_out_error: Mean squared error on the held-out examples: what to expect of
        victims like them.
      steps: Adam steps that were made.
    """

    network: keras.Model
    held_out_error: float
    steps: int


def train_inverter(
    training: Examples,
    held_out: Examples,
    hidden_units: int,
    learning_rate: float,
    effort: effort_lib.Effort,
    generator: np.random.Generator,
    progress: effort_lib.Progress | None = None,
) -> Trained:
    """Trains a network from features to pictures.

    Runs on: attacker. Sees: its own pictures and their gradients.

    Args:
      training: What to fit.
      held_out: What chooses the epoch; of other public pictures.
      hidden_units: Width of the two hidden layers.
      learning_rate: Adam's.
      effort: `max_iterations` counts Adam steps of 64 examples; `restarts` is not used.
      generator: Of the initial weights and the order of the examples.
      progress: Called after every epoch with the held-out error.

    Returns:
      The network with the weights of the best epoch; equal arguments give equal bits on
      one machine, unless `max_seconds` ends the training.
    """
    deadline = time.monotonic() + (effort.max_seconds or math.inf)
    network = _build(training, hidden_units, generator)
    step = _build_step(network, learning_rate)
    best, weights = _error(network, held_out), network.get_weights()
    steps, waited = 0, 0
    while steps < effort.max_iterations and waited < _PATIENCE:
        order = generator.permutation(len(training.features))
        for begin in range(0, len(order), _BATCH):
            rows = order[begin : begin + _BATCH]
            step(
                tf.constant(training.features[rows]),
                tf.constant(training.pictures[rows]),
            )
            steps += 1
            if steps == effort.max_iterations or time.monotonic() >= deadline:
                break
        error = _error(network, held_out)
        if progress is not None:
            progress(0, steps, error)
        waited += 1
        if error < best:
            best, weights, waited = error, network.get_weights(), 0
        if time.monotonic() >= deadline:
            break
    network.set_weights(weights)
    return Trained(network, best, steps)


def _build(
    training: Examples, hidden_units: int, generator: np.random.Generator
) -> keras.Model:
    """The network; at the start it answers with the mean picture, about."""

    def glorot() -> keras.initializers.Initializer:
        return keras.initializers.GlorotUniform(seed=int(generator.integers(2**31)))

    inputs = keras.Input((training.features.shape[1],), name="features")
    hidden = inputs
    for index in range(2):
        hidden = keras.layers.Dense(
            hidden_units,
            activation="relu",
            kernel_initializer=glorot(),
            name=f"hidden{index}",
        )(hidden)
    mean = np.clip(training.pictures.mean(axis=0, dtype=np.float64), 0.01, 0.99)
    outputs = keras.layers.Dense(
        training.pictures.shape[1],
        activation="sigmoid",
        kernel_initializer=glorot(),
        name="pictures",
    )
    network = keras.Model(inputs, outputs(hidden), name="inverter")
    outputs.bias.assign(np.log(mean / (1 - mean)).astype(np.float32))
    return network


def _build_step(
    network: keras.Model, learning_rate: float
) -> Callable[[tf.Tensor, tf.Tensor], None]:
    optimiser = keras.optimizers.Adam(learning_rate)
    optimiser.build(network.trainable_variables)

    @tf.function(reduce_retracing=True)
    def step(features: tf.Tensor, pictures: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            error = tf.reduce_mean(tf.square(network(features) - pictures))
        slopes = tape.gradient(error, network.trainable_variables)
        optimiser.apply_gradients(zip(slopes, network.trainable_variables, strict=True))

    return step


def _error(network: keras.Model, examples: Examples) -> float:
    guess = network(tf.constant(examples.features)).numpy()
    return float(np.mean(np.square(guess - examples.pictures), dtype=np.float64))
