"""Words of 32 bits in strings, which XLA has none of: blocks and keys as they are sent."""

import tensorflow as tf

from selenc_tf.lattice import block_tails
from selenc_tf.lattice.block_tails import BlockTails

WORD_BYTES = 4


def part(texts: tf.Tensor, begin: int, num_bytes: tf.Tensor | int) -> tf.Tensor:
    """Bytes of each string, as many as there are.

    Args:
      texts: string [b].
      begin: The first of them.
      num_bytes: int32 [b] or scalar.

    Returns:
      string [b].
    """
    begins = tf.minimum(tf.strings.length(texts), begin)
    lengths = tf.broadcast_to(num_bytes, tf.shape(texts))
    return tf.strings.substr(texts, begins, lengths)


def words_in(texts: tf.Tensor, count: int) -> tf.Tensor:
    """The first words of each string, of which missing ones are zeros.

    Args:
      texts: string [...].
      count: w.

    Returns:
      uint32 [..., w].
    """
    raw = tf.io.decode_raw(texts, tf.int32, fixed_length=count * WORD_BYTES)
    return tf.bitcast(raw, tf.uint32)


def text_of(words: tf.Tensor) -> tf.Tensor:
    """The inverse of `words_in`: uint32 [b, w] to string [b], b known."""
    b, num_bytes = words.shape[0], words.shape[1] * WORD_BYTES
    whole = tf.io.serialize_tensor(tf.bitcast(words, tf.int32))
    # A serialised tensor ends with its content.
    begins = [(index - b) * num_bytes for index in range(b)]
    return tf.strings.substr(whole, begins, [num_bytes] * b)


def secret_of(tails: BlockTails, secret_key: tf.Tensor, count: int) -> tf.Tensor:
    """The words behind the front of a key that is one of these parameters.

    Others fail, by an index (an assertion would see the key, and is waited for by all that
    is in the graph) whose name says why.

    Args:
      tails: Of the parameters.
      secret_key: string scalar.
      count: w.

    Returns:
      uint32 [w].
    """
    front = block_tails.KEY_FRONT_BYTES
    num_bytes = front + count * WORD_BYTES
    surplus = tf.strings.length(secret_key) - num_bytes
    name = f"the_secret_key_must_have_{num_bytes}_bytes_but_differs_by"
    whole = tf.gather([secret_key], surplus, name=name)
    digest = tf.strings.substr(whole, 0, block_tails.DIGEST_DIGITS)
    others = tf.cast(tf.not_equal(digest, tails.digest), tf.int32)
    name = "the_secret_key_must_be_of_the_same_parameters_but_is_of_others"
    checked = tf.gather([whole], others, name=name)
    return words_in(tf.strings.substr(checked, front, count * WORD_BYTES), count)
