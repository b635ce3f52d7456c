"""Decryption that gives nothing out but behind its check values.

The last slot of a block is a check value that everybody can compute (`message.tags`).
What is no sum of as many messages as the check says, under this key and these parameters,
or has more noise than they bear, decrypts to another one, but for a chance of 1/t. That is
not only for mistakes: what a sum of too many decrypts to, which wraps around, tells of the
key.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from selenc_tf.lattice import traced_once
from selenc_tf.lattice.refusal import Refusal, must_be_accepted


def of(decrypt: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> Any:
    """Makes `Cipher.open` of what decrypts.

    Args:
      decrypt: As `Cipher.decrypt`, not necessarily a `tf.function`.

    Returns:
      `(secret_key, string [b], int64 [b, 1]) -> int64 [b, N - 1]`, with an input signature.
    """

    @traced_once.traced_once(
        [
            tf.TensorSpec([], tf.string),
            tf.TensorSpec([None], tf.string),
            tf.TensorSpec([None, 1], tf.int64),
        ]
    )
    def open_blocks(
        secret_key: tf.Tensor, blocks: tf.Tensor, checks: tf.Tensor
    ) -> tf.Tensor:
        rows = decrypt(secret_key, blocks)
        found, hidden = rows[:, -1:], rows[:, :-1]
        # Not one for all: equality would broadcast it.
        each = tf.equal(tf.size(checks), tf.size(found))
        fits = each & tf.reduce_all(tf.equal(found, checks))
        verdict = tf.where(fits, int(Refusal.ACCEPTED), int(Refusal.GARBLED))
        with tf.control_dependencies([must_be_accepted(verdict)]):
            # Assertions may be left out of a graph. Then there is nothing to see.
            return tf.where(fits, hidden, tf.zeros_like(hidden))

    return open_blocks
