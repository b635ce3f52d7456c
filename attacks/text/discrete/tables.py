"""Which tokens a batch has, from the gradient of the token table.

A lookup gives its token's row a gradient, and no other (Melis et al., "Exploiting
Unintended Feature Leakage in Collaborative Learning", IEEE S&P 2019, section 4.1). Where
the table is the head too, all rows have one.
"""

from typing import NamedTuple

import numpy as np

from attacks import mask_positions
from attacks import target as target_lib
from attacks.refusal import DoesNotApply
from selenc_tf import flatten
from selenc_tf.models.text.token_model import TokenModel


class Bag(NamedTuple):
    """Tokens of a batch.

    Attributes:
      present: bool [v], tokens that are there.
      absent: bool [v], tokens that are not: their visible entries are all zero.
      sizes: float64 [v], the root mean square of the visible entries of each row.
    """

    present: np.ndarray
    absent: np.ndarray
    sizes: np.ndarray


def token_bag(model: TokenModel, target: target_lib.Target) -> Bag | None:
    """Reads the visible rows of the token table.

    Runs on: attacker. Sees: the visible entries.

    Args:
      model: The model.
      target: The gradient; under `naive` hidden entries are zeros like others.

    Returns:
      The bag; None if the table is not trained, or is the head too, or nothing of it is
      visible.
    """
    place = model.structure.token_table
    if place is None or model.structure.tied:
        return None
    rows, seen = _table(model.spec, target, place)
    if not seen.any():
        return None
    counts = np.count_nonzero(seen, axis=1)
    squares = np.sum(np.square(rows), axis=1)
    present = squares > 0
    return Bag(
        present, (counts > 0) & ~present, np.sqrt(squares / np.maximum(counts, 1))
    )


def longest(model: TokenModel, target: target_lib.Target) -> int | None:
    """The length of the longest sentence, from the rows of the position table.

    Returns:
      It; None if no position is visible, or there is no such table.
    """
    place = model.structure.position_table
    if place is None:
        return None
    rows, _ = _table(model.spec, target, place)
    used = np.flatnonzero(rows.any(axis=1))
    return min(int(used[-1]) + 1, model.length) if len(used) else None


def bag_from_mask(model: TokenModel, mask: np.ndarray) -> np.ndarray | None:
    """The tokens in whose rows a mask hides something, while it leaves others alone.

    Runs on: attacker. Sees: the public mask and nothing else. A mask that does not
    follow magnitudes says nothing, and whether it does is public. One that hides more
    than has a gradient hides zeros too, those of the lowest indices: the tokens from the
    first on, without a gap. Which of them are there it does not say.

    Args:
      model: The model.
      mask: bool [n].

    Returns:
      bool [v]; None if all rows have hidden entries, or none, or only those of the first
      tokens, or the table is the head too.
    """
    place = model.structure.token_table
    if place is None or model.structure.tied:
        return None
    tokens = mask_positions.tokens_from_mask(mask, model.spec, place)
    if len(tokens) in (0, model.vocabulary_size):
        return None
    found = np.zeros([model.vocabulary_size], np.bool_)
    found[list(tokens)] = True
    first = int(np.argmin(found))
    if first > model.length:
        found[:first] = False
    return found if found.any() else None


def allowed(model: TokenModel, target: target_lib.Target) -> np.ndarray:
    """The tokens that visible rows of the table do not exclude, bool [v]."""
    bag = token_bag(model, target)
    if bag is None or not bag.present.any():
        return np.ones([model.vocabulary_size], np.bool_)
    return ~bag.absent


def check_bag(bag: Bag | None, hints: np.ndarray | None, model: TokenModel) -> None:
    """Checks that there is something to read.

    Raises:
      DoesNotApply: If neither rows nor the mask name a token.
    """
    if (bag is not None and bag.present.any()) or hints is not None:
        return
    why = "its head is that table too, and all rows have gradients"
    if model.structure.token_table is None:
        why = "it is not trained"
    elif not model.structure.tied:
        why = "its visible rows are all zero, or all hidden, and so is what is hidden"
    raise DoesNotApply(
        f"The token table of `knowledge.model` ({model.name}) must name tokens for a bag "
        f"of words, but {why}."
    )


def _table(
    spec: flatten.FlatSpec, target: target_lib.Target, place: int
) -> tuple[np.ndarray, np.ndarray]:
    start = sum(spec.sizes[:place])
    at = slice(start, start + spec.sizes[place])
    seen = target.visible[at].reshape(spec.shapes[place])
    rows = target.vector[at].reshape(spec.shapes[place]).astype(np.float64)
    return np.where(seen, rows, 0.0), seen
