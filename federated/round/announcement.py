"""What the server announces at the beginning of a round, all of it public."""

from typing import Any, NamedTuple

import tensorflow as tf

from federated.round.collecting import Rules
from selenc_tf.lattice import key_store, scales
from selenc_tf.lattice.header import Context
from selenc_tf.masks import wire
from selenc_tf.types import Mask


class Announcement(NamedTuple):
    """The terms of a round, the same for all clients.

    Attributes:
      packed_mask: uint8 [ceil(n / 8)], see `selenc_tf/masks/wire.py`.
      run: int64, drawn when the training began: what was sent in another training under
        the same key is not taken for an upload of this one.
      round: int64, from 0.
      bounds: float32 [T], the codec's bound for each group of entries.
    """

    packed_mask: Any
    run: Any
    round: Any
    bounds: Any


class Terms(NamedTuple):
    """An announcement, worked out.

    Attributes:
      mask: bool [n], True = hidden.
      bound: float32 [m], of each hidden entry; [] if all have the same.
      context: What a message of this round must say that it is of.
    """

    mask: Mask
    bound: tf.Tensor
    context: Context


def terms_of(
    announced: Announcement, rules: Rules, key_check: tf.Tensor | int = 0
) -> Terms:
    """Works out an announcement.

    Runs on: any party, each for itself.

    Args:
      announced: The announcement.
      rules: Of the round.
      key_check: int64, that of the client's key. The server knows none.

    Returns:
      The terms.
    """
    mask = wire.unpack(announced.packed_mask, rules.num_parameters)
    context = rules.engine.context(
        rules.keys,
        announced.packed_mask,
        announced.round,
        wire.count(announced.packed_mask, rules.num_parameters),
        announced.run,
        key_check,
    )
    return Terms(mask, scales.expand(announced.bounds, rules.groups, mask), context)


def read_key(announced: Announcement, rules: Rules) -> tf.Tensor:
    """Reads the round's key, in the graph that needs it.

    Runs on: client. A key that one graph gave to another would lie in memory meanwhile.

    Args:
      announced: The announcement.
      rules: Of the round.

    Returns:
      A scalar string, as `key_store.read`.
    """
    return key_store.read(rules.shared_keys, rules.engine.keyed_cipher, announced.round)
