"""What makes a secret number of a key, int32 from 0 to 255."""

from collections.abc import Callable

import tensorflow as tf

from tests.federated.key_flow.generated_given import PLACE_IN_KEY, ROW, Given, octet
from tests.federated.rounds import CIPHER


def _parsed(given: Given) -> tf.Tensor:
    text = tf.io.serialize_tensor(tf.io.decode_raw(given.key, tf.uint8))
    return tf.cast(tf.io.parse_tensor(text, tf.uint8)[PLACE_IN_KEY], tf.int32)


def _hash(given: Given) -> tf.Tensor:
    return tf.strings.to_hash_bucket_strong(given.key, 256, [1, 2])


def _opened(given: Given) -> tf.Tensor:
    # Of this client alone: what it encrypted, it opens.
    return tf.cast(CIPHER.decrypt(given.key, given.upload)[0, 0], tf.int32)


def _opened_own_sum(given: Given) -> tf.Tensor:
    twice = CIPHER.add(tf.stack([given.upload, given.upload]))
    return tf.cast(CIPHER.decrypt(given.key, twice)[0, 0] // 2, tf.int32)


def _encrypted_by_a_mixture(given: Given) -> tf.Tensor:
    # A known key that touched the real one hides nothing.
    known = tf.where(tf.strings.length(given.key) < 0, given.key, tf.constant("known"))
    length = tf.strings.length(known) + octet(given.key)
    return tf.where(length < 0, 0, octet(given.key))


def _blocks_of_a_ciphertext(given: Given) -> tf.Tensor:
    # The number of blocks of a ciphertext tells what was opened.
    opened = CIPHER.decrypt(given.key, given.upload)[0, 0]
    rows = tf.zeros(tf.stack([tf.cast(opened, tf.int32), ROW[1]]), tf.int64)
    return tf.size(CIPHER.encrypt(given.key, rows))


SOURCES: dict[str, Callable[[Given], tf.Tensor]] = {
    "octet": lambda given: octet(given.key),
    "parsed": _parsed,
    "hash": _hash,
    "opened": _opened,
    "opened own sum": _opened_own_sum,
    "mixture": _encrypted_by_a_mixture,
    "blocks": _blocks_of_a_ciphertext,
}
"""From what is given to a secret int32."""
