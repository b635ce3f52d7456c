"""The distance of a guess's gradient, and Adam's steps among embeddings, compiled.

Target, masks, weights, labels and lengths are inputs, so that a model's sentences, masks
and recipes run the same trace; another batch size traces again. They are plain graphs: on
MiniLM (two busy cores) XLA compiled for minutes and its steps were no faster.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeAlias

import tensorflow as tf

from attacks.matching import distances, tensor_cosines
from attacks.text.continuous import adam
from selenc_tf import flatten
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.types import Weights

Kind: TypeAlias = Literal["absolute", "by_tensor"]
"""L2 with some L1, or the mean over tensors of 1 - cosine."""

_FALLS = 40
"""How often the learning rate falls in a search."""


class Problem(NamedTuple):
    """What is searched for, of b sentences; k entries of a gradient are compared.

    Attributes:
      weights: Of the round.
      target: float32 [k], zero where not matched; by tensor unit vectors
        (`tensor_cosines.unit_target`).
      matched: float32 [k], 0 or 1.
      tensors: float32 [tensors], the weight of each in a mean over them.
      alpha: float32 scalar, the weight of L1 beside L2.
      by_layer: float32 [k], what L1 is weighted by.
      places: float32 [L, d], what is added to words.
      fixed: float32 [b, L, d], the words at places that are known.
      free: float32 [b, L], 1 where a word is searched for.
      real: bool [b, L], where tokens are.
      labels: float32 [b, c], probabilities.
      shares: float32 [b], each sentence's weight in the loss; they sum to 1.
      norm: float32 scalar, the mean norm of words.
      norm_weight: float32 scalar, of the prior on that.
      rate: float32 scalar, Adam's first learning rate.
      decay: float32 scalar, its factor.
    """

    weights: Weights
    target: tf.Tensor
    matched: tf.Tensor
    tensors: tf.Tensor
    alpha: tf.Tensor
    by_layer: tf.Tensor
    places: tf.Tensor
    fixed: tf.Tensor
    free: tf.Tensor
    real: tf.Tensor
    labels: tf.Tensor
    shares: tf.Tensor
    norm: tf.Tensor
    norm_weight: tf.Tensor
    rate: tf.Tensor
    decay: tf.Tensor


class State(NamedTuple):
    """Where a search stands.

    Attributes:
      words: float32 [b, L, d].
      first: Adam's mean of slopes.
      second: Adam's mean of their squares.
      best_words: Those of the smallest objective so far.
      best: float32 scalar, that objective, with its prior; +inf if none was finite.
      best_error: float32 scalar, the distance alone there.
      iteration: int32 scalar.
    """

    words: tf.Tensor
    first: tf.Tensor
    second: tf.Tensor
    best_words: tf.Tensor
    best: tf.Tensor
    best_error: tf.Tensor
    iteration: tf.Tensor


class Engine(NamedTuple):
    """The compiled functions.

    Attributes:
      distance: `(problem, words [b, L, d]) -> scalar`.
      step: `(problem, state, total) -> state` one step on in a search of `total`.
    """

    distance: Callable[[Problem, tf.Tensor], tf.Tensor]
    step: Callable[[Problem, State, tf.Tensor], State]


def start(words: tf.Tensor) -> State:
    """The state before the first step."""
    words = tf.convert_to_tensor(words, tf.float32)
    zeros, worst = tf.zeros_like(words), tf.constant(float("inf"))
    return State(words, zeros, zeros, words, worst, worst, tf.constant(0))


def compared(model: TokenModel) -> tuple[int, ...]:
    """The places of the tensors whose gradients embeddings have: all but the words'."""
    places = range(len(model.spec.sizes))
    return tuple(one for one in places if one != model.structure.token_table)


def layout(model: TokenModel) -> flatten.FlatSpec:
    """The layout of what is compared."""
    kept = compared(model)
    return flatten.FlatSpec(
        tuple(model.spec.names[one] for one in kept),
        tuple(model.spec.shapes[one] for one in kept),
    )


