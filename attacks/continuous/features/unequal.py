"""The inputs of a dense layer for a batch whose derivatives differ by orders of magnitude.

A network that has learned is sure of most examples, and their derivatives, 1e-5 or 1e-20 of
the largest one, seem to drown in float32. They do not: behind a ReLU an example that is off
at a unit adds an exact zero to that unit's column, so that each column keeps seven digits
of the strongest example that is on there. Examples are read one group after the other,
the strongest first, from what is clean of all that were read before: the columns at which
they are off, and the rows where their inputs are zero:

    1. the span of all examples' inputs that the columns show (`span.py`), or of the few
       that dominate most of them (`dominated.py`);
    2. unmixed by the units that are off (`sparse_starts.py`);
    3. kept if the model makes the derivatives that come out (`lost_digits.py`): a mixture
       of faint examples is no example.

What is read may be a part of the batch.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from attacks.continuous.features import (
    dominated,
    lost_digits,
    quiet_units,
    sparse_starts,
)
from attacks.continuous.features import layer as layer_lib
from attacks.continuous.features import pieces as pieces_lib
from attacks.continuous.features import span as span_lib
from selenc_tf.types import Seed

_APART, _FEW = 1e4, 0.01
"""Ratio of columns' sizes, but for so few, from which on examples are taken for unequal."""
_DRAWS = 4096
_TRIES, _AGAIN = 3, 2
"""Times that all columns are unmixed by other draws; that groups of them are looked for."""
_BLUR, _ROUGH = 10.0, 30.0
"""Largest errors by what leaks into columns, in units of its root mean square, and sizes
up to which a product may be a zero."""
_SAME = 0.05
"""Relative distance up to which two examples are one."""
_ROWS = 2
"""Rows for each example that is left from which on they are worth a look."""
_ZERO, _SLIGHT = 1e-6, 0.1
"""An input up to this share of the largest counts as zero, or of the inputs' errors."""
_EDGE = 1e-3
"""A unit may be on where its output is above minus this share of the outputs' mean size."""


class _Read(NamedTuple):
    """Examples: inputs [k, f], their relative errors and labels [k]."""

    features: np.ndarray
    errors: np.ndarray
    labels: np.ndarray


def applies(layer: layer_lib.Layer) -> bool:
    """Whether the visible columns differ so much in size as those of unequal examples.

    Args:
      layer: The layer, one with units that can be off.
    """
    sizes = np.max(np.abs(layer.values[:, _visible(layer)]), axis=0, initial=0.0)
    sizes = sizes[sizes > 0]
    if not sizes.size:
        return False
    # Single columns are small by chance.
    small, large = np.quantile(sizes, (_FEW, 1 - _FEW))
    return bool(large > _APART * small)


def read(
    layer: layer_lib.Layer, size: int, seed: Seed, over: Callable[[], bool]
) -> pieces_lib.Pieces | None:
    """Reads what can be read of a batch.

    Runs on: attacker. Sees: the weights and the layer's visible entries.

    Args:
      layer: The layer, one with units that can be off, of a model that learns classes.
      size: b > 1.
      seed: Of what is drawn.
      over: Whether the time is over.

    Returns:
      At most b examples, with labels, and the derivatives that the model makes of them;
      None if there are none.
    """
    generator = np.random.default_rng([*seed, 4])
    live = _visible(layer)
    used = int(np.count_nonzero(live)) * len(layer.values)
    found, rough = _none(layer), _none(layer)
    clean = dominated.Clean(layer.known & live, live)
    while len(found.labels) < size and clean.entries.any() and not over():
        left = size - len(found.labels)
        sure, loose = _stage(layer, clean, left, size, generator, over)
        rough = _joined(rough, loose)
        new = _joined(_none(layer), sure if len(sure.labels) else loose)
        if not len(new.labels):
            break
        found = _joined(found, new)
        clean = _without(layer, clean, new)
    found = _joined(found, rough)
    if not len(found.labels):
        return None
    return _pieces(layer, _Read(*(one[:size] for one in found)), used)


def _visible(layer: layer_lib.Layer) -> np.ndarray:
    """Columns that are visible as a whole, and show something."""
    shown: np.ndarray = np.any(layer.values != 0, axis=0)
    return shown & layer.known.all(axis=0)


def _stage(
    layer: layer_lib.Layer,
    clean: dominated.Clean,
    left: int,
    size: int,
    generator: np.random.Generator,
    over: Callable[[], bool],
) -> tuple[_Read, _Read]:
    """Examples that the model makes to many digits, and others that it makes to a few."""
    sure, loose = _none(layer), _none(layer)
    for groups in (
        _whole(layer, clean, left),
        _dominated(layer, clean, left, generator),
    ):
        for group in groups:
            pieces = _unmixed(layer, group, size, generator, over)
            if pieces is not None:
                told = lost_digits.explained(layer, pieces)
                sure = _joined(sure, _kept(pieces, told, told.closely))
                loose = _joined(loose, _kept(pieces, told, told.loosely))
            if over() or len(sure.labels) == left:
                break
        if len(sure.labels) or over():
            break
    return sure, loose


