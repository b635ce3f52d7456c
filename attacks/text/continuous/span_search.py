"""Sentences by a search among embeddings for those whose vectors lie in spans.

The distance to spans alone does not name words: where a batch has few tokens, a whole
part of the space of embeddings is inside. So each embedding is drawn to the word that it
is nearest to, more and more.
"""

import dataclasses
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from attacks.text.continuous import embeddings as embeddings_lib
from attacks.text.continuous import span_engine
from attacks.text.continuous.embeddings import Embeddings
from attacks.text.continuous.span_engine import SpanEngine, SpanProblem
from attacks.text.discrete import bidirectional
from attacks.text.discrete.found import Found
from attacks.text.spans.scoring import Scorer
from attacks.text.spans.subspace import Subspace
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.types import Weights

_RATE = 0.5
"""Adam's first learning rate, in units of an embedding's root mean square."""
_LEAST = 1e-8
"""Of distances of random words: below is rounding."""
_EVERY = 10
"""Steps between two looks at which words are nearest."""
_NEAREST = 4
"""Words near an embedding that are tried in its place at the end."""
_TRIED = 64
"""Words that are tried at a position in one step there, for each sentence."""
_KEPT = 4
"""Sentences of a length that are gone on with there, for each of the batch."""


@dataclasses.dataclass(frozen=True, eq=False)
class SpanSearch:
    """What all searches of one attack share.

    Attributes:
      model: The model.
      engine: Compiled, of the places of `spans`.
      spans: Of each place, in the engine's order.
      weights: Of the round.
      embeddings: Of the round.
      allowed: bool [v], tokens that a searched position may have.
      present: bool [v], tokens that the batch has for sure, where that is known.
      deadline: `time.monotonic()` at which to end, or infinity.
      report: Called with (steps done, the least distance).
    """

    model: TokenModel
    engine: SpanEngine
    spans: tuple[Subspace, ...]
    weights: Weights
    embeddings: Embeddings
    allowed: np.ndarray
    present: np.ndarray
    deadline: float
    report: Callable[[int, float], None]


@dataclasses.dataclass(frozen=True, eq=False)
class Searched:
    """Where a search ended.

    Attributes:
      words: float32 [s, L, d].
      free: bool [s, L], where a word was searched for.
      fixed: int32 [s, L], the tokens elsewhere.
      lengths: int [s].
      iterations: Steps.
      in_time: Whether the clock did not end it.
    """

    words: np.ndarray
    free: np.ndarray
    fixed: np.ndarray
    lengths: np.ndarray
    iterations: int
    in_time: bool


def run(
    search: SpanSearch,
    lengths: np.ndarray,
    iterations: int,
    generator: np.random.Generator,
) -> Searched:
    """Searches from one start for each length that is given.

    Runs on: attacker. Sees: spans, the weights and its own guesses.

    Args:
      search: How.
      lengths: int [s], special tokens included; a causal model's sentences are not ended.
      iterations: Steps.
      generator: Of the starts.

    Returns:
      Where it ended.
    """
    model, known = search.model, search.embeddings
    real = np.arange(model.length) < lengths[:, np.newaxis]
    free, fixed = real.copy(), np.full(real.shape, model.special.pad, np.int32)
    _fix(free, fixed, np.zeros_like(lengths), model.special.start)
    if not model.structure.blocks[0].causal:
        _fix(free, fixed, lengths - 1, model.special.end)
    bases, rows = span_engine.padded(search.spans)
    problem = SpanProblem(
        weights=search.weights,
        bases=bases,
        rows=rows,
        wrong=tf.ones([len(rows)]),
        places=tf.constant(known.places),
        fixed=tf.constant(known.words[fixed]),
        free=tf.constant(free, tf.float32),
        real=tf.constant(real),
        norm=tf.constant(known.norm),
    )
    shape = (len(lengths), model.length)
    random = known.words[generator.choice(np.flatnonzero(search.allowed), shape)]
    wrong = tf.reduce_mean(search.engine.distance(problem, tf.constant(random)), axis=0)
    # Some layers' inputs differ little from word to word.
    problem = problem._replace(wrong=tf.maximum(wrong, _LEAST))
    state = span_engine.start(_drawn(search, free, generator))
    anchors, done, in_time = tf.zeros_like(state.words), 0, True
    while done < iterations and in_time:
        left = 1 - done / iterations
        if done % _EVERY == 0:
            near = embeddings_lib.nearest(state.words.numpy(), known, search.allowed)
            anchors = tf.constant(known.words[near])
        state, distance = search.engine.step(
            problem,
            state,
            anchors,
            tf.constant(1 - left),
            tf.constant(_RATE * known.scale * left),
        )
        done += 1
        if done % _EVERY == 0 or done == iterations:
            search.report(done, float(tf.reduce_min(distance)))
        in_time = time.monotonic() < search.deadline
    return Searched(
        state.words.numpy(), free, fixed, lengths, done, in_time or done == iterations
    )


