"""Inner products of examples by what a server sees of their gradients, tensor by tensor.

Visible entries count by their values. Of a mask of the message's own largest entries all
entries also count by how large they are, up to the largest that is visible: a hidden one
is as large as that.
"""

import itertools
from typing import NamedTuple

import numpy as np

from attacks import target as target_lib
from attacks.pictures.statistical import kernel_ridge, mask_evidence

MOST_ENTRIES = 3000
"""Of a tensor."""

_MOST_IN_ALL = 100_000
"""Of all tensors, by value and as many by size: bounds the memory."""

_CLIP = 10.0
"""Standard deviations that an observed entry counts at most."""

_FLOOR = 0.05
"""Of the median standard deviation, added to each, so that none counts too much."""

_LEAST_SPREAD = 0.05
"""Of sizes in [0, 1], for one to be of use."""

_SMALL = 0.1
"""What a tensor of rank one counts beside a kernel."""


class Chosen(NamedTuple):
    """Entries of one tensor.

    Attributes:
      kind: "value" or "size".
      depth: From 0, the lowest kernel, to 1.
      weight: What it counts beside others of its depth.
      entries: int64 [e], of the flat vector.
    """

    kind: str
    depth: float
    weight: float
    entries: np.ndarray


def choose(
    target: target_lib.Target,
    shapes: tuple[tuple[int, ...], ...],
    bounds: mask_evidence.Bounds | None,
    varies: np.ndarray,
    most: int,
    generator: np.random.Generator,
) -> list[Chosen]:
    """Chooses entries to look at, by lot where there are too many.

    Args:
      target: For what is visible.
      shapes: Of the tensors, from the lowest layer upwards.
      bounds: Of hidden entries; None where the mask says nothing of them.
      varies: bool [n], the entries to choose from.
      most: Of a tensor, if there are not too many tensors.
      generator: Of the lot.

    Returns:
      For each tensor and kind its entries; none with fewer than three.
    """
    sizes = [int(np.prod(shape)) for shape in shapes]
    ends = [0, *itertools.accumulate(sizes)]
    kernels = max(sum(len(shape) > 1 for shape in shapes), 1)
    most = min(most, max(_MOST_IN_ALL // len(shapes), 100))
    chosen: list[Chosen] = []
    below = -1
    for shape, pair in zip(shapes, itertools.pairwise(ends), strict=True):
        below += len(shape) > 1
        depth = max(below, 0) / max(kernels - 1, 1)
        weight = 1.0 if len(shape) > 1 else _SMALL
        inside = np.zeros_like(target.visible)
        inside[slice(*pair)] = varies[slice(*pair)]
        kinds = {"value": inside & target.visible}
        if bounds is not None:
            kinds["value"] &= bounds.least > 0
            kinds["size"] = inside & bounds.known
        for kind, candidates in kinds.items():
            entries = np.flatnonzero(candidates)
            if len(entries) > most:
                entries = np.sort(generator.choice(entries, most, replace=False))
            if len(entries) >= 3:
                chosen.append(Chosen(kind, depth, weight, entries))
    return chosen


def make(
    chosen: Chosen,
    messages: np.ndarray,
    target: target_lib.Target,
    bounds: mask_evidence.Bounds | None,
) -> kernel_ridge.Kernel | None:
    """The linear kernel of standardised entries, with a mean diagonal of one.

    Args:
      chosen: The entries.
      messages: float32 [s, e], what the samples would have sent there.
      target: For what was sent.
      bounds: As in `choose`.

    Returns:
      The kernel; None where samples do not differ there.
    """
    entries = chosen.entries
    seen = np.where(target.visible[entries], target.vector[entries], np.float32(0))
    if bounds is not None:
        least = bounds.least[entries]
        unit = np.where(least > 0, least, np.float32(1))
        messages, seen = messages / unit, seen / unit
        if chosen.kind == "size":
            hidden = ~target.visible[entries]
            messages, seen = _size(messages, least), _size(seen, least)
            seen = np.where(hidden, np.float32(1), seen)
        else:
            messages, seen = np.arcsinh(messages), np.arcsinh(seen)
    mean, spread = messages.mean(axis=0), messages.std(axis=0)
    least_spread = _LEAST_SPREAD if chosen.kind == "size" else 1e-7 * np.abs(mean)
    used = spread > least_spread
    if np.count_nonzero(used) < 3:
        return None
    spread = spread[used] + _FLOOR * np.median(spread[used])
    features = (messages[:, used] - mean[used]) / spread
    observed = np.clip((seen[used] - mean[used]) / spread, -_CLIP, _CLIP)
    scale = float(np.mean(np.sum(np.square(features, dtype=np.float64), axis=1)))
    return kernel_ridge.Kernel(
        (features @ features.T).astype(np.float64) / scale,
        (features @ observed).astype(np.float64) / scale,
        float(observed @ observed) / scale,
    )


def _size(values: np.ndarray, least: np.ndarray) -> np.ndarray:
    """How large, in [0, 1]; of units in which one is the least that is hidden."""
    return np.where(
        least > 0, np.minimum(np.abs(values), 1), (values != 0).astype(np.float32)
    ).astype(np.float32)


def offered_weights(chosen: list[Chosen]) -> list[tuple[float, ...]]:
    """Weights to choose among: by depth, and of sizes beside values."""
    kinds = {one.kind for one in chosen}
    shares = ((1.0, 1.0), (0.1, 1.0), (1.0, 0.1)) if len(kinds) > 1 else ((1.0, 1.0),)
    offered = [
        tuple(
            one.weight * by_depth(one.depth) * share[one.kind == "size"]
            for one in chosen
        )
        for by_depth in _BY_DEPTH
        for share in shares
    ]
    return [one for one in dict.fromkeys(offered) if any(one)]


_BY_DEPTH = (
    lambda depth: 1.0,
    lambda depth: 0.05 if depth < 0.375 else 0.3 if depth < 0.625 else 1.0,
    lambda depth: 0.0 if depth < 0.625 else 1.0 if depth < 0.875 else 2.0,
    lambda depth: 1.0 if depth < 0.75 else 0.1,
)
"""All alike, the upper ones, the uppermost, the lower ones."""
