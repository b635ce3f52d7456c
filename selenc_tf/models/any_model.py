"""What every model is to clients, servers and attackers, whatever its examples are."""

from collections.abc import Callable
from typing import Any, Protocol

import tensorflow as tf

from selenc_tf.flatten import FlatSpec
from selenc_tf.models.task import LearningTask
from selenc_tf.types import Weights


class AnyModel(Protocol):
    """A learning task as pure functions of its weights, on pictures, tokens or others.

    Types fit by having this; they inherit nothing. `functional.FunctionalModel` does.
    """

    @property
    def name(self) -> str:
        """The architecture's name, as results report it."""

    @property
    def spec(self) -> FlatSpec:
        """Layout of the flat gradient."""

    @property
    def initial_weights(self) -> Weights:
        """The trainable tensors at the start."""

    @property
    def kind(self) -> str:
        """What is learned: "classes", "binary", "values", "next_token" or another."""

    @property
    def num_classes(self) -> int:
        """Length of a label as numbers."""

    @property
    def task(self) -> LearningTask:
        """What clients train."""

    @property
    def losses(self) -> Callable[[Weights, Any, tf.Tensor], tf.Tensor]:
        """`(weights, examples, labels as numbers) -> [b]`, twice differentiable."""

    @property
    def batch_spec(self) -> tuple[Any, Any]:
        """Examples and labels of a client's batch: nested `tf.TensorSpec`s [None, ...].

        Labels are as data have them: `functional.targets` makes numbers of them.
        """
