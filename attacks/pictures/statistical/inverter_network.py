"""A small network that maps features of a gradient to pictures, and its training.

Wu, Chen, Guo, Weinberger, "Learning To Invert: Simple Adaptive Attacks for Gradient
Inversion in Federated Learning", UAI 2023: two hidden layers, ReLU, sigmoid output,
mean squared error, Adam. The epoch is chosen on held-out public pictures.
"""

import itertools
import math
import time
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from attacks import effort as effort_lib
from attacks import programs as programs_lib
from selenc_tf.types import Weights

_BATCH = 64
_PATIENCE = 6
"""Epochs without a better held-out error after which the training ends."""

_LAYERS = 3
_DECAYS = (0.9, 0.999)
"""Of Adam's means of the slopes and of their squares."""

_EPSILON = 1e-7
"""Adam's."""


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
      weights: What `apply` takes: kernel and bias of each layer, float32.
      held_out_error: Mean squared error on the held-out examples: what to expect of
        victims like them.
      steps: Adam steps that were made.
    """

    weights: Weights
    held_out_error: float
    steps: int


class State(NamedTuple):
    """Where Adam stands.

    Attributes:
      weights: Kernel and bias of each layer, float32.
      first: Adam's means of their slopes.
      second: Adam's means of the slopes' squares.
      count: float32 scalar, steps made.
    """

    weights: Weights
    first: Weights
    second: Weights
    count: tf.Tensor


_Step: TypeAlias = Callable[[State, tf.Tensor, tf.Tensor, tf.Tensor], State]
"""One step of Adam on a batch of features and pictures, at a learning rate."""


def apply(weights: Weights, features: np.ndarray | tf.Tensor) -> tf.Tensor:
    """The pictures of features: float32 [s, k] -> [s, d] in (0, 1)."""
    hidden = tf.convert_to_tensor(features)
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        hidden = tf.nn.relu(hidden @ kernel + bias)
    return tf.sigmoid(hidden @ weights[-2] + weights[-1])


def train_inverter(
    training: Examples,
    held_out: Examples,
    hidden_units: int,
    learning_rate: float,
    effort: effort_lib.Effort,
    generator: np.random.Generator,
    progress: effort_lib.Progress | None = None,
    programs: programs_lib.Programs | None = None,
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
      programs: What is compiled already, shared with other attacks; None for its own.

    Returns:
      The network with the weights of the best epoch; equal arguments give equal bits on
      one machine, unless `max_seconds` ends the training.
    """
    deadline = time.monotonic() + (effort.max_seconds or math.inf)
    step = (programs or programs_lib.Programs()).of(build_step)
    rate = tf.constant(learning_rate, tf.float32)
    state = start(training, hidden_units, generator)
    weights = state.weights
    best = _error(weights, held_out)
    steps, waited = 0, 0
    while steps < effort.max_iterations and waited < _PATIENCE:
        order = generator.permutation(len(training.features))
        for begin in range(0, len(order), _BATCH):
            rows = order[begin : begin + _BATCH]
            state = step(
                state,
                tf.constant(training.features[rows]),
                tf.constant(training.pictures[rows]),
                rate,
            )
            steps += 1
            if steps == effort.max_iterations or time.monotonic() >= deadline:
                break
        error = _error(state.weights, held_out)
        if progress is not None:
            progress(0, steps, error)
        waited += 1
        if error < best:
            best, weights, waited = error, state.weights, 0
        if time.monotonic() >= deadline:
            break
    return Trained(weights, best, steps)


def start(
    training: Examples, hidden_units: int, generator: np.random.Generator
) -> State:
    """The network before training; it answers with the mean picture, about.

    Args:
      training: For the widths and the mean picture.
      hidden_units: Width of the two hidden layers.
      generator: Of the weights.

    Returns:
      The state before the first step.
    """
    inputs, outputs = training.features.shape[1], training.pictures.shape[1]
    widths = (inputs, *[hidden_units] * (_LAYERS - 1), outputs)
    weights: list[tf.Tensor] = []
    for shape in itertools.pairwise(widths):
        seed = int(generator.integers(2**31))
        kernel = keras.initializers.GlorotUniform(seed=seed)(shape, "float32")
        weights += [kernel, tf.zeros(shape[1])]
    mean = np.clip(training.pictures.mean(axis=0, dtype=np.float64), 0.01, 0.99)
    weights[-1] = tf.constant(np.log(mean / (1 - mean)), tf.float32)
    nothing = tuple(tf.zeros_like(tensor) for tensor in weights)
    return State(tuple(weights), nothing, nothing, tf.constant(0.0))


def build_step() -> _Step:
    """Compiles a step of Adam: a pure function, one trace for networks of any widths.

    Returns:
      The step; it is traced at its first call.
    """
    rows, column = tf.TensorSpec([None, None]), tf.TensorSpec([None])
    weights, number = (rows, column) * _LAYERS, tf.TensorSpec([])

    @tf.function(
        input_signature=[State(weights, weights, weights, number), rows, rows, number],
        autograph=False,
    )
    def step(
        state: State, features: tf.Tensor, pictures: tf.Tensor, rate: tf.Tensor
    ) -> State:
        with tf.GradientTape() as tape:
            tape.watch(state.weights)
            error = tf.reduce_mean(tf.square(apply(state.weights, features) - pictures))
        slopes = tape.gradient(error, state.weights)
        count = state.count + 1.0
        decay, square_decay = _DECAYS
        first = _towards(state.first, slopes, 1 - decay)
        squares = tuple(tf.square(slope) for slope in slopes)
        second = _towards(state.second, squares, 1 - square_decay)
        rate *= tf.sqrt(1.0 - tf.pow(square_decay, count))
        rate /= 1.0 - tf.pow(decay, count)
        walked = tuple(
            tensor - rate * mean / (tf.sqrt(square) + _EPSILON)
            for tensor, mean, square in zip(state.weights, first, second, strict=True)
        )
        return State(walked, first, second, count)

    compiled: _Step = step
    return compiled


def _towards(means: Weights, values: Weights, share: float) -> Weights:
    return tuple(
        mean + share * (value - mean) for mean, value in zip(means, values, strict=True)
    )


def _error(weights: Weights, examples: Examples) -> float:
    guess = apply(weights, examples.features).numpy()
    return float(np.mean(np.square(guess - examples.pictures), dtype=np.float64))
