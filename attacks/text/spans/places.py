"""Places of a Transformer where several projections multiply the same vectors."""

from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from attacks import target as target_lib
from selenc_tf import flatten
from selenc_tf.models.text.structure import Projection, Structure

Part: TypeAlias = Literal["attention", "feedforward"]


class Place(NamedTuple):
    """Where vectors enter projections.

    Attributes:
      depth: The block.
      part: "attention" for what query, key and value multiply, "feedforward" for what
        the feed-forward kernel and its gate multiply.
    """

    depth: int
    part: Part


class Shown(NamedTuple):
    """The gradients of all projections of a place, side by side.

    With a row of X for each token of the batch they are X^T D, so that their columns lie
    in the span of the vectors that entered.

    Attributes:
      values: float64 [d, m], zero where hidden.
      seen: bool [d, m].
    """

    values: np.ndarray
    seen: np.ndarray


def in_order(structure: Structure, blocks: int) -> tuple[Place, ...]:
    """The places from the embeddings up.

    Args:
      structure: Of the model.
      blocks: How many blocks, at most all.

    Returns:
      Two places for each block.
    """
    return tuple(
        Place(depth, part)
        for depth in range(min(blocks, len(structure.blocks)))
        for part in ("attention", "feedforward")
    )


def shown(
    target: target_lib.Target,
    matched: np.ndarray,
    spec: flatten.FlatSpec,
    structure: Structure,
    place: Place,
) -> Shown:
    """What a gradient shows of a place.

    Runs on: attacker. Sees: the visible entries.

    Args:
      target: The gradient.
      matched: bool [n], the entries that are believed.
      spec: Its layout.
      structure: Of the model.
      place: Which.

    Returns:
      The columns of all projections of the place that are trained, and of the adapters'
      halves that have the same inputs; none where nothing is.
    """
    block = structure.blocks[place.depth]
    here = block.of_inputs if place.part == "attention" else block.of_feedforward_inputs
    ends = np.cumsum(spec.sizes)
    values, seen = [], []
    for tensor in (one for projection in here for one in _tensors(projection)):
        at = slice(int(ends[tensor]) - spec.sizes[tensor], int(ends[tensor]))
        known = matched[at].reshape(structure.width, -1)
        plain = target.vector[at].reshape(structure.width, -1).astype(np.float64)
        values.append(np.where(known, plain, 0.0))
        seen.append(known)
    if not values:
        nothing = np.zeros((structure.width, 0))
        return Shown(nothing, nothing.astype(np.bool_))
    return Shown(np.concatenate(values, axis=1), np.concatenate(seen, axis=1))


def _tensors(projection: Projection) -> tuple[int, ...]:
    both = (projection.kernel, projection.adapter_down)
    return tuple(one for one in both if one is not None)
