"""The inputs of a dense layer for all examples of a batch."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from attacks import effort as effort_lib
from attacks.continuous.features import (
    counts,
    labelling,
    mixing,
    quiet_units,
    smooth_starts,
    sparse_starts,
    unequal,
)
from attacks.continuous.features import layer as layer_lib
from attacks.continuous.features import pieces as pieces_lib
from attacks.continuous.features import span as span_lib
from selenc_tf.types import Seed

_DRAWS = 100_000
"""Draws of units at most."""
_MOST_SEARCHED = 12
"""Batches up to which the equations, in b^2 unknowns, are solved behind ReLUs too."""
_STARTS = 6
_FEWER = 2
"""Starts for each hypothesis of the labels where they are not known."""
_HYPOTHESES = 5
_STEPS = 150
_REPAIRS = 1
_SHARE = 0.02
"""Of the derivatives, zeros from which on they are taken for a ReLU's."""


def read(
    layer: layer_lib.Layer,
    size: int,
    labels: Sequence[np.ndarray],
    known: bool,
    seed: Seed,
    effort: effort_lib.Effort,
) -> pieces_lib.Pieces | None:
    """Reads a batch.

    Runs on: attacker. Sees: the weights and the layer's visible entries.

    Args:
      layer: The layer.
      size: b > 1.
      labels: float64 [b, c] each: those that the batch may have, the likeliest first.
      known: Whether they are known; else the layer's own gradient is asked first.
      seed: Of what is drawn.
      effort: Its starts are the least that are made; its seconds count from here.

    Returns:
      The pieces, of fewer examples than b with their labels where derivatives differ by
      orders of magnitude (`unequal.py`); None if no mixture of the span was found that the
      model explains.
    """
    began = time.monotonic()

    def over() -> bool:
        limit = effort.max_seconds
        return limit is not None and time.monotonic() - began > limit

    zeros = _has_zeros(layer, size)
    if zeros and layer.kind == "classes" and unequal.applies(layer):
        some = unequal.read(layer, size, seed, over)
        if some is not None:
            return some
    span = span_lib.of(layer.values, layer.known, size)
    if span is None:
        return None
    if not span.rows[:-1].all():
        return _sparse(layer, span, seed, over) if span.rows[-1] else None
    starts: list[pieces_lib.Pieces] = []
    if span.rows[-1] and zeros:
        found = _sparse(layer, span, seed, over)
        if found is not None:
            told = labelling.classes(layer, found)
            if told.fits:
                return found
            starts.append(found)
    if zeros and size > _MOST_SEARCHED:
        return None
    return _searched(layer, span, size, labels, known, starts, seed, effort, over)


def _has_zeros(layer: layer_lib.Layer, size: int) -> bool:
    """Whether units can be off: their derivatives are then exactly zero."""
    generator = np.random.default_rng(0)
    outputs = generator.standard_normal((size, layer.bias.size))
    labels = np.eye(layer.slopes.classes)[np.arange(size) % layer.slopes.classes]
    slopes = layer.slopes.slopes(outputs, labels)
    return bool(np.mean(slopes == 0.0) > _SHARE)


def _sparse(
    layer: layer_lib.Layer,
    span: span_lib.Span,
    seed: Seed,
    over: Callable[[], bool],
) -> pieces_lib.Pieces | None:
    noise = span_lib.ROUNDING / span.singular
    outputs = quiet_units.outputs(layer, span)

    def explained(unmixing: np.ndarray) -> np.ndarray:
        pieces = pieces_lib.of_unmixing(span, unmixing)
        if pieces is None:
            return np.zeros(span.rank, np.bool_)
        return labelling.classes(layer, pieces).explained

    asked = explained if span.rows.all() else None
    right = span.right[span.columns]
    unmixing = sparse_starts.directions(
        right, noise, outputs, asked, seed, _DRAWS, over
    )
    return None if unmixing is None else pieces_lib.of_unmixing(span, unmixing)


def _searched(
    layer: layer_lib.Layer,
    span: span_lib.Span,
    size: int,
    labels: Sequence[np.ndarray],
    known: bool,
    starts: Sequence[pieces_lib.Pieces],
    seed: Seed,
    effort: effort_lib.Effort,
    over: Callable[[], bool],
) -> pieces_lib.Pieces | None:
    given = mixing.problem(layer, span, size)
    if given is None:
        return None
    for pieces in starts:
        whole = np.hstack([pieces.features, np.ones((size, 1))])
        for told in labels:
            order = labelling.assigned(layer, pieces, np.argmax(told, axis=1))
            start = whole @ np.linalg.pinv(given.basis).T
            found = _repaired(given, start, told[order])
            if found is not None:
                return found
    generator = np.random.default_rng([*seed, 3])
    tried = list(labels)
    if not known:
        one_hot = np.eye(layer.slopes.classes)
        tried = [one_hot[one] for one in counts.hypotheses(given, _HYPOTHESES)]
        tried += list(labels[:2])
    for index in range(max(_STARTS if known else _FEWER, effort.restarts)):
        for told in tried:
            if over():
                return None
            start = smooth_starts.start(given, told, index, generator)
            found = _repaired(given, start, told)
            if found is not None:
                return found
    return None


def _repaired(
    given: mixing.Problem, start: np.ndarray, labels: np.ndarray
) -> pieces_lib.Pieces | None:
    """One search, and more from where it ended with the labels that it ended with."""
    classes = given.layer.slopes.classes
    for _ in range(1 + _REPAIRS):
        found = mixing.solve(given, start, labels, _STEPS)
        if not np.isfinite(found.error):
            return None
        pieces = given.pieces(found)
        told = labelling.classes(given.layer, pieces)
        if found.solved and not given.loose:
            # So many equations hold for no other labels.
            return pieces._replace(labels=np.argmax(labels, axis=1))
        if found.solved and told.fits:
            return pieces
        better = np.eye(classes)[told.labels]
        if np.array_equal(better, labels):
            return None
        start, labels = found.mixture, better
    return None
