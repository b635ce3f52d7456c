"""What the server announces at the beginning of a round, all of it public."""

from typing import Any, NamedTuple

import tensorflow as tf

from selenc_tf.lattice.engine import Engine
from selenc_tf.lattice.header import Context
from selenc_tf.lattice.key_store import KeySet
from selenc_tf.masks import wire
from selenc_tf.types import Mask


class Announcement(NamedTuple):
    """The terms of a round, the same for all clients.

    Attributes:
      packed_mask: uint8 [ceil(n / 8)], see `selenc_tf/masks/wire.py`.
      round: int64, from 0.
      bounds: float32 [T], the codec's bound for each group of entries.
    """

    packed_mask: Any
    round: Any
    bounds: Any


def mask_of(announced: Announcement, n: int) -> Mask:
    """The announced mask: bool [n]. Runs on: any party."""
    return wire.unpack(announced.packed_mask, n)


def context_of(
    announced: Announcement, mask: Mask, engine: Engine, keys: KeySet
) -> Context:
    """What a message of this round must say that it is of.

    Runs on: any party, each for itself.

    Args:
      announced: The announcement.
      mask: bool [n], the announced mask.
      engine: The engine.
      keys: The public name of the keys.

    Returns:
      The context.
    """
    return engine.context(
        keys,
        announced.packed_mask,
        announced.round,
        tf.math.count_nonzero(mask),
    )


def total_blocks(context: Context, engine: Engine) -> tf.Tensor:
    """The blocks of a whole message: int32."""
    return tf.cast(engine.num_blocks(context.values), tf.int32)
