"""Labels that are numbers, of pictures that are known: a linear system.

The gradient of the cross-entropy of events, and of the squared error, is linear in the
labels: g(x, y) = g(x, 0) + A y, where column j of A is g(x, e_j) - g(x, 0).
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.matching import matching
from federated import views

_MOST_ENTRIES = 20_000
"""Visible entries that are used, the largest ones; they bound the memory."""

_MOST_LABELS = 256
"""Numbers that are solved for: each costs a gradient."""

_RANK = 1e-4
_MISFIT = 1e-6


class Solved(NamedTuple):
    """The labels of a batch.

    Attributes:
      labels: float32 [b, num_classes]; the model's own outputs where they are too many.
      determined: Whether they follow from the visible entries, and explain them.
    """

    labels: np.ndarray
    determined: bool


def solve(
    view: views.ServerView,
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
    images: np.ndarray,
) -> Solved:
    """Solves for the labels of pictures.

    Runs on: attacker. Sees: the weights and the visible entries.

    Args:
      view: For the weights.
      target: The gradient, finite where visible.
      knowledge: For the model, which learns events or values.
      images: float32 [b, *input_shape] in [0, 1], in the order of the groups.

    Returns:
      The least-squares labels, those of events in [0, 1].
    """
    model = knowledge.model
    shape = (len(images), model.num_classes)
    observed = matching.Observed(
        weights=tuple(tf.constant(tensor) for tensor in view.weights),
        target=tf.constant(target.vector),
        entry_weights=tf.constant(target.visible),
        shares=tf.constant(target.shares, tf.float32),
    )
    pictures = tf.constant(images, tf.float32)
    if np.prod(shape) > _MOST_LABELS:
        scores = model.apply(observed.weights, pictures)
        binary = model.kind == "binary"
        return Solved((tf.sigmoid(scores) if binary else scores).numpy(), False)
    sizes = np.where(target.visible, np.abs(target.vector), -1.0)
    entries = np.argsort(-sizes, kind="stable")[:_MOST_ENTRIES]
    entries = entries[target.visible[entries]]

    def gradient(labels: np.ndarray) -> np.ndarray:
        found = matching.group_gradient(
            model,
            observed,
            target.sizes,
            pictures,
            tf.constant(labels.reshape(shape), tf.float32),
        )
        return np.asarray(found.numpy()[entries], np.float64)

    base = gradient(np.zeros(shape))
    units = np.eye(int(np.prod(shape)))
    columns = np.stack([gradient(unit) - base for unit in units], axis=1)
    seen = target.vector[entries].astype(np.float64)
    found, _, rank, _ = np.linalg.lstsq(columns, seen - base, rcond=_RANK)
    error = np.sum(np.square(base + columns @ found - seen))
    fits = bool(error <= _MISFIT * np.sum(np.square(seen)))
    if model.kind == "binary":
        found = np.clip(found, 0.0, 1.0)
    return Solved(
        found.reshape(shape).astype(np.float32), fits and int(rank) == len(units)
    )
