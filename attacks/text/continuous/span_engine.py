"""The distance of embeddings to spans, differentiable, and Adam's steps; compiled.

A distance needs the model's lower blocks once forwards, where matching gradients needs
all of it twice; and it is of each sentence alone, so that many are searched at a time.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks.text.continuous import adam
from attacks.text.spans.places import Place
from attacks.text.spans.subspace import Subspace
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.types import Weights

_TINY = 1e-12


class SpanProblem(NamedTuple):
    """What is searched for: s sentences of L positions, by p places.

    Attributes:
      weights: Of the round.
      bases: Of each place float32 [k, k], k the size of its vectors: orthonormal columns,
        zero beyond the directions and in coordinates that are not known.
      rows: Of each place float32 [k], 1 for the known coordinates.
      wrong: float32 [p], the distance of random words: what distances are divided by.
      places: float32 [L, d], what is added to words.
      fixed: float32 [s, L, d], the words at places that are known.
      free: float32 [s, L], 1 where a word is searched for.
      real: bool [s, L], where tokens are.
      norm: float32 scalar, the mean norm of words.
    """

    weights: Weights
    bases: tuple[tf.Tensor, ...]
    rows: tuple[tf.Tensor, ...]
    wrong: tf.Tensor
    places: tf.Tensor
    fixed: tf.Tensor
    free: tf.Tensor
    real: tf.Tensor
    norm: tf.Tensor


class SpanState(NamedTuple):
    """Where a search stands.

    Attributes:
      words: float32 [s, L, d].
      first: Adam's mean of slopes.
      second: Adam's mean of their squares.
      iteration: int32 scalar.
    """

    words: tf.Tensor
    first: tf.Tensor
    second: tf.Tensor
    iteration: tf.Tensor


class SpanEngine(NamedTuple):
    """The compiled functions.

    Attributes:
      distance: `(problem, words [s, L, d]) -> [s, p]`, the mean over positions of the
        squared part of a unit vector that is outside the span.
      step: `(problem, state, anchors [s, L, d], pull, rate) -> (state, distance [s])`,
        one step down the mean over places of those distances, relative to those of
        random words, plus `pull` times the squared distance of the words to anchors,
        relative to the norm of words; the distance is that before it.
    """

    distance: Callable[[SpanProblem, tf.Tensor], tf.Tensor]
    step: Callable[
        [SpanProblem, SpanState, tf.Tensor, tf.Tensor, tf.Tensor],
        tuple[SpanState, tf.Tensor],
    ]


def start(words: np.ndarray) -> SpanState:
    """The state before the first step."""
    made = tf.constant(words, tf.float32)
    zeros = tf.zeros_like(made)
    return SpanState(made, zeros, zeros, tf.constant(0))


def padded(
    spans: Sequence[Subspace],
) -> tuple[tuple[tf.Tensor, ...], tuple[tf.Tensor, ...]]:
    """Bases and known coordinates of the same shapes whatever ranks are.

    Args:
      spans: Of each place.

    Returns:
      As a problem has them.
    """
    bases = []
    for one in spans:
        whole = np.zeros([len(one.rows), len(one.rows)], np.float32)
        whole[one.rows, : one.basis.shape[1]] = one.basis
        bases.append(tf.constant(whole))
    rows = (tf.constant(one.rows.astype(np.float32)) for one in spans)
    return tuple(bases), tuple(rows)


def build_span_engine(model: TokenModel, places: Sequence[Place]) -> SpanEngine:
    """Compiles the functions of a model.

    Runs on: attacker. Sees: spans, the weights and its own guesses.

    Args:
      model: Whatever it learns: nothing depends on labels.
      places: Where vectors enter.

    Returns:
      The functions; each is traced at its first call.
    """

    def apart(problem: SpanProblem, words: tf.Tensor) -> tf.Tensor:
        free = problem.free[:, :, tf.newaxis]
        embedded = free * words + (1 - free) * problem.fixed + problem.places
        outside = tf.stack(
            [
                _outside(
                    model.inputs_from(problem.weights, embedded, problem.real, *place),
                    problem.bases[at],
                    problem.rows[at],
                )
                for at, place in enumerate(places)
            ],
            axis=-1,
        )
        real = tf.cast(problem.real, tf.float32)[:, :, tf.newaxis]
        return tf.reduce_sum(real * outside, axis=1) / tf.reduce_sum(real, axis=1)

    @tf.function(autograph=False)
    def distance(problem: SpanProblem, words: tf.Tensor) -> tf.Tensor:
        return apart(problem, words)

    @tf.function(autograph=False)
    def step(
        problem: SpanProblem,
        state: SpanState,
        anchors: tf.Tensor,
        pull: tf.Tensor,
        rate: tf.Tensor,
    ) -> tuple[SpanState, tf.Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(state.words)
            each = apart(problem, state.words) / problem.wrong
            found = tf.reduce_mean(each, axis=1)
            away = tf.reduce_sum(tf.square(state.words - anchors), axis=2)
            away = tf.reduce_sum(problem.free * away, axis=1)
            away /= tf.square(problem.norm) * tf.reduce_sum(
                problem.free + _TINY, axis=1
            )
            # Of each sentence alone: Adam's steps do not depend on the others.
            total = tf.reduce_sum(found + pull * away)
        slope = tape.gradient(total, state.words)
        after = adam.moved(*state[:3], slope, state.iteration, rate)
        return SpanState(*after, state.iteration + 1), found

    return SpanEngine(distance, step)


def _outside(vectors: tf.Tensor, basis: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """The squared part of the known coordinates, as a unit vector, that is outside."""
    known = vectors * rows
    squares = tf.reduce_sum(tf.square(known), axis=-1, keepdims=True)
    unit = known * tf.math.rsqrt(squares + _TINY)
    inside = tf.einsum("sld,dr->slr", unit, basis)
    rest = unit - tf.einsum("slr,dr->sld", inside, basis)
    return tf.reduce_sum(tf.square(rest), axis=-1)
