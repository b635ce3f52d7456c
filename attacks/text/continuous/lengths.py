"""How long the sentences of a batch are, read off before a search among embeddings.

Published attacks are told. Here it is inferred: the rows of the position table say how
long the longest sentence is, the rank of the first block's gradients how many different
tokens at places there are together.
"""

import itertools
from collections.abc import Iterator

import numpy as np

from attacks import target as target_lib
from attacks.knowledge import Knowledge
from attacks.text.discrete import tables
from attacks.text.spans import determined, places
from selenc_tf.models.text.token_model import TokenModel

_LISTED = 50_000
"""Lengths of a batch that are looked at."""
_FIRST = (places.Place(0, "attention"), places.Place(0, "mixed"))


def candidates(
    target: target_lib.Target,
    knowledge: Knowledge[TokenModel],
    mode: target_lib.Mode,
    most: int,
) -> tuple[tuple[int, ...], ...]:
    """Lists the lengths that the sentences of a batch may have.

    Runs on: attacker. Sees: the visible entries.

    Args:
      target: The gradient.
      knowledge: With model and batch size.
      mode: What to do about hidden entries.
      most: The longest list worth trying.

    Returns:
      At least one tuple of b lengths, special tokens included, longest first. Where
      nothing tells, or too much is possible, all sentences have the longest length that
      is known, or else all of the model's positions: padding is then searched for as if
      it were words.
    """
    model, size = knowledge.model, knowledge.batch_size
    longest = tables.longest(model, target)
    rank = _rank(target, knowledge, mode)
    if size == 1:
        # A row that is hidden altogether may be of a token too; the rank counts it.
        return ((max(longest or 0, rank or 0) or model.length,),)
    each = longest or model.length
    if longest is None or rank is None:
        return ((each,) * size,)
    tuples = _parts(size - 1, longest, least(model))
    found = [
        (longest, *rest)
        for rest in itertools.islice(tuples, _LISTED)
        if _distinct((longest, *rest), model) == rank
    ]
    return tuple(found) if 0 < len(found) <= most else ((each,) * size,)


def _distinct(lengths: tuple[int, ...], model: TokenModel) -> int:
    """The different vectors that enter the first block, if only ends coincide."""
    special, size = model.special, len(lengths)
    same_starts = size - 1 if special.start is not None else 0
    same_ends = size - len(set(lengths)) if special.end is not None else 0
    return sum(lengths) - same_starts - same_ends


def _rank(
    target: target_lib.Target, knowledge: Knowledge[TokenModel], mode: target_lib.Mode
) -> int | None:
    """The different vectors that enter the first block, if they are fewer than wide."""
    model, size = knowledge.model, knowledge.batch_size
    most = min(size * model.length, model.structure.width - 1)
    for place in _FIRST:
        found = determined.at(model, target, place, size, mode)
        if found and found.exact and least(model) <= found.rank <= most:
            return found.rank
    return None


def least(model: TokenModel) -> int:
    """The tokens of an empty sentence."""
    special = model.special
    return max(1, int(special.start is not None) + int(special.end is not None))


def _parts(count: int, most: int, least: int) -> Iterator[tuple[int, ...]]:
    """Descending tuples of `count` numbers in [least, most]."""
    numbers = range(most, least - 1, -1)
    return itertools.combinations_with_replacement(numbers, count)


def real(lengths: tuple[int, ...], length: int) -> np.ndarray:
    """Where tokens are, bool [b, L].

    Example:
      >>> real((2, 1), 3).tolist()
      [[True, True, False], [True, False, False]]
    """
    found: np.ndarray = np.arange(length) < np.array(lengths)[:, np.newaxis]
    return found
