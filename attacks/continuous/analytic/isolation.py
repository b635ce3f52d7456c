"""Finding the pictures of a batch among the quotients of a dense layer's gradient."""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

_MARGIN = 1e-3
"""How far outside [0, 1] rounding may carry a pixel."""
_AGREE = 1e-5
"""Root mean square difference below which two units show the same picture. Rounding of
float32 makes 1e-7; mixtures of two pictures of one class, whose derivatives are nearly
proportional before training, come as near as 1e-3."""
_LEAST_OVERLAP = 8
"""Pixels that two units must both show to be compared."""


class Isolated(NamedTuple):
    """The pictures that single units show.

    Attributes:
      pictures: float64 [b, pixels], zero where not known.
      known: bool [b, pixels].
      agreed: bool [b], whether two units or more show the picture: a single one might
        show a mixture. True for a batch of one.
      units: float64 [b, units], the bias gradient of the units that show the picture.
      entries: Number of visible entries used.
    """

    pictures: np.ndarray
    known: np.ndarray
    agreed: np.ndarray
    units: np.ndarray
    entries: int


def isolate(values: np.ndarray, known: np.ndarray, batch_size: int) -> Isolated:
    """Finds pictures that a group of units shows.

    For one picture all units whose bias is visible are one group. For more, the
    candidates are the units whose quotients lie in [0, 1]; those that agree form a
    group, and the largest groups win, then single units with the largest gradient.

    Runs on: attacker. Sees: the visible entries of the layer.

    Args:
      values: float64 [pixels + 1, units], the kernel's gradient and in the last row the
        bias's; zero where not known.
      known: bool [pixels + 1, units].
      batch_size: b >= 1.

    Returns:
      The pictures; nothing is known of those that no group shows.
    """
    kernel, bias = values[:-1], values[-1]
    seen = known[:-1] & known[-1] & (bias != 0)
    if batch_size == 1:
        groups = [np.flatnonzero(seen.any(axis=0))]
    else:
        groups = _groups(kernel, bias, seen)[:batch_size]
    pixels, units = kernel.shape
    pictures = np.zeros((batch_size, pixels))
    pictures_known = np.zeros((batch_size, pixels), np.bool_)
    shown_by = np.zeros((batch_size, units))
    agreed = np.zeros(batch_size, np.bool_)
    entries = 0
    for index, group in enumerate(groups):
        part, weight = seen[:, group], bias[group]
        # Least squares over the group: units with large gradients count more.
        size = float(np.max(np.abs(weight), initial=0.0)) or 1.0
        denominator = part @ np.square(weight / size)
        data = np.where(part, kernel[:, group], 0.0) / size
        picture = np.where(
            denominator > 0,
            (data @ (weight / size)) / np.where(denominator > 0, denominator, 1),
            0.0,
        )
        pictures[index], pictures_known[index] = picture, denominator > 0
        agreed[index] = batch_size == 1 or group.size > 1
        shown_by[index, group] = weight
        entries += int(np.count_nonzero(part)) + group.size
    return Isolated(pictures, pictures_known, agreed, shown_by, entries)


def _groups(kernel: np.ndarray, bias: np.ndarray, seen: np.ndarray) -> list[np.ndarray]:
    """Groups of units, best first: those that agree by their number, then the rest."""
    quotients = np.where(seen, kernel, 0.0) / np.where(bias != 0, bias, 1.0)
    inside = np.all((quotients >= -_MARGIN) & (quotients <= 1 + _MARGIN), axis=0)
    units = np.flatnonzero(inside & seen.any(axis=0))
    if units.size == 0:
        return []
    agree = _agreement(quotients[:, units], seen[:, units])
    _, component = csgraph.connected_components(sparse.csr_matrix(agree), False)
    sizes = np.bincount(component)
    loudest = np.zeros(sizes.size)
    np.maximum.at(loudest, component, np.abs(bias[units]))
    order = np.lexsort((-loudest, -sizes))
    return [units[component == index] for index in order]


def _agreement(quotients: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Which units show the same picture, bool [units, units]."""
    weight = seen.astype(np.float64)
    overlap = weight.T @ weight
    squares = np.square(quotients).T @ weight
    distance = squares + squares.T - 2 * quotients.T @ quotients
    least = min(_LEAST_OVERLAP, seen.shape[0])
    return (overlap >= least) & (distance <= _AGREE**2 * overlap)