def _none(layer: layer_lib.Layer) -> _Read:
    return _Read(np.zeros((0, len(layer.kernel))), np.zeros(0), np.zeros(0, np.int64))


def _joined(first: _Read, more: _Read) -> _Read:
    """Both, the most exact of the second first, without those that are in the first."""
    for index in np.argsort(more.errors, kind="stable"):
        one = more.features[index]
        apart = np.linalg.norm(first.features - one, axis=1)
        if np.all(apart > _SAME * np.linalg.norm(one)):
            added = (
                np.concatenate([a, b[[index]]])
                for a, b in zip(first, more, strict=True)
            )
            first = _Read(*added)
    return first


def _whole(
    layer: layer_lib.Layer, clean: dominated.Clean, left: int
) -> Iterator[dominated.Group]:
    known = layer.known & clean.columns
    values = np.where(known, layer.values, 0.0)
    rank = min(left, span_lib.rank_of(values, known))
    span = span_lib.of(values, known, rank) if rank else None
    for _ in range(_TRIES if span is not None else 0):
        assert span is not None
        yield dominated.Group(span, 0.0)


def _dominated(
    layer: layer_lib.Layer,
    clean: dominated.Clean,
    left: int,
    generator: np.random.Generator,
) -> Iterator[dominated.Group]:
    """Of the columns that are clean, and of the rows."""
    columns = np.flatnonzero(clean.columns)
    shown = _visible(layer)
    rows = np.flatnonzero(clean.entries[:, shown].all(axis=1))
    every = np.arange(len(layer.values))
    parts = [(every, columns)]
    if len(rows) > _ROWS * left and len(rows) < len(every):
        parts.append((rows, np.flatnonzero(shown)))
    for _ in range(_AGAIN):
        for part in parts:
            yield from dominated.groups(layer, clean, *part, left, generator)


def _without(
    layer: layer_lib.Layer, clean: dominated.Clean, read: _Read
) -> dominated.Clean:
    """What is clean of these examples too."""
    on = _on(layer, read)
    entries = clean.entries
    for features, error, units in zip(read.features, read.errors, on, strict=True):
        sizes = np.append(np.abs(features), np.inf)
        inputs = sizes > max(_ZERO, _SLIGHT * error) * np.max(sizes[:-1], initial=0.0)
        entries = entries & ~np.outer(inputs, units)
    return dominated.Clean(entries, clean.columns & ~on.any(axis=0))


def _unmixed(
    layer: layer_lib.Layer,
    group: dominated.Group,
    size: int,
    generator: np.random.Generator,
    over: Callable[[], bool],
) -> pieces_lib.Pieces | None:
    span = group.span
    blur = max(1.0, _BLUR * group.leak / span_lib.ROUNDING)
    unmixing = np.ones((1, 1))
    if span.rank > 1:
        unmixing = sparse_starts.basis(
            span.right[span.columns],
            blur * span_lib.ROUNDING / span.singular,
            quiet_units.outputs(layer, span),
            (int(generator.integers(2**31)), 0),
            _DRAWS,
            over,
            max(sparse_starts.ROUGH, _ROUGH * group.leak),
        )
    pieces = pieces_lib.of_unmixing(span, unmixing)
    if pieces is None:
        return None
    # The gradient is the mean over all of the batch, not over those of the span.
    share = size / span.rank
    return pieces._replace(
        slopes=share * pieces.slopes, slope_errors=share * blur * pieces.slope_errors
    )


def _kept(
    pieces: pieces_lib.Pieces, told: lost_digits.Explained, which: np.ndarray
) -> _Read:
    errors = np.maximum(told.misfit[which], span_lib.ROUNDING)
    return _Read(pieces.features[which], errors, told.labels[which])


def _on(layer: layer_lib.Layer, read: _Read) -> np.ndarray:
    """At which units examples may be on, bool [k, u]."""
    outputs = layer.outputs(read.features)
    labels = np.eye(layer.slopes.classes)[read.labels]
    edge = _EDGE * np.mean(np.abs(outputs), axis=1, keepdims=True)
    near = [layer.slopes.slopes(outputs + step, labels) for step in (-edge, 0.0, edge)]
    found: np.ndarray = np.any(np.array(near) != 0.0, axis=0)
    return found


def _pieces(layer: layer_lib.Layer, found: _Read, used: int) -> pieces_lib.Pieces:
    features, errors, labels = found.features, found.errors[:, np.newaxis], found.labels
    one_hot = np.eye(layer.slopes.classes)[labels]
    slopes = layer.slopes.slopes(layer.outputs(features), one_hot)
    size = math.sqrt(features.shape[1]) or 1.0
    common = np.linalg.norm(features, axis=1, keepdims=True) / size
    return pieces_lib.Pieces(
        features=features,
        known=np.ones(features.shape[1], np.bool_),
        errors=errors * (np.abs(features) + common),
        slopes=slopes,
        units=np.ones(slopes.shape[1], np.bool_),
        slope_errors=errors * np.abs(slopes),
        labels=labels,
        residual=float(np.max(errors) ** 2),
        entries=used,
        some=True,
    )
