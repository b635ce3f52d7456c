"""Functions of a language model that attacks call often, traced once."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from attacks.text import sentences
from attacks.text.spans.places import Place
from selenc_tf.models.text import token_model
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.models.text.tokens import Tokens
from selenc_tf.types import Weights

Entering = Callable[[Weights, np.ndarray], list[np.ndarray]]
Gradient = Callable[[Weights, np.ndarray, np.ndarray], np.ndarray]


def build_entering(model: TokenModel, places: Sequence[Place]) -> Entering:
    """Compiles what enters places.

    Args:
      model: The model.
      places: Which.

    Returns:
      `(weights, token ids [k, l])`, of sentences without padding and l <= L: for each
      place the vectors, float64 [k, l, d].
    """

    @tf.function(autograph=False, reduce_retracing=True)
    def traced(
        weights: Weights, ids: tf.Tensor, mask: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        return tuple(model.inputs(weights, ids, mask, *place) for place in places)

    def entering(weights: Weights, token_ids: np.ndarray) -> list[np.ndarray]:
        count, length = token_ids.shape
        # One shape for all lengths: what is padded is seen by nobody.
        ids = np.full([count, model.length], model.special.pad, np.int32)
        ids[:, :length] = token_ids
        mask = np.broadcast_to(np.arange(model.length) < length, ids.shape)
        found = traced(weights, tf.constant(ids), tf.constant(mask))
        return [one.numpy()[:, :length].astype(np.float64) for one in found]

    return entering


def build_gradient(model: TokenModel) -> Gradient:
    """Compiles the gradient of a batch.

    Args:
      model: The model.

    Returns:
      `(weights, examples [b, L], classes [b]) -> [n]`, as the modality's `message`; the
      classes are of no effect where the next token is predicted.
    """

    @tf.function(autograph=False, reduce_retracing=True)
    def traced(
        weights: Weights, ids: tf.Tensor, mask: tf.Tensor, labels: tf.Tensor
    ) -> tf.Tensor:
        tokens = Tokens(ids, mask)
        return token_model.gradient(model, weights, tokens, labels)

    def gradient(
        weights: Weights, examples: np.ndarray, classes: np.ndarray
    ) -> np.ndarray:
        tokens = sentences.as_tokens(examples, model.special.pad)
        labels = classes if model.kind == "classes" else sentences.labels_of(examples)
        found = traced(
            weights, *map(tf.constant, tokens), tf.constant(labels, tf.int32)
        )
        return np.asarray(found)

    return gradient
