"""A target with the hidden entries of its dense layers filled in where they follow."""

from typing import NamedTuple

import numpy as np

from attacks import effort as effort_lib
from attacks import target as target_lib
from attacks.continuous.analytic import low_rank, outer_product
from attacks.labels import head as head_lib
from attacks.structure import dense_layers as dense_lib
from selenc_tf.models import functional
from selenc_tf.types import Seed

_MISFIT = 1e-6
"""Largest relative squared error of a fit that is believed: float32 makes about 1e-14,
and a layer that is not what it was taken for (another batch size) makes far more."""


class Completed(NamedTuple):
    """A target after completion.

    Attributes:
      target: The target with `vector`, `visible` and `matched` extended by what is now
        known. Entries are marked visible though the server does not see them: to an
        attack they are as good.
      known: bool [n], the entries that the target had and those that were determined.
      determined: Number of hidden entries that became known.
    """

    target: target_lib.Target
    known: np.ndarray
    determined: int


class _Layer(NamedTuple):
    """A dense layer's gradient with its bias as the last row.

    Attributes:
      values: float64 [features + 1, units], zero where unknown.
      known: bool [features + 1, units].
    """

    values: np.ndarray
    known: np.ndarray


def complete_gradient(
    target: target_lib.Target,
    model: functional.FunctionalModel,
    batch_size: int,
    seed: Seed,
    effort: effort_lib.Effort,
) -> Completed:
    """Fills every hidden entry of the dense layers that visible ones determine.

    Each kernel's gradient over b pictures has rank b at most, its bias being the row of
    an input that is 1: `outer_product.py` for one picture, `low_rank.py` for more. In
    the head of a softmax each row sums to zero over the classes as well.

    Runs on: attacker. Sees: the visible entries.

    Args:
      target: The gradient of one batch (or of several together).
      model: The architecture.
      batch_size: The pictures behind the gradient.
      seed: Of the low-rank fits' starts.
      effort: Starts and steps of each low-rank fit.

    Returns:
      The completed target. A layer that does not fit its model is left as it was.
    """
    vector = np.where(target.visible, target.plain, np.float32(0)).astype(np.float64)
    known = target.visible.copy()
    for layer in dense_lib.dense_layers(model):
        before = read_layer(vector, known, layer)
        if before.known.all() or not before.known.any():
            continue
        zero_sums = layer.head and model.kind == "classes"
        after = _complete_layer(before, zero_sums, batch_size, seed, effort)
        _write_layer(vector, known, layer, after)
    added = 0.0 if target.penalty is None else target.penalty
    filled = np.where(
        target.visible, target.vector, (vector + added).astype(np.float32)
    )
    return Completed(
        target_lib.Target(
            vector=np.where(known, filled, np.float32(0)),
            visible=known,
            matched=target.matched | known,
            sizes=target.sizes,
            shares=target.shares,
            penalty=target.penalty,
        ),
        known=known,
        determined=int(np.count_nonzero(known & ~target.visible)),
    )


def read_layer(
    vector: np.ndarray, known: np.ndarray, layer: dense_lib.DenseLayer
) -> _Layer:
    """The layer's part of a flat vector as a matrix [features + 1, units].

    Args:
      vector: float64 [n], zero where unknown.
      known: bool [n].
      layer: The layer. Without a bias the last row is unknown.

    Returns:
      Its values and what is known of them.
    """
    shape = (layer.features, layer.units)
    bias = np.zeros((1, layer.units))
    bias_known = np.zeros((1, layer.units), np.bool_)
    if layer.bias is not None:
        bias, bias_known = vector[layer.bias][None], known[layer.bias][None]
    return _Layer(
        np.vstack([vector[layer.kernel].reshape(shape), bias]),
        np.vstack([known[layer.kernel].reshape(shape), bias_known]),
    )


def _write_layer(
    vector: np.ndarray,
    known: np.ndarray,
    layer: dense_lib.DenseLayer,
    after: _Layer,
) -> None:
    """Puts a layer back into the flat arrays, which are this module's own copies."""
    vector[layer.kernel] = after.values[:-1].ravel()
    known[layer.kernel] = after.known[:-1].ravel()
    if layer.bias is not None:
        vector[layer.bias] = after.values[-1]
        known[layer.bias] = after.known[-1]


def _complete_layer(
    before: _Layer,
    zero_sums: bool,
    batch_size: int,
    seed: Seed,
    effort: effort_lib.Effort,
) -> _Layer:
    def conserved(part: _Layer) -> _Layer:
        return _Layer(*head_lib.conserve(*part)) if zero_sums else part

    part = conserved(before)
    if part.known.all():
        return part
    if batch_size == 1:
        return conserved(_by_outer_product(part))
    if batch_size >= min(part.values.shape):
        return part
    fit = low_rank.complete(part.values, part.known, batch_size, seed, effort)
    return conserved(_Layer(np.where(fit.known, fit.matrix, 0.0), fit.known))


def _by_outer_product(part: _Layer) -> _Layer:
    fit = outer_product.factorise(
        part.values[:-1], part.known[:-1], part.values[-1], part.known[-1]
    )
    if fit.residual > _MISFIT:
        return part
    # Without the scale the products are known all the same, but not the bias.
    rows = np.append(fit.rows, 1.0)
    rows_known = np.append(fit.rows_known, fit.scaled)
    found = np.outer(rows_known, fit.columns_known)
    return _Layer(
        np.where(part.known, part.values, np.outer(rows, fit.columns) * found),
        part.known | found,
    )
