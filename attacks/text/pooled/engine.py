"""How far sentences' vectors are from those that were read, compiled."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks.text import sentences
from attacks.text.pooled.features import Feature
from attacks.text.spans import places as places_lib
from attacks.text.spans.places import Place
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.types import Weights

_TINY = 1e-12


class Read(NamedTuple):
    """One `Feature` as tensors.

    Attributes:
      values: float32 [d], of the length 1.
      known: float32 [d], 1 where known.
      scale: float32 scalar, the length that it was divided by; 0 where only its
        direction is known.
    """

    values: tf.Tensor
    known: tf.Tensor
    scale: tf.Tensor


class Engine(NamedTuple):
    """The compiled functions.

    Attributes:
      distance: `(weights, reads, examples [k, L]) -> float64 [k]`, the mean over the
        vectors of the squared error relative to the vector that was read; of a direction
        the squared sine of the angle to it.
      slopes: `(weights, reads, examples [k, L]) -> float32 [k, L, d]`, the derivative of
        each sentence's own distance by its embeddings.
    """

    distance: Callable[[Weights, Sequence[Read], np.ndarray], np.ndarray]
    slopes: Callable[[Weights, Sequence[Read], np.ndarray], np.ndarray]


def as_tensors(features: Sequence[Feature]) -> tuple[Read, ...]:
    """The vectors as the functions take them."""
    found = []
    for one in features:
        norm = float(np.linalg.norm(one.values))
        found.append(
            Read(
                tf.constant(one.values / max(norm, _TINY), tf.float32),
                tf.constant(one.known, tf.float32),
                tf.constant(norm if one.exact else 0.0, tf.float32),
            )
        )
    return tuple(found)


def build_engine(model: TokenModel, places: Sequence[Place]) -> Engine:
    """Compiles the functions of a classifier.

    Runs on: attacker. Sees: the vectors that were read, the weights, its own guesses.

    Args:
      model: The model.
      places: Of the vectors, in their order.

    Returns:
      The functions; each is traced at its first call.
    """

    def apart(
        weights: Weights, reads: Sequence[Read], embedded: tf.Tensor, real: tf.Tensor
    ) -> tf.Tensor:
        position = places_lib.pooled_position(model.structure, real)
        each = [
            _apart(
                tf.gather(
                    model.inputs_from(weights, embedded, real, *place),
                    position,
                    batch_dims=1,
                ),
                one,
            )
            for place, one in zip(places, reads, strict=True)
        ]
        return tf.reduce_mean(tf.stack(each), axis=0)

    @tf.function(autograph=False, reduce_retracing=True)
    def distances(
        weights: Weights, reads: Sequence[Read], ids: tf.Tensor, real: tf.Tensor
    ) -> tf.Tensor:
        return apart(weights, reads, model.embed(weights, ids), real)

    @tf.function(autograph=False, reduce_retracing=True)
    def derivatives(
        weights: Weights, reads: Sequence[Read], ids: tf.Tensor, real: tf.Tensor
    ) -> tf.Tensor:
        embedded = model.embed(weights, ids)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(embedded)
            total = tf.reduce_sum(apart(weights, reads, embedded, real))
        return tape.gradient(total, embedded)

    def on_examples(
        function: Callable[..., tf.Tensor],
    ) -> Callable[[Weights, Sequence[Read], np.ndarray], np.ndarray]:
        def called(
            weights: Weights, reads: Sequence[Read], examples: np.ndarray
        ) -> np.ndarray:
            tokens = sentences.as_tokens(examples, model.special.pad)
            found: np.ndarray = function(
                weights, tuple(reads), *map(tf.constant, tokens)
            ).numpy()
            return found

        return called

    return Engine(
        lambda *given: on_examples(distances)(*given).astype(np.float64),
        on_examples(derivatives),
    )


def _apart(vectors: tf.Tensor, read: Read) -> tf.Tensor:
    """The distance of vectors [k, d] to the one that was read, [k]."""
    seen = vectors * read.known
    squares = tf.reduce_sum(tf.square(seen), axis=1, keepdims=True)
    unit = seen * tf.math.rsqrt(squares + _TINY)
    along = tf.linalg.matvec(unit, read.values)
    outside = unit - along[:, tf.newaxis] * read.values
    sine = tf.reduce_sum(tf.square(outside), axis=1)
    scale = tf.where(read.scale > 0, read.scale, 1.0)
    errors = tf.reduce_sum(tf.square(seen / scale - read.values), axis=1)
    return tf.where(read.scale > 0, errors, sine)
