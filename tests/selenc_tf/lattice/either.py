"""What a cipher does with a shared key or without one, by the same functions.

To open takes a key and what was *released* of the messages, whose sum is taken beside the
sum of the messages. Under a shared key that is nothing. Without one it is that there is
one message, and its secret; the place of the key is taken by what is known of the round.
"""

import numpy as np
import tensorflow as tf

from selenc_tf.lattice import message
from selenc_tf.lattice.per_client import PerClientCipher

_KNOWN = 9


def has_key(cipher):
    """Whether clients share one."""
    return not isinstance(cipher, PerClientCipher)


def name_of(cipher):
    """As results report it, and whether there is a key."""
    return cipher.name if has_key(cipher) else f"{cipher.name}_per_client"


def new_key(cipher):
    """A key; without one, what is known of a round, as a string."""
    if has_key(cipher):
        return cipher.keygen()
    return tf.constant(np.random.default_rng(0).bytes(8 * _KNOWN))


def released_size(cipher):
    return 0 if has_key(cipher) else 1 + cipher.secret_size


def encrypted(cipher, key, values):
    """Of int64 [b, num_slots]: string [b], and what is released, int32."""
    if has_key(cipher):
        return cipher.encrypt(key, values), tf.zeros([0], tf.int32)
    sent, secret = cipher.encrypt(_known(key), tf.cast(values, cipher.code_dtype))
    blocks = message.blocks_of(sent)
    return blocks, tf.concat([[1], released(cipher, secret)], axis=0)


def released(cipher, secret):
    """What a client in a cohort of two releases, int32 [N]: the other's part is missing."""
    cohort = tf.constant([1, 2], tf.int64)
    return cipher.release(secret, cohort[0], cohort, 2)


def opened(cipher, key, sums, blocks, first_block=0):
    """Of a sum, by the sums of what was released, or of uploads: int64 [b, num_slots]."""
    if has_key(cipher):
        return cipher.decrypt(key, blocks)
    return cipher.open(_known(key), sums[1:], sums[0], first_block, blocks)


def _known(key):
    return tf.ensure_shape(tf.io.decode_raw(key, tf.int64), [_KNOWN])
