"""Sharing a decryption: which blocks of a message each of k clients opens."""

from typing import NamedTuple

import tensorflow as tf

from selenc_tf.lattice import message


class Share(NamedTuple):
    """Consecutive blocks.

    Attributes:
      first_block: int32.
      blocks: int32, their number; may be 0.
    """

    first_block: tf.Tensor
    blocks: tf.Tensor


def share_of(blocks: tf.Tensor, rank: tf.Tensor, clients: tf.Tensor) -> Share:
    """The blocks that fall to a client: nearly equal parts, in the order of rank.

    Runs on: any party; both sides compute it for themselves.

    Args:
      blocks: int32, of the whole message.
      rank: int32, 0 to k - 1; a rank of k or more has nothing to open.
      clients: int32, k >= 1.

    Returns:
      The share.
    """
    first = _cut(blocks, rank, clients)
    return Share(first, _cut(blocks, rank + 1, clients) - first)


def cut(sealed: tf.Tensor, share: Share) -> tf.Tensor:
    """A share of a message, as a message of its own. Runs on: server.

    Args:
      sealed: string [1 + b], the whole message.
      share: Which blocks.

    Returns:
      string [1 + share.blocks].
    """
    header = message.header_of(sealed)
    end = share.first_block + share.blocks
    return message.assemble(
        header.context,
        header.summands,
        share.first_block,
        message.blocks_of(sealed)[share.first_block : end],
    )


def _cut(blocks: tf.Tensor, rank: tf.Tensor, clients: tf.Tensor) -> tf.Tensor:
    # int64: blocks times clients may leave int32.
    wide = tf.cast(tf.minimum(rank, clients), tf.int64) * tf.cast(blocks, tf.int64)
    return tf.cast(wide // tf.cast(clients, tf.int64), tf.int32)