def _fix(
    free: np.ndarray, fixed: np.ndarray, places: np.ndarray, token: int | None
) -> None:
    if token is not None:
        rows = np.arange(len(free))
        free[rows, places], fixed[rows, places] = False, token


def _drawn(
    search: SpanSearch, free: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """The first embeddings: words that are there, or else normal ones."""
    known = search.embeddings
    normal = generator.standard_normal((*free.shape, known.words.shape[1]))
    found: np.ndarray = (known.scale * normal).astype(np.float32)
    there = np.flatnonzero(search.present)
    if len(there):
        found[free] = known.words[generator.choice(there, int(free.sum()))]
    return found


def read(
    search: SpanSearch,
    ended: Searched,
    scorer: Scorer,
    batch_size: int,
    generator: np.random.Generator,
) -> list[Found]:
    """Takes embeddings for words, and changes those by which spans are missed.

    Runs on: attacker. Sees: spans, the weights and its own guesses.

    Args:
      search: How.
      ended: Where it ended.
      scorer: The measure of sentences.
      batch_size: b.
      generator: Of the order in which positions are changed.

    Returns:
      Sentences with their scores; of a causal model all their beginnings.
    """
    found: list[Found] = []
    kept = _KEPT * batch_size
    for length in np.unique(ended.lengths):
        of_length = ended.lengths == length
        free, fixed = (one[of_length][0, :length] for one in (ended.free, ended.fixed))
        near = embeddings_lib.several_nearest(
            ended.words[of_length][:, :length],
            search.embeddings,
            search.allowed,
            _NEAREST,
        )
        rows = np.unique(np.where(free, near[:, :, 0], fixed), axis=0)
        rows = rows[np.argsort(scorer.score(rows).mean(axis=1), kind="stable")[:kept]]
        # Words are found before their places are.
        others = np.unique(rows[:, free])
        choices = [
            _in_order(near[:, at], others) if free[at] else fixed[at : at + 1]
            for at in range(length)
        ]
        most = _TRIED * len(rows)
        better = bidirectional.improved(
            scorer, choices, rows, generator, most, most * length * bidirectional.SWEEPS
        )
        if search.model.structure.blocks[0].causal:
            better = [one for row in better for one in _beginnings(row, scorer)]
        found += better
    return found


def _in_order(near: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The different ones of [s, k], the nearest of all sentences first, then others."""
    flat = np.concatenate([near.T.ravel(), others])
    first = np.unique(flat, return_index=True)[1]
    return np.asarray(flat[np.sort(first)], np.int64)


def _beginnings(row: Found, scorer: Scorer) -> list[Found]:
    """A causal model's prefixes are in the spans by themselves."""
    each = scorer.score(np.array([row.tokens]))[0]
    means = np.cumsum(each) / np.arange(1, len(each) + 1)
    return [
        Found(row.tokens[:end], float(mean)) for end, mean in enumerate(means, start=1)
    ]
