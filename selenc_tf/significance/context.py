"""What a significance metric may look at, and what it needs."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import tensorflow as tf

from selenc_tf.flatten import FlatSpec
from selenc_tf.models.any_model import AnyModel
from selenc_tf.types import Vector


class ScoreBatch(NamedTuple):
    """The examples behind a gradient.

    Attributes:
      inputs: float32 [b, *input_shape]; of other models, as their `batch_spec` has them.
      labels: float32 [b, num_classes], probabilities.
    """

    inputs: Any
    labels: tf.Tensor


class ScoreContext(NamedTuple):
    """What a significance metric may look at. A party leaves None what it does not have.

    Attributes:
      spec: The layout of flat vectors, public.
      seed: int32 [2]. The public seed of the mask.
      gradient: float32 [n]. The client's own gradient, or, where a mask has to be
        agreed in public, the stand-in that everybody knows: the previous aggregate.
      weights: float32 [n], public: where the gradient was taken, broadcast by the server.
      update: float32 [n]. The client's weights after its local training minus `weights`;
        minus the gradient for one step of federated SGD with a learning rate of one.
      batch: The client's own examples.
      model: The architecture, public.
    """

    spec: FlatSpec
    seed: tf.Tensor
    gradient: Vector | None = None
    weights: Vector | None = None
    update: Vector | None = None
    batch: ScoreBatch | None = None
    model: AnyModel | None = None


SignificanceFn: TypeAlias = Callable[[ScoreContext], Vector]
"""Scores every entry: float32 [n], larger = more revealing. Traced inside TFF."""
