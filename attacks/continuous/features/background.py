"""How large a layer's inputs are, by those that a picture's background makes.

Where an example is of one value over a part of it, as digits are at their borders, the
layer's inputs that see nothing else are those of an example of that value everywhere. If
inputs are known up to a scale, all of these have the same ratio to what the model makes of
such an example, up to rounding, and others have it by chance.
"""

import numpy as np

_SAME = 1e-5
"""Relative distance of two ratios that float32 leaves."""

_FEWEST = 8
"""Inputs that must agree. Of n ratios that differ by factors, about n in 100,000 lie so
close to one of them by chance."""

_KINDS = 4
"""Different inputs among them: equal ones, as pixels of one grey, agree on any scale."""


def scale(rows: np.ndarray, known: np.ndarray, flat: np.ndarray) -> float | None:
    """Finds the factor that makes the most inputs those of an example of one value.

    Runs on: attacker.

    Args:
      rows: float64 [f], a layer's inputs divided by an unknown number.
      known: bool [f].
      flat: float64 [k, f], the inputs for k examples of one value each.

    Returns:
      The factor, or None if too few agree on one.

    Example:
      Inputs [2, 4, 6, ..., 16, 5] of which an example of zeros makes [1, 2, 3, ..., 8, 1]:
      eight have the ratio 2, so that the factor is 0.5.
    """
    best, most = None, _FEWEST - 1
    for one in flat:
        # An input of zero, as of a silent unit, has no ratio.
        used = known & (rows != 0) & (np.abs(one) > _SAME * np.max(np.abs(one)))
        ratios, own = one[used] / rows[used], one[used]
        order = np.argsort(ratios)
        ratios, own = ratios[order], own[order]
        widths = _SAME * np.abs(ratios)
        ends = np.searchsorted(ratios, ratios + widths, side="right")
        counts = ends - np.arange(ratios.size)
        if counts.max(initial=0) > most:
            first = int(np.argmax(counts))
            group = slice(first, ends[first])
            if _kinds(own[group]) >= _KINDS:
                best, most = float(np.median(ratios[group])), counts[first]
    return best


def _kinds(values: np.ndarray) -> int:
    """How many of them differ by more than float32's rounding."""
    ordered = np.sort(values)
    steps = np.diff(ordered) > _SAME * np.max(np.abs(ordered))
    return 1 + int(np.count_nonzero(steps))
