"""From the scores of several clients to one mask: pure TensorFlow.

| protocol | a client sends | the server learns |
| --- | --- | --- |
| score sum | its scores, encrypted | the mask |
| interleaved lists | its own mask as a list, most significant first | every list |
| union | its own mask | every mask |
"""

import tensorflow as tf

from selenc_tf.masks import wire
from selenc_tf.types import Mask, Vector


def share_of_largest(scores: Vector) -> Vector:
    """Scores as shares of the largest magnitude among them, so that a public bound fits.

    The factor stays with the client, and every client has the same say in a sum.

    Runs on: client. Sees: its own scores.

    Args:
      scores: float32 [n], finite.

    Returns:
      float32 [n] in [-1, 1]; zeros if all scores are zero.
    """
    return tf.math.divide_no_nan(scores, tf.reduce_max(tf.abs(scores)))


def ordered_list(scores: Vector, mask: Mask) -> tf.Tensor:
    """The entries of a mask, highest score first.

    Runs on: client. Sees: its own scores.

    Args:
      scores: float32 [n].
      mask: bool [n].

    Returns:
      int32 [m], indices; of equal scores the lower index comes first.
    """
    hidden = tf.cast(tf.reshape(tf.where(mask), [-1]), tf.int32)
    order = tf.argsort(tf.gather(scores, hidden), direction="DESCENDING", stable=True)
    return tf.gather(hidden, order)


def interleave(lists: tf.Tensor, n: int) -> Mask:
    """Takes from all lists in turn, leaving out what is taken, until m entries are.

    The consensus of Hu and Li, "MaskCrypt" (IEEE TDSC 22, 2025), cut to the budget.

    Runs on: server. Sees: every client's list.

    Args:
      lists: int32 [k, m], each without repetitions.
      n: Number of parameters.

    Returns:
      bool [n] with m entries True.
    """
    m = tf.shape(lists)[1]
    in_turn = tf.unique(tf.reshape(tf.transpose(lists), [-1])).y[:m]
    return tf.scatter_nd(in_turn[:, tf.newaxis], tf.fill([tf.size(in_turn)], True), [n])


def unite(packed_masks: tf.Tensor, n: int) -> Mask:
    """Hides what any client hides.

    Runs on: server. Sees: every client's mask.

    Args:
      packed_masks: uint8 [k, ceil(n / 8)].
      n: Number of parameters.

    Returns:
      bool [n] with up to k m entries True.
    """
    counts = tf.foldl(tf.bitwise.bitwise_or, packed_masks)
    return wire.unpack(counts, n)


def the_only_mask(packed_masks: tf.Tensor, n: int) -> Mask:
    """The mask on which all clients came by themselves.

    Runs on: server.

    Args:
      packed_masks: uint8 [k, ceil(n / 8)].
      n: Number of parameters.

    Returns:
      bool [n].

    Raises:
      InvalidArgumentError: When run, if clients disagree.
    """
    alike = tf.debugging.Assert(
        tf.reduce_all(tf.equal(packed_masks, packed_masks[:1])),
        [
            "All clients must find the same mask in the same sum of scores, but they "
            "disagree: use the same version and the same policy on all of them"
        ],
    )
    with tf.control_dependencies([op for op in (alike,) if op is not None]):
        return wire.unpack(tf.identity(packed_masks[0]), n)
