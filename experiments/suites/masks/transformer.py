"""A transformer encoder of a given size with random weights, and its gradient."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import tensorflow as tf

from selenc_tf.models import functional

BATCH = 8
TOKENS = 128
_CLASSES = 2


class Shape(NamedTuple):
    """The size of an encoder.

    Attributes:
      name: As tables call it.
      vocabulary: Rows of the embedding table.
      layers: How many.
      width: Of a token.
      heads: Of a layer; their size is width / heads.
      inner_width: Of the feed-forward layers.
    """

    name: str
    vocabulary: int
    layers: int
    width: int
    heads: int
    inner_width: int

    @property
    def parameters(self) -> int:
        """n, known before anything is built."""
        width, inner = self.width, self.inner_width
        embedding = (self.vocabulary + TOKENS + 2) * width
        attention = 4 * (width + 1) * width
        dense = (width + 1) * inner + (inner + 1) * width
        layer = attention + dense + 2 * 2 * width
        return embedding + self.layers * layer + (width + 1) * _CLASSES


TINY = Shape("transformer of BERT-tiny's size", 30522, 2, 128, 2, 512)
BASE = Shape("transformer of BERT-base's size", 30522, 12, 768, 12, 3072)


def build(shape: Shape) -> functional.FunctionalModel:
    """Builds an encoder that classifies sentences by their first token.

    Args:
      shape: Its size.

    Returns:
      The model, with random weights.
    """
    tokens = keras.Input([TOKENS], dtype="int32", name="tokens")
    words = keras.layers.Embedding(shape.vocabulary, shape.width, name="words")
    hidden = _Positions(name="positions")(words(tokens))
    hidden = keras.layers.LayerNormalization(name="embedding_norm")(hidden)
    for index in range(shape.layers):
        hidden = _layer(hidden, shape, f"layer{index}")
    logits = keras.layers.Dense(_CLASSES, name="head")(hidden[:, 0])
    model = keras.Model(tokens, logits, name="transformer")
    return functional.from_keras(model)


def build_gradient(model: functional.FunctionalModel) -> Callable[[], tf.Tensor]:
    """The flat gradient of one random batch, in a graph."""
    rows = model.spec.shapes[0][0]
    tokens = tf.random.stateless_uniform(
        [BATCH, TOKENS], [1, 2], maxval=rows, dtype=tf.int32
    )
    labels = tf.one_hot(tf.range(BATCH) % _CLASSES, _CLASSES)

    @tf.function(autograph=False)
    def gradient(weights: tuple[tf.Tensor, ...]) -> tf.Tensor:
        return functional.gradient(model, weights, tokens, labels)

    return lambda: gradient(model.initial_weights)


class _Positions(keras.layers.Layer):
    """Adds a learnt vector to each position."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.table = self.add_weight(name="embeddings", shape=shape[1:])

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return inputs + self.table


def _layer(inputs: tf.Tensor, shape: Shape, name: str) -> tf.Tensor:
    """Attention and a feed-forward network, each with a residual and a normalisation."""
    layers = keras.layers
    attended = layers.MultiHeadAttention(
        shape.heads, shape.width // shape.heads, name=f"{name}_attention"
    )(inputs, inputs)
    middle = layers.LayerNormalization(name=f"{name}_norm1")(inputs + attended)
    inner = layers.Dense(shape.inner_width, "gelu", name=f"{name}_inner")(middle)
    outer = layers.Dense(shape.width, name=f"{name}_outer")(inner)
    return layers.LayerNormalization(name=f"{name}_norm2")(middle + outer)
