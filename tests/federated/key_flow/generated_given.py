"""What a computation is made of, and the octet of the key that leaks."""

from typing import NamedTuple

import tensorflow as tf

from federated.key_flow.labels import Label
from selenc_tf.lattice import block_tails
from tests.federated.rounds import CIPHER

PLACE_IN_KEY = block_tails.KEY_FRONT_BYTES + 8
"""The octet of the key that leaks."""

KEY = frozenset({Label.KEY})
UPLOAD = frozenset({Label.CIPHERTEXT, Label.UNADDED, Label.LOOSE})
ROW = [1, CIPHER.num_slots]


class Given(NamedTuple):
    """What a computation is made of.

    Attributes:
      key: string, the secret key.
      upload: string [1], a client's ciphertext.
      public: int32, a number that everybody knows.
      folder: where files may be written.
    """

    key: tf.Tensor
    upload: tf.Tensor
    public: tf.Tensor
    folder: str


def octet(key: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.io.decode_raw(key, tf.uint8)[PLACE_IN_KEY], tf.int32)


def row_of(number: tf.Tensor) -> tf.Tensor:
    return tf.fill(ROW, tf.cast(number, tf.int64))
