"""Taking convolutions off from the top, one after the other."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks import target as target_lib
from attacks.optimisers import blas
from attacks.pictures.peeling import convolution, forward, pooled, top, walk
from attacks.structure import network as network_lib
from selenc_tf import flatten

_EXACT = 1e-5
"""Largest relative residual of a layer that is believed: float32 leaves about 1e-7, and
a single wrong place some 1e-3."""

_ROUNDING = 1e-6
"""Activations below this share of their root mean square are zeros that were rounded."""

_HOPELESS = 0.05
"""A residual after a walk beyond which no further ones are tried: on a trained ConvNet one
that became exact was at 0.01 after the first, and one that did not stayed at 0.1."""

_MOST_POSITIONS = 1500
_MOST_POOLED = 400
"""Positions of the input beyond which a block is left to the search. A solution costs
their cube, and a pooled block takes some tens of them for each candidate: at 1,024
positions and 256 outputs, minutes where the search below needs seconds."""


class Problem(NamedTuple):
    """What stays the same while layers are taken off.

    Attributes:
      network: The network.
      spec: The layout of the flat gradient.
      weights: The weights of the round.
      target: The gradient of one picture.
    """

    network: network_lib.Network
    spec: flatten.FlatSpec
    weights: tuple[np.ndarray, ...]
    target: target_lib.Target


class Level(NamedTuple):
    """How far down the network is known.

    Attributes:
      depth: Number of blocks below what is known; 0 if that is the picture.
      reached: What is known, in the shape of the activations.
    """

    depth: int
    reached: top.Known


def begin(problem: Problem, reached: top.Known) -> Level:
    """The level above all blocks, from what the dense layers showed."""
    shape = problem.network.blocks[-1].output_shape
    return Level(
        len(problem.network.blocks),
        top.Known(
            reached.values.reshape(shape),
            reached.known.reshape(shape),
            reached.derivative.reshape(shape),
            reached.entries,
        ),
    )


def descend(
    problem: Problem,
    level: Level,
    candidates: Sequence[np.ndarray],
    deadline: float | None = None,
    walks: Callable[[int], walk.Walk] | None = None,
) -> tuple[Level, bool]:
    """Takes off as many blocks as can be.

    Runs on: attacker. Sees: the weights and the visible entries.

    Args:
      problem: The network and its gradient.
      level: Where to begin.
      candidates: Pictures [h, w, c] that a pooled layer's search begins at, in turn.
      deadline: By `time.monotonic()`, after which no further candidate is tried.
      walks: A block's index -> the compiled walk on its input, for pooled blocks whose
        places the turns do not find; None for the turns alone.

    Returns:
      The deepest level, and whether a layer has equations enough but resisted.
    """
    weights = [tf.constant(tensor, tf.float64) for tensor in problem.weights]
    with blas.one_thread():
        while level.depth > 0 and _enough(problem, level):
            below = _take_off(problem, level, weights, candidates, deadline, walks)
            if below is None:
                return level, True
            level = below
    return level, False


def picture(problem: Problem, level: Level) -> np.ndarray:
    """The picture of a level of depth 0, float64 [h, w, c]."""
    return (level.reached.values - problem.network.offset) / problem.network.contrast


def _enough(problem: Problem, level: Level) -> bool:
    """Whether each input channel may have as many visible entries as positions."""
    block = problem.network.blocks[level.depth - 1]
    positions = block.input_shape[0] * block.input_shape[1]
    if not block.rectified:
        return False
    if positions > (_MOST_POSITIONS if block.pool == 1 else _MOST_POOLED):
        return False
    _, visible = _kernel_of(problem, block, level.reached)
    live = np.any(level.reached.derivative * level.reached.values != 0, axis=(0, 1))
    seen = np.sum(visible[..., live], axis=(0, 1, 3))
    return bool(np.min(seen) >= positions)


def _kernel_of(
    problem: Problem, block: network_lib.Block, reached: top.Known
) -> tuple[np.ndarray, np.ndarray]:
    """The gradient of a block's kernel, zero where hidden, and what of it is visible.

    An output that is not known spoils the equations of its channel, which count as hidden.
    """
    end = int(np.cumsum(problem.spec.sizes)[block.kernel])
    place = slice(end - problem.spec.sizes[block.kernel], end)
    shape = problem.spec.shapes[block.kernel]
    visible = problem.target.visible[place].reshape(shape)
    visible = visible & reached.known.all(axis=(0, 1))
    gradient = problem.target.plain[place].reshape(shape).astype(np.float64)
    return np.where(visible, gradient, 0.0), visible


def _take_off(
    problem: Problem,
    level: Level,
    weights: list[tf.Tensor],
    candidates: Sequence[np.ndarray],
    deadline: float | None,
    walks: Callable[[int], walk.Walk] | None,
) -> Level | None:
    depth = level.depth - 1
    block = problem.network.blocks[depth]
    factor, summand = forward.normaliser(block, weights)
    gradient, visible = _kernel_of(problem, block, level.reached)
    layer = pooled.Layer(
        output=level.reached.values,
        derivative=level.reached.derivative,
        gradient=gradient,
        visible=visible,
        kernel=weights[block.kernel].numpy(),
        factor=factor.numpy(),
        summand=summand.numpy(),
    )
    positive = walk.is_positive(problem.network, depth)
    # Nothing in a block without pooling depends on the candidate.
    tried = candidates if block.pool > 1 else candidates[:1]
    rates: tuple[float, ...] = walk.RATES if walks and block.pool > 1 else ()
    for index, candidate in enumerate(tried):
        images = tf.constant(candidate[np.newaxis], tf.float64)
        x = forward.run(problem.network, weights, images, depth)[0].numpy()
        for walked, rate in enumerate((0.0, *rates)):
            late = deadline is not None and time.monotonic() > deadline
            if index + walked > 0 and late:
                return None
            if walks is not None and rate > 0:
                x = walk.run(walks(depth), problem.weights, layer, x, rate)
            found = pooled.solve(block, layer, x, positive=positive)
            if found.determined and found.residual < _EXACT:
                return _below(problem, level, weights, found, int(np.sum(visible)))
            if walked and found.residual > _HOPELESS:
                break
            if walked:  # The first walk begins at the candidate's own input.
                x = np.maximum(found.values, 0.0) if positive else found.values
    return None


def _below(
    problem: Problem,
    level: Level,
    weights: list[tf.Tensor],
    found: convolution.Input,
    entries: int,
) -> Level:
    """The level one block further down, with the derivative passed on to it."""
    depth = level.depth - 1
    values = found.values
    if depth > 0 and problem.network.blocks[depth - 1].rectified:
        least = _ROUNDING * np.sqrt(np.mean(np.square(values)))
        values = np.where(values > least, values, 0.0)
    inputs = tf.constant(values)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(inputs)
        block = problem.network.blocks[depth]
        outputs = forward.run_block(block, weights, inputs[tf.newaxis])[0]
        score = tf.reduce_sum(outputs * level.reached.derivative)
    reached = top.Known(
        values=values,
        known=np.ones(values.shape, np.bool_),
        derivative=tape.gradient(score, inputs).numpy(),
        entries=level.reached.entries + entries,
    )
    return Level(depth, reached)
