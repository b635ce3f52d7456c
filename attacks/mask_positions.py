"""What the positions of hidden entries tell, without the value of a single entry.

A mask that follows the gradient follows the data. The column of the classifier head that
belongs to the true class has the largest entries, and the rows of an embedding that no
token of the batch used are exactly zero, so a mask of large entries passes them by.
"""

from typing import NamedTuple

import numpy as np

from attacks.labels import signs as labels
from selenc_tf import flatten


class LabelGuess(NamedTuple):
    """The classes that a mask points to.

    Attributes:
      classes: Classes in the order of their hidden entries, most first.
      counts: int64 [num_classes], hidden entries of each class in the head.
      informative: Whether the counts differ at all; without that the order says nothing.
    """

    classes: tuple[int, ...]
    counts: np.ndarray
    informative: bool


def labels_from_mask(
    mask: np.ndarray, spec: flatten.FlatSpec, num_classes: int
) -> LabelGuess | None:
    """Ranks the classes by how much of their column in the classifier head is hidden.

    Runs on: attacker. Sees: the public mask and nothing else.

    Args:
      mask: bool [n].
      spec: The layout of the flat vector.
      num_classes: Length of the logits.

    Returns:
      The guess, or None if the model has no dense classifier head.
    """
    head = labels.find_head(spec, num_classes)
    if head is None:
        return None
    counts = mask[head.kernel].reshape(head.features, num_classes).sum(axis=0)
    if head.bias is not None:
        counts = counts + mask[head.bias]
    order = np.argsort(-counts, kind="stable")
    return LabelGuess(
        tuple(int(label) for label in order),
        counts.astype(np.int64),
        bool(counts.max() > counts.min()),
    )


def tokens_from_mask(
    mask: np.ndarray, spec: flatten.FlatSpec, tensor: int
) -> tuple[int, ...]:
    """The tokens whose embedding rows hold hidden entries.

    Runs on: attacker. Sees: the public mask and nothing else.

    Args:
      mask: bool [n].
      spec: The layout of the flat vector.
      tensor: Index of the embedding in `spec`, of shape [vocabulary, width].

    Returns:
      The tokens in ascending order; all of them if the whole tensor is hidden.

    Raises:
      ValueError: If the tensor has no rows.
    """
    shape = spec.shapes[tensor]
    if len(shape) != 2:
        raise ValueError(
            f"`tensor` must be an embedding [vocabulary, width], but "
            f"{spec.names[tensor]!r} has the shape {shape}."
        )
    start = sum(spec.sizes[:tensor])
    rows = mask[start : start + spec.sizes[tensor]].reshape(shape)
    return tuple(int(row) for row in np.flatnonzero(rows.any(axis=1)))
