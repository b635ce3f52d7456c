"""The last check: which sentences together make the gradient that was seen.

A batch's gradient is the mean of its sentences' own, so that with those of all
candidates every batch costs a few products.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from attacks import target as target_lib
from attacks.knowledge import Knowledge
from attacks.text import sentences
from attacks.text.discrete import tensors
from selenc_tf.models.text.token_model import TokenModel

_NUMBERS = 60_000_000
"""Of all candidates' gradients together; of longer ones some entries are compared."""
_SWAPS = 20


class Picked(NamedTuple):
    """A batch.

    Attributes:
      examples: int32 [b, L].
      labels: int64 [b], or [b, 0] where the next token is predicted.
    """

    examples: np.ndarray
    labels: np.ndarray


def pick(
    gradient: Callable[[np.ndarray, np.ndarray], np.ndarray],
    target: target_lib.Target,
    knowledge: Knowledge[TokenModel],
    rows: Sequence[Sequence[int]],
    classes: Sequence[int],
) -> Picked:
    """Chooses a batch, with repetitions, by the squared error of its gradient's tensors.

    Runs on: attacker. Sees: the entries that the target matches.

    Args:
      gradient: `(examples, classes) -> [n]`, of a batch.
      target: The gradient.
      knowledge: Of a language model.
      rows: The candidates' tokens, at least one.
      classes: That a sentence may have; of no effect where the next token is predicted.

    Returns:
      The batch of the least error that greedy choice and exchanges of two find.
    """
    model = knowledge.model
    examples = sentences.of_rows(rows, model.length)
    if model.kind != "classes":
        classes = (0,)
    options = list(itertools.product(range(len(rows)), classes))
    scales = tensors.scales(target, model.spec)
    places = np.flatnonzero(np.isfinite(scales))
    places = places[:: max(1, len(places) * len(options) // _NUMBERS)]
    gradients = np.stack(
        [
            gradient(examples[row : row + 1], np.array([label]))[places]
            for row, label in options
        ]
    )
    gradients = gradients / scales[places]
    seen = np.where(target.visible, target.vector, np.float32(0))[places]
    chosen = _least(
        gradients @ gradients.T, gradients @ (seen / scales[places]), target.sizes
    )
    picked = [options[one] for one in chosen]
    labels = np.array([label for _, label in picked], np.int64)
    return Picked(
        examples[[row for row, _ in picked]],
        labels if model.kind == "classes" else np.zeros([len(picked), 0], np.int64),
    )


def _least(
    gram: np.ndarray, with_target: np.ndarray, sizes: Sequence[int]
) -> list[int]:
    """The batch with the least |sum / b - target|^2, up to a constant."""
    size = sum(sizes)

    def errors(others: list[int]) -> np.ndarray:
        """Of every candidate beside the others."""
        linear = gram[:, others].sum(axis=1) / size - with_target
        found: np.ndarray = np.diag(gram) / (2 * size) + linear
        return found

    chosen: list[int] = []
    for _ in range(size):
        chosen.append(int(np.argmin(errors(chosen))))
    # Two at a time: halves of two sentences in each other's place are right together.
    pairs = list(itertools.combinations(range(size), 2)) or [(0, 0)]
    for _ in range(_SWAPS):
        before = list(chosen)
        for one, other in pairs:
            rest = [chosen[at] for at in range(size) if at not in (one, other)]
            alone = errors(rest)
            together = alone[:, np.newaxis] + alone + gram / size
            if one == other:
                chosen[one] = int(np.argmin(alone))
                continue
            found = np.unravel_index(np.argmin(together), together.shape)
            chosen[one], chosen[other] = (int(at) for at in found)
        if before == chosen:
            break
    return chosen
