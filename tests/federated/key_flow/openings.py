"""Opening blocks whose check values are zero, for computations that are analysed."""

import tensorflow as tf

from tests.federated.rounds import CIPHER


def open_blocks(key: tf.Tensor, blocks: tf.Tensor) -> tf.Tensor:
    """int64 [b, N], with the checks in their places."""
    checks = tf.zeros([tf.size(blocks), 1], tf.int64)
    return tf.pad(CIPHER.open(key, blocks, checks), [[0, 0], [0, 1]])
