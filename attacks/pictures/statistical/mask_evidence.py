"""What a mask of a message's own largest entries says of the entries that it hides.

They are at least as large as the largest that it leaves visible. Where that is zero, as of
a ReLU network of which more is hidden than is not zero, those of lower index come first,
so that behind a tensor's first visible zero every hidden entry is none.
"""

import itertools
from typing import NamedTuple

import numpy as np

from attacks import target as target_lib

_LEAST = 1e-4
"""Of the largest entry: where a mask leaves zeros alone, what else it may have left."""


class Bounds(NamedTuple):
    """How large hidden entries are at least.

    Attributes:
      least: float32 [n], the same throughout a tensor; zero where all that is visible is.
      known: bool [n], where an entry is visible, or hidden and at least as large.
    """

    least: np.ndarray
    known: np.ndarray


def bounds(target: target_lib.Target, sizes: tuple[int, ...]) -> Bounds:
    """Reads the bounds off a message, given that the mask is of its own entries.

    Runs on: attacker. Sees: the mask and the visible entries.

    Args:
      target: The gradient, finite where visible.
      sizes: Of the tensors.

    Returns:
      Those of each tensor by itself where all hide the same share, as a policy does that
      shares out what it hides; else of all together.
    """
    ends = [0, *itertools.accumulate(sizes)]
    parts = [slice(*pair) for pair in itertools.pairwise(ends)]
    size = np.where(target.visible, np.abs(target.vector), np.float32(0))
    share = np.mean(~target.visible)
    each = all(
        abs(np.count_nonzero(~target.visible[part]) - share * (part.stop - part.start))
        < 1
        for part in parts
    )
    least = np.empty_like(size)
    known = target.visible.copy()
    for part in parts:
        most = np.max(size[part] if each else size, initial=0)
        least[part] = most
        zero = target.visible[part] & (size[part] == 0)
        known[part] |= np.maximum.accumulate(zero) if most == 0 else True
    return Bounds(least, known)


def follows(visible: np.ndarray, seen: np.ndarray, messages: np.ndarray) -> bool:
    """Whether a mask is of the message's own largest entries.

    The largest visible entry, relative to their root mean square, is then as in other
    messages under masks of their own, and not as in them under this mask.

    Args:
      visible: bool [e], what the server sees of some entries.
      seen: float32 [e], their values, zero where hidden.
      messages: float32 [m, e], those that public examples would have sent.

    Returns:
      What most of the messages say.
    """
    count = int(np.count_nonzero(visible))
    if count in (0, len(visible)):
        return False
    sizes = np.abs(messages)
    usual = _peak(sizes[:, visible])
    own = _peak(np.sort(sizes, axis=1)[:, :count])
    # In between by ratio.
    between = np.sqrt(np.maximum(own, _LEAST * usual) * usual)
    return bool(np.mean(_peak(np.abs(seen[np.newaxis, visible])) < between) > 0.5)


def _peak(sizes: np.ndarray) -> np.ndarray:
    """The largest of each row beside its root mean square; 0 where all are zero."""
    largest = np.max(sizes, axis=1).astype(np.float64)
    level = np.sqrt(np.mean(np.square(sizes, dtype=np.float64), axis=1))
    return np.divide(largest, level, out=np.zeros_like(largest), where=level > 0)
