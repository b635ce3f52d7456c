"""The label of a single picture, read off the classifier head's gradient.

Zhao, Mopuri, Bilen, "iDLG: Improved Deep Leakage from Gradients", 2020, section 3. For
one picture with features h, probabilities p and class y, the head's kernel (laid out
[features, classes] by Keras) has the gradient h_j (p_k - [k = y]) and its bias
p_k - [k = y]: column y alone points against all the others, and only its bias is
negative.
"""

from typing import NamedTuple

import numpy as np

from attacks import target as target_lib
from selenc_tf import flatten, validation


class Head(NamedTuple):
    """Where the classifier head lies in the flat vector.

    Attributes:
      kernel: Slice of the kernel's entries, row-major [features, classes].
      features: Its rows.
      bias: Slice of the bias, or None where the head has none.
    """

    kernel: slice
    features: int
    bias: slice | None


def find_head(spec: flatten.FlatSpec, num_classes: int) -> Head | None:
    """Finds the last kernel [features, num_classes] and the bias that follows it.

    Args:
      spec: The layout of the flat vector.
      num_classes: Length of the logits.

    Returns:
      The head, or None if no tensor has such a shape.
    """
    ends = np.cumsum(spec.sizes)
    for index in reversed(range(len(spec.shapes))):
        shape = spec.shapes[index]
        if len(shape) != 2 or shape[1] != num_classes:
            continue
        end = int(ends[index])
        has_bias = spec.shapes[index + 1 : index + 2] == ((num_classes,),)
        return Head(
            kernel=slice(end - spec.sizes[index], end),
            features=shape[0],
            bias=slice(end, end + num_classes) if has_bias else None,
        )
    return None


def possible_labels(
    target: target_lib.Target,
    mode: target_lib.Mode,
    spec: flatten.FlatSpec,
    num_classes: int,
) -> tuple[int, ...]:
    """Lists the classes that the one picture behind a gradient can have.

    Runs on: attacker. Sees: the visible entries of the head.

    Args:
      target: The gradient of one picture.
      mode: `naive` applies the published rule to the zero-filled vector, `mask_aware`
        decides only on what visible entries prove.
      spec: The layout of the flat vector.
      num_classes: Length of the logits.

    Returns:
      The classes in ascending order: one where the label is settled, all where the
      head is unknown, hidden or (under `naive`) undecided, none where the visible
      entries are not those of a single picture.
    """
    validation.check_in("mode", mode, target_lib.MODES)
    head = find_head(spec, num_classes)
    if head is None:
        return tuple(range(num_classes))
    vector = np.where(target.visible, target.plain, np.float32(0))
    kernel = vector[head.kernel].reshape(head.features, num_classes)
    bias = None if head.bias is None else vector[head.bias]
    if mode == "naive":
        label = opposed_column(kernel, bias)
        return tuple(range(num_classes)) if label is None else (label,)
    return consistent_classes(kernel, bias)


def guess_classes(
    target: target_lib.Target,
    spec: flatten.FlatSpec,
    num_classes: int,
    batch_size: int,
    noise: np.ndarray,
) -> np.ndarray:
    """Guesses the classes of a batch, for a joint search to begin with.

    The bias of class k has the gradient mean(p_k) - count_k / b, so the classes are
    taken greedily: the most negative entry, which then rises by 1 / b (the rule of
    Wainakh et al., "User-Level Label Leakage from Gradients in Federated Learning",
    2022, on the bias instead of the kernel).

    Runs on: attacker. Sees: the visible entries of the head's bias.

    Args:
      target: The gradient.
      spec: The layout of the flat vector.
      num_classes: Length of the logits.
      batch_size: b, the number of pictures.
      noise: float [num_classes], added in units of one picture: varies the guess, and
        is all there is to it where the bias is hidden.

    Returns:
      int64 [b], in the order in which they were taken.

    Example:
      bias gradient [-.4, .1, -.2], b = 2, no noise: 0 (-.4 -> .1), then 2.
    """
    head = find_head(spec, num_classes)
    remaining = noise.astype(np.float64) / batch_size
    if head is not None and head.bias is not None:
        seen = np.where(target.visible, target.plain, np.float32(0))[head.bias]
        remaining = remaining + seen
    taken = []
    for _ in range(batch_size):
        taken.append(int(np.argmin(remaining)))
        remaining[taken[-1]] += 1.0 / batch_size
    return np.array(taken, np.int64)


def opposed_column(kernel: np.ndarray, bias: np.ndarray | None) -> int | None:
    """The rule of iDLG: the class whose column points against the most others.

    Zhao et al. 2020, section 3, on inner products of columns, which needs no
    assumption about the sign of the features.

    Args:
      kernel: float [features, classes], zero where hidden.
      bias: float [classes] or None; a negative entry settles the question at once, and
        is what two classes need, whose columns are always each other's negative.

    Returns:
      The class, or None if there is no single winner.

    Example:
      kernel [[.1, -.3, .2]]: column 1 opposes two columns, the others one: 1.
    """
    if bias is not None and np.min(bias) < 0:
        return int(np.argmin(bias))
    columns = kernel.astype(np.float64)
    opposed = np.count_nonzero(columns.T @ columns < 0, axis=1)
    winners = np.flatnonzero(opposed == opposed.max())
    return int(winners[0]) if opposed.max() > 0 and winners.size == 1 else None


def consistent_classes(kernel: np.ndarray, bias: np.ndarray | None) -> tuple[int, ...]:
    """The classes that the signs of the visible entries allow.

    In each row of the kernel the label's entry has the opposite sign to all others; in
    the bias the label's entry is negative and the others positive. A zero (hidden, or
    underflowed) proves nothing, so classes are only ever excluded by evidence, and the
    label is among the answers whenever the gradient is one picture's.

    Args:
      kernel: float [features, classes], zero where hidden.
      bias: float [classes], zero where hidden, or None.

    Returns:
      The classes in ascending order; none if the gradient is not a single picture's.

    Example:
      kernel [[.1, -.3, 0], [0, .5, -.1]]: row 0 leaves {0, 1}, row 1 {1, 2}: (1,).
    """
    possible = _consistent(kernel, positive_features=False)
    if bias is not None:
        possible &= _consistent(bias[np.newaxis], positive_features=True)
    return tuple(int(label) for label in np.flatnonzero(possible))


def _consistent(rows: np.ndarray, positive_features: bool) -> np.ndarray:
    """Which labels, bool [classes], explain the signs of all rows [r, classes].

    With class k's sign turned, all signs of a row must agree (and be positive, if the
    features are).
    """
    positives = np.count_nonzero(rows > 0, axis=1, keepdims=True)
    negatives = np.count_nonzero(rows < 0, axis=1, keepdims=True)
    if positive_features:
        alone = np.where(rows < 0, negatives == 1, False)
        silent = negatives == 0
    else:
        alone = np.where(rows < 0, negatives == 1, positives == 1)
        silent = (negatives == 0) | (positives == 0)
    return np.all(np.where(rows == 0, silent, alone), axis=0)