def gradient(model: TokenModel, problem: Problem, words: tf.Tensor) -> list[tf.Tensor]:
    """What a client with these words sends, without the words' own table.

    Runs on: attacker. Sees: its guess.

    Args:
      model: The model.
      problem: For weights, masks and labels.
      words: [b, L, d]; of no effect where they are fixed.

    Returns:
      Of each tensor that is compared. Those of positions and segments are among them: they
      are sums of the slopes by the embeddings.
    """
    free = problem.free[:, :, tf.newaxis]
    embedded = free * words + (1 - free) * problem.fixed + problem.places
    kept = compared(model)
    tables = (model.structure.position_table, model.structure.segment_table)
    inside = [problem.weights[one] for one in kept]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch([*inside, embedded])
        losses = model.losses_from(
            problem.weights, embedded, problem.real, problem.labels
        )
        loss = tf.reduce_sum(problem.shares * losses)
    *slopes, by_embedding = tape.gradient(
        loss, [*inside, embedded], unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    rows = tf.reduce_sum(by_embedding, axis=0)
    looked_up = dict(zip(tables, (rows, _sum(rows)), strict=True))
    return [
        _as_table(looked_up[one], model.spec.shapes[one])
        if one in looked_up
        else tf.convert_to_tensor(slope)
        for one, slope in zip(kept, slopes, strict=True)
    ]


def _sum(rows: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(rows, axis=0, keepdims=True)


def _as_table(rows: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
    return tf.pad(rows, [[0, shape[0] - rows.shape[0]], [0, 0]])


def build_engine(model: TokenModel, kind: Kind) -> Engine:
    """Compiles the functions of a model.

    Runs on: attacker. Sees: the visible entries, the weights and its own guesses.

    Args:
      model: A classifier.
      kind: How gradients are compared.

    Returns:
      The functions; each is traced at its first call.
    """

    def apart(problem: Problem, words: tf.Tensor) -> tf.Tensor:
        ours = gradient(model, problem, words)
        if kind == "by_tensor":
            return tensor_cosines.distance(
                ours, problem.target, problem.matched, problem.tensors
            )
        flat, weights = flatten.flatten(ours), problem.by_layer * problem.matched
        squares = distances.relative_l2(flat, problem.target, problem.matched)
        return squares + problem.alpha * distances.relative_l1(
            flat, problem.target, weights
        )

    @tf.function(autograph=False)
    def distance(problem: Problem, words: tf.Tensor) -> tf.Tensor:
        return apart(problem, words)

    @tf.function(autograph=False)
    def step(problem: Problem, state: State, total: tf.Tensor) -> State:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(state.words)
            error = apart(problem, state.words)
            objective = error + problem.norm_weight * _norm_prior(problem, state)
        slope = tape.gradient(objective, state.words)
        return _step(problem, state, objective, error, slope, total)

    return Engine(distance, step)


def _norm_prior(problem: Problem, state: State) -> tf.Tensor:
    """How far the mean norm of the searched words is from that of words, squared."""
    squares = tf.reduce_sum(tf.square(state.words), axis=-1)
    norms = tf.sqrt(tf.where(squares > 0, squares, 1.0)) * problem.free
    mean = tf.reduce_sum(norms) / tf.maximum(tf.reduce_sum(problem.free), 1.0)
    return tf.square(mean / problem.norm - 1.0)


def _step(
    problem: Problem,
    state: State,
    objective: tf.Tensor,
    error: tf.Tensor,
    slope: tf.Tensor,
    total: tf.Tensor,
) -> State:
    """Notes the present words where they are the best so far, then walks on."""
    better = objective < state.best
    falls = tf.cast(_FALLS * state.iteration // total, tf.float32)
    rate = problem.rate * tf.pow(problem.decay, falls)
    after = adam.moved(
        state.words, state.first, state.second, slope, state.iteration, rate
    )
    return State(
        **after._asdict(),
        best_words=tf.where(better, state.words, state.best_words),
        best=tf.where(better, objective, state.best),
        best_error=tf.where(better, error, state.best_error),
        iteration=state.iteration + 1,
    )
