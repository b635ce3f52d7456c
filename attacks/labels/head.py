"""The gradient of the classifier head as far as it is known."""

from typing import NamedTuple

import numpy as np

from attacks import target as target_lib
from attacks.labels import signs as labels
from selenc_tf import flatten


class HeadGradient(NamedTuple):
    """The head's gradient and which of its entries are known.

    Attributes:
      kernel: float64 [features, classes], zero where unknown.
      kernel_known: bool [features, classes].
      bias: float64 [classes], zero where unknown (or where the head has none).
      bias_known: bool [classes].
    """

    kernel: np.ndarray
    kernel_known: np.ndarray
    bias: np.ndarray
    bias_known: np.ndarray


class Labels(NamedTuple):
    """What a label rule says about a batch.

    Attributes:
      classes: The class of each picture, ascending: the rule's answer.
      evident: Those of `classes` that a visible entry speaks for, ascending; the others
        are guesses, which an attack may replace by other hypotheses.
    """

    classes: tuple[int, ...]
    evident: tuple[int, ...]


def read_head(
    target: target_lib.Target, spec: flatten.FlatSpec, num_classes: int
) -> HeadGradient | None:
    """Reads the head's gradient and fills what the conservation law determines.

    Runs on: attacker. Sees: the visible entries of the head.

    Args:
      target: The gradient.
      spec: The layout of the flat vector.
      num_classes: Length of the logits.

    Returns:
      The head's gradient, or None for a model without a dense head.
    """
    head = labels.find_head(spec, num_classes)
    if head is None:
        return None
    vector = np.where(target.visible, target.plain, np.float32(0)).astype(np.float64)
    shape = (head.features, num_classes)
    kernel, kernel_known = conserve(
        vector[head.kernel].reshape(shape), target.visible[head.kernel].reshape(shape)
    )
    bias, bias_known = np.zeros(num_classes), np.zeros(num_classes, np.bool_)
    if head.bias is not None:
        rows, known = conserve(
            vector[head.bias][np.newaxis], target.visible[head.bias][np.newaxis]
        )
        bias, bias_known = rows[0], known[0]
    return HeadGradient(kernel, kernel_known, bias, bias_known)


def head_input(
    target: target_lib.Target, spec: flatten.FlatSpec, num_classes: int, label: int
) -> tuple[np.ndarray, np.ndarray]:
    """The head's input as its gradient shows it, of one picture of a class.

    Runs on: attacker. Sees: the visible entries of the class's column.

    Args:
      target: The gradient of one picture.
      spec: The layout of the flat vector.
      num_classes: Length of the logits.
      label: The class y.

    Returns:
      The ratios kernel[j, y] / bias[y], float32 [f], and 1 where both are visible and
      the ratio is finite, else 0, float32 [f]. Without a head with bias, [0] twice.
    """
    head = labels.find_head(spec, num_classes)
    if head is None or head.bias is None:
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    shape = (head.features, num_classes)
    column = target.plain[head.kernel].reshape(shape)[:, label]
    seen = target.visible[head.kernel].reshape(shape)[:, label]
    slope = target.plain[head.bias][label]
    seen = seen & target.visible[head.bias][label] & (slope != 0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = column / slope
    seen &= np.isfinite(ratio)
    return np.where(seen, ratio, 0).astype(np.float32), seen.astype(np.float32)


def conserve(rows: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fills the only unknown entry of a row that sums to zero.

    The derivative of softmax cross-entropy by the logits, p - y, sums to zero over the
    classes, and so does every row of the head's gradient, h_j (p - y), for any batch.

    Args:
      rows: float64 [r, classes], zero where unknown.
      known: bool [r, classes].

    Returns:
      The rows and what is known of them afterwards.

    Example:
      [.1, ?, .2] -> [.1, -.3, .2]; [?, ?, .2] stays as it is.
    """
    alone = ~known & (np.count_nonzero(~known, axis=1, keepdims=True) == 1)
    filled = np.where(alone, -np.sum(rows, axis=1, keepdims=True), rows)
    return filled, known | alone


def column_sums(head: HeadGradient) -> np.ndarray:
    """The sums of the kernel's columns, estimated from what is known of each.

    Args:
      head: The head's gradient.

    Returns:
      float64 [classes]: the mean over the known entries times the number of features;
      NaN for a column of which nothing is known.
    """
    counts = np.count_nonzero(head.kernel_known, axis=0)
    sums = np.sum(np.where(head.kernel_known, head.kernel, 0.0), axis=0)
    scale = head.kernel.shape[0] / np.maximum(counts, 1)
    return np.where(counts > 0, sums * scale, np.nan)


def take_greedily(scores: np.ndarray, impact: float, batch_size: int) -> Labels:
    """Takes every class with a negative score once, then the lowest, again and again.

    Wainakh et al., "User-Level Label Leakage from Gradients in Federated Learning",
    PoPETs 2022, the greedy part: a class that is taken has one picture's `impact`
    removed from its score.

    Args:
      scores: float64 [classes], NaN where nothing is known: such a class is only taken
        if nothing is known of any.
      impact: <= 0, what one picture contributes to its class's score.
      batch_size: b >= 1.

    Returns:
      b classes; evident are those that are taken for their negative score, once each.
      How often a class repeats is an estimate.

    Example:
      [-3, 1, -1], impact -2, b = 3: 0 and 2 once (-1, 1, 1), then 0 again.
    """
    comparable = np.isfinite(scores)
    remaining = np.where(comparable, scores, np.inf if comparable.any() else 0.0)
    taken: list[int] = []
    evident: list[int] = []
    negative = np.flatnonzero(remaining < 0)
    for label in negative[np.argsort(remaining[negative], kind="stable")][:batch_size]:
        taken.append(int(label))
        evident.append(int(label))
        remaining[label] -= impact
    while len(taken) < batch_size:
        label = int(np.argmin(remaining))
        taken.append(label)
        # An impact of zero (no evidence at all) must not name one class b times.
        remaining[label] += abs(impact) if impact else 1.0
    return Labels(tuple(sorted(taken)), tuple(sorted(evident)))
