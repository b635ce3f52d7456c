"""Places of a Transformer where several projections multiply the same vectors."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks import target as target_lib
from selenc_tf import flatten
from selenc_tf.models.text.parts import Part
from selenc_tf.models.text.structure import Projection, Structure

_GROUPS: tuple[tuple[Part, ...], ...] = (
    ("attention", "values"),
    ("feedforward", "mixed", "middle"),
)
_TOKENS = 8
"""Columns of a token table for each of its dimensions: more say nothing new."""


class Place(NamedTuple):
    """Where vectors enter projections.

    Attributes:
      depth: The block.
      part: "attention" for what query, key and value multiply, "mixed" for what the
        attention's output kernel does, "values" for what that is mixed of, "feedforward"
        for what the feed-forward kernel and its gate multiply, "middle" for what the
        second feed-forward kernel does; "pooler" for what BERT's pooling kernel does and
        "last" for what the head does, or a token table that is the head too (depth is
        the number of blocks).
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
      heads: Parts of equal size into which the d coordinates fall, each of which holds
        vectors of its own: of "values", a head's rows are (A V)^T D, and A, the weights
        of the attention, mixes positions and not coordinates, so that their columns lie in
        the span of the head's values, whatever the others'. Elsewhere 1.
    """

    values: np.ndarray
    seen: np.ndarray
    heads: int = 1


def in_order(structure: Structure, blocks: int) -> tuple[tuple[Place, ...], ...]:
    """What enters blocks, from the embeddings up, each with what tells the same if hidden.

    Args:
      structure: Of the model.
      blocks: How many blocks, at most all.

    Returns:
      Two groups for each block: its inputs, by query, key and value or else by the
      attention's output; and what its feed-forward layers get, by their own kernels or
      else by those beside them.
    """
    return tuple(
        tuple(Place(depth, part) for part in group)
        for depth in range(min(blocks, len(structure.blocks)))
        for group in _GROUPS
    )


def above(structure: Structure) -> tuple[Place, ...]:
    """The places above all blocks, where one vector of a sentence enters."""
    depth = len(structure.blocks)
    pooler = () if structure.pooler is None else (Place(depth, "pooler"),)
    return pooler if structure.head is None else (*pooler, Place(depth, "last"))


def pooled_position(structure: Structure, real: tf.Tensor) -> tf.Tensor:
    """The position of each sentence that a classifier uses.

    Args:
      structure: Of the model.
      real: bool [k, L], where a token stands.

    Returns:
      int32 [k]: the first one, or of a causal model the last token's. Above all blocks
      `TokenModel.inputs` has the same at all positions.
    """
    tokens = tf.reduce_sum(tf.cast(real, tf.int32), axis=1)
    if structure.blocks[-1].causal:
        return tf.maximum(tokens - 1, 0)
    return tf.zeros_like(tokens)


def inside(structure: Structure) -> tuple[Place, ...]:
    """All places in blocks, from the embeddings up: of a causal model prefixes decide them.

    Args:
      structure: Of the model.

    Returns:
      Five for each block.
    """
    parts: tuple[Part, ...] = ("attention", "values", "mixed", "feedforward", "middle")
    return tuple(
        Place(depth, part) for depth in range(len(structure.blocks)) for part in parts
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
    if place.part == "last" and structure.tied:
        return _of_rare_tokens(table(target, matched, spec, structure))
    here = _projections(structure, place)
    size = width(structure, place)
    parts = [
        _of_tensor(target, matched, spec, tensor, size)
        for projection in here
        for tensor in _tensors(projection)
    ]
    nothing = np.zeros((size, 0))
    parts = parts or [Shown(nothing, nothing.astype(np.bool_))]
    return Shown(
        np.concatenate([one.values for one in parts], axis=1),
        np.concatenate([one.seen for one in parts], axis=1),
        here[0].shape[0] if place.part == "values" else 1,
    )


def _projections(structure: Structure, place: Place) -> tuple[Projection, ...]:
    """Those that multiply what enters a place."""
    if place.part in ("pooler", "last"):
        one = structure.pooler if place.part == "pooler" else structure.head
        if one is None:
            raise ValueError(f"`place` must be one of the model's, got {place}.")
        return (one,)
    block = structure.blocks[place.depth]
    if place.part == "attention":
        return block.of_inputs
    if place.part == "feedforward":
        return block.of_feedforward_inputs
    return (block.feedforward_output if place.part == "middle" else block.output,)


def width(structure: Structure, place: Place) -> int:
    """The size of the vectors that enter a place."""
    if place.part == "last" and structure.tied:
        return structure.width
    first = _projections(structure, place)[0]
    return int(np.prod(first.shape[: first.num_inputs]))


def table(
    target: target_lib.Target,
    matched: np.ndarray,
    spec: flatten.FlatSpec,
    structure: Structure,
) -> Shown:
    """What a gradient shows of the token table, as a kernel [d, v]; nothing untrained."""
    if structure.token_table is None:
        nothing = np.zeros((structure.width, 0))
        return Shown(nothing, nothing.astype(np.bool_))
    rows = _of_tensor(target, matched, spec, structure.token_table, -1)
    return Shown(rows.values.T, rows.seen.T)


def _of_rare_tokens(table: Shown) -> Shown:
    """Columns of a head that is the token table too, without those that were looked up.

    A lookup adds to its token's column what is in no span of the head's inputs, and makes
    it larger than those of the many tokens that are neither read nor expected.
    """
    counts = np.count_nonzero(table.seen, axis=0)
    squares = np.sum(np.square(table.values), axis=0) / np.maximum(counts, 1)
    some = np.flatnonzero(squares > 0)
    some = some[squares[some] <= np.median(squares[some])] if len(some) else some
    best = some[np.argsort(-counts[some], kind="stable")]
    best = best[
        : max(len(best) // 2, np.count_nonzero(counts[best] == len(table.seen)))
    ]
    spread = best[:: max(1, len(best) // (_TOKENS * len(table.seen)))]
    return Shown(table.values[:, spread], table.seen[:, spread])


def _of_tensor(
    target: target_lib.Target,
    matched: np.ndarray,
    spec: flatten.FlatSpec,
    tensor: int,
    width: int,
) -> Shown:
    end = sum(spec.sizes[: tensor + 1])
    at = slice(end - spec.sizes[tensor], end)
    shape = spec.shapes[tensor] if width < 0 else (width, -1)
    known = matched[at].reshape(shape)
    plain = target.vector[at].reshape(shape).astype(np.float64)
    return Shown(np.where(known, plain, 0.0), known)


def _tensors(projection: Projection) -> tuple[int, ...]:
    both = (projection.kernel, projection.adapter_down)
    return tuple(one for one in both if one is not None)
