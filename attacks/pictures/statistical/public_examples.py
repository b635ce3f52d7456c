"""Pairs of visible gradient entries and the pictures behind them, for learning."""

from typing import NamedTuple

import numpy as np

from attacks import knowledge as knowledge_lib
from attacks.pictures.statistical import public_attack, public_gradients


class Pairs(NamedTuple):
    """What the attacker learns from.

    Attributes:
      gradients: float32 [s, e], the chosen visible entries.
      pictures: float32 [s, d], the batches as rows of d = b * h * w * c pixels.
    """

    gradients: np.ndarray
    pictures: np.ndarray


def split_pictures(
    pictures: knowledge_lib.PublicExamples, share: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Divides the public pictures at random.

    Pictures are divided, not batches: no picture is in batches of both parts.

    Returns:
      int64 indices for training and held-out ones, at least one of each.
    """
    order = generator.permutation(len(pictures.examples))
    held_out = max(1, round(share * len(order)))
    return order[held_out:], order[:held_out]


def make_pairs(
    case: public_attack.Case,
    labels: tuple[int, ...] | None,
    entries: np.ndarray,
    count: int,
    among: np.ndarray | None = None,
) -> Pairs:
    """Computes the messages of public batches on some entries.

    A gradient does not tell the order of its batch, so that what is learnt needs an
    order of its own: within each client's group by class, and within a class by
    brightness.

    Runs on: attacker. Sees: the weights and its own pictures.

    Args:
      case: For the weights, the pictures and the groups of the batch.
      labels: The classes of the batches in the order of the pairs (`ordered_labels`),
        or None for classes as they come.
      entries: int64 [e], which entries of the gradient to keep.
      count: The most batches.
      among: The public pictures to draw from; all by default.

    Returns:
      The pairs.
    """
    pictures, target = case.pictures, case.target
    batches = public_gradients.draw_batches(
        pictures, case.knowledge.batch_size, labels, count, case.generator, among
    )
    if case.knowledge.batch_size > 1:
        batches = _in_order(pictures, batches, target.sizes)
    gradients = public_gradients.batch_gradients(
        case.knowledge.model,
        case.view_weights,
        pictures,
        batches,
        target,
        entries,
        programs=case.programs,
    )
    rows = pictures.examples[batches.indices].reshape(len(gradients), -1)
    return Pairs(gradients, rows.astype(np.float32))


def ordered_labels(labels: tuple[int, ...], sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Labels in the order that the pairs have: ascending in each group.

    Args:
      labels: The classes of the batch, group after group.
      sizes: The pictures of each group.

    Returns:
      The same classes.

    Example:
      (2, 1, 9, 3) in groups of 2 and 2: (1, 2, 3, 9).
    """
    ends = np.cumsum(sizes)
    groups = [
        sorted(labels[end - size : end]) for size, end in zip(sizes, ends, strict=True)
    ]
    return tuple(label for group in groups for label in group)


def _in_order(
    pictures: knowledge_lib.PublicExamples,
    batches: public_gradients.Batches,
    sizes: tuple[int, ...],
) -> public_gradients.Batches:
    rows = pictures.examples.reshape(len(pictures.examples), -1)
    brightness = rows.mean(axis=1)[batches.indices]
    groups = np.broadcast_to(np.repeat(np.arange(len(sizes)), sizes), brightness.shape)
    order = np.lexsort((brightness, batches.labels, groups), axis=-1)
    return public_gradients.Batches(
        np.take_along_axis(batches.indices, order, axis=1),
        np.take_along_axis(batches.labels, order, axis=1),
    )
