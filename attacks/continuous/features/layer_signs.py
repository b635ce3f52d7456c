"""Which inputs and outputs of dense layers are zero, from entries and from the mask.

The gradient of a dense kernel is an outer product: a row of zeros is an input that is
zero, as behind a ReLU that is silent, a column of zeros an output whose derivative is, as
before one. An entry that is not zero says the contrary. A mask that hides the largest
entries says as much by what it hides: zeros come last, those of lower index first, so that
behind the first visible zero of a tensor every hidden entry is none.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from attacks import target as target_lib
from attacks.continuous.analytic import completed_target
from attacks.structure import dense_layers as dense_lib

_BY_CHANCE = 20.0
"""Hidden entries that silent units had at least to have by chance, for none of them to
say that the mask follows the message: else one in exp(20) masks by lot would do so."""

_FEW = 0.01
"""Share of those that may be hidden all the same: products that float32 makes zero."""


class Shown(NamedTuple):
    """Where units of a ReLU show.

    Attributes:
      columns_of: The dense layer whose outputs they are, or None.
      rows_of: The dense layer whose inputs the ReLU makes of them, or None.
    """

    columns_of: dense_lib.DenseLayer | None
    rows_of: dense_lib.DenseLayer | None


class Signs(NamedTuple):
    """The signs of what enters ReLUs.

    Attributes:
      signs: int8 [units] for each group, 1 where a unit is on, -1 where it is silent, 0
        where that is not known.
      by_mask: Whether hidden entries were taken for entries that are not zero.
    """

    signs: tuple[np.ndarray, ...]
    by_mask: bool


class _Evidence(NamedTuple):
    """Units with an entry that is not zero, and with a zero that silence explains."""

    on: np.ndarray
    silent: np.ndarray


def read(target: target_lib.Target, groups: Sequence[Shown]) -> Signs:
    """Reads the signs.

    Runs on: attacker. Sees: the mask, and the visible entries of the layers.

    Args:
      target: The gradient of one example, finite where visible.
      groups: Where to look.

    Returns:
      The signs, of those units that something visible speaks for.
    """
    plain = np.where(target.visible, target.plain, np.float32(0)).astype(np.float64)
    found = [_evidence(plain, target.visible, one) for one in groups]
    # The mask's word, tried: hidden entries behind the first visible zero as ones. Tensor
    # by tensor, as a policy may share out what it hides.
    late = np.zeros_like(target.visible)
    for part in {_key(part): part for one in groups for part in _parts(one)}.values():
        zeros = target.visible[part] & (plain[part] == 0)
        late[part] = np.maximum.accumulate(zeros)
    hidden = late & ~target.visible
    guessed = [
        _evidence(np.where(hidden, 1.0, plain), target.visible | hidden, one)
        for one in groups
    ]
    by_mask = _follows(hidden, late, groups, [one.silent for one in guessed])
    # Zero may be a product too small for float32; another number is never zero.
    signs = tuple(
        np.where(one.on, 1, np.where(one.silent, -1, 0)).astype(np.int8)
        for one in (guessed if by_mask else found)
    )
    return Signs(signs, by_mask)


def _key(part: slice) -> tuple[int, int]:
    return part.start, part.stop


def _parts(group: Shown) -> list[slice]:
    below, above = group
    own = [] if below is None else [below.kernel, below.bias]
    return [part for part in (*own, above and above.kernel) if part is not None]


def _evidence(values: np.ndarray, known: np.ndarray, group: Shown) -> _Evidence:
    on: list[np.ndarray] = []
    silent: list[np.ndarray] = []
    if group.columns_of is not None:
        below = completed_target.read_layer(values, known, group.columns_of)
        on.append(np.any(below.values != 0, axis=0))
        inputs = np.any(below.values != 0, axis=1)
        inputs[-1] = inputs.any()
        zeros = below.known & (below.values == 0)
        silent.append(np.any(zeros & inputs[:, np.newaxis], axis=0))
    if group.rows_of is not None:
        above = completed_target.read_layer(values, known, group.rows_of)
        rows, rows_known = above.values[:-1], above.known[:-1]
        on.append(np.any(rows != 0, axis=1))
        # A zero says nothing where an input, or a derivative above, is zero itself.
        derived = np.any(above.values != 0, axis=0)
        silent.append(np.any(rows_known & (rows == 0) & derived, axis=1))
    return _Evidence(np.logical_or.reduce(on), np.logical_or.reduce(silent))


def _follows(
    hidden: np.ndarray,
    late: np.ndarray,
    groups: Sequence[Shown],
    silent: Sequence[np.ndarray],
) -> bool:
    """Whether no silent unit has hidden entries, though chance would have hidden some."""
    by_chance, there = 0.0, 0
    numbers = hidden.astype(np.float64)
    for group, units in zip(groups, silent, strict=True):
        shown = []
        if group.columns_of is not None:
            below = completed_target.read_layer(numbers, late, group.columns_of)
            shown.append((below.values, below.known))
        if group.rows_of is not None:
            above = completed_target.read_layer(numbers, late, group.rows_of)
            shown.append((above.values[:-1].T, above.known[:-1].T))
        for values, inside in shown:
            share = float(np.sum(values)) / max(int(np.count_nonzero(inside)), 1)
            by_chance += share * int(np.count_nonzero(inside[:, units]))
            there += int(np.count_nonzero(values[:, units]))
    return by_chance >= _BY_CHANCE and there <= _FEW * by_chance
