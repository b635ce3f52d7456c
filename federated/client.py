"""What a client computes in a selectively encrypted sum: pure TensorFlow.

A client sees its own vector, the public mask, its own key and, at the end, the sum of
the hidden entries that it helps to decrypt. It never sees another client's vector.
"""

from typing import NamedTuple

import tensorflow as tf

from selenc_tf import flatten
from selenc_tf.lattice.cipher import Cipher, part_boundaries
from selenc_tf.lattice.codec import FixedPointCodec
from selenc_tf.types import Mask, Vector


class Upload(NamedTuple):
    """What a client sends to the server.

    Attributes:
      plain: float32 [n - m], the visible entries in flat order.
      ciphertext: string, the hidden entries as codes, and behind them the number of
        saturated ones, encrypted.
      nonce: int64, drawn afresh: orders the clients without naming them.
    """

    plain: tf.Tensor
    ciphertext: tf.Tensor
    nonce: tf.Tensor


class OpenedShare(NamedTuple):
    """A client's share of the decrypted sum, on its way to the server.

    Attributes:
      rank: int32, the position of the share.
      codes: string, the sums of codes in that share, serialised in `sum_dtype`.
    """

    rank: tf.Tensor
    codes: tf.Tensor


def draw_nonce() -> tf.Tensor:
    """Draws the number that gives the client its rank: int64, uniform.

    Runs on: client. Not a secret: two equal nonces in a cohort are refused later.
    """
    return tf.random.uniform([], tf.int64.min, tf.int64.max, tf.int64)


def protect(
    vector: Vector,
    mask: Mask,
    secret_key: tf.Tensor,
    nonce: tf.Tensor,
    codec: FixedPointCodec,
    cipher: Cipher,
) -> Upload:
    """Splits a vector by the mask and encrypts the hidden part.

    Runs on: client. Sees: its own vector and key.

    Args:
      vector: float32 [n].
      mask: bool [n], True = hidden.
      secret_key: string.
      nonce: int64.
      codec: Makes integers of the hidden entries.
      cipher: Encrypts them.

    Returns:
      The upload.

    Raises:
      InvalidArgumentError: When run, if the vector has a NaN or infinite entry. The
        message holds no entry of it.
    """
    finite = tf.debugging.check_numerics(
        vector, "A client's vector must be finite; check its data and learning rate"
    )
    hidden = tf.boolean_mask(finite, mask)
    # With nothing hidden, nothing is encrypted: no count either.
    any_hidden = tf.minimum(tf.size(hidden), 1)
    saturated = tf.minimum(codec.saturated(hidden), codec.max_abs_code)
    codes = tf.concat([codec.encode(hidden), tf.fill([any_hidden], saturated)], axis=0)
    return Upload(
        plain=tf.boolean_mask(finite, tf.logical_not(mask)),
        ciphertext=cipher.encrypt(secret_key, codes),
        nonce=nonce,
    )


def find_rank(nonce: tf.Tensor, cohort: tf.Tensor, min_clients: int) -> tf.Tensor:
    """Finds the client's place in the cohort, or refuses to take part.

    The refusal is the client's own protection: the sum of too few clients says too much
    about each of them, and with one client it says everything.

    Runs on: client. Sees: the cohort's sorted nonces.

    Args:
      nonce: int64, the client's own.
      cohort: int64 [k], sorted, broadcast by the server.
      min_clients: The smallest cohort whose sum the client helps to decrypt.

    Returns:
      int32 [1].

    Raises:
      InvalidArgumentError: When run, if the cohort is too small, or the nonce does not
        stand in it exactly once.
    """
    size = tf.size(cohort)
    large_enough = tf.debugging.Assert(
        size >= min_clients,
        [
            "A client refuses to decrypt: the sum of a cohort smaller than "
            "`min_clients` would be published. `min_clients`:",
            min_clients,
            "clients in this round:",
            size,
            "Take more clients, or a release mode in which the server stays blind.",
        ],
    )
    mine = tf.cast(tf.equal(cohort, nonce), tf.int32)
    once = tf.debugging.Assert(
        tf.equal(tf.reduce_sum(mine), 1),
        ["A client's nonce must stand exactly once in the cohort; run the round again"],
    )
    with tf.control_dependencies([op for op in (large_enough, once) if op is not None]):
        return tf.reshape(tf.argmax(mine, output_type=tf.int32), [1])


def open_share(
    secret_key: tf.Tensor,
    share: tf.Tensor,
    rank: tf.Tensor,
    cohort: tf.Tensor,
    mask: Mask,
    codec: FixedPointCodec,
    cipher: Cipher,
) -> OpenedShare:
    """Decrypts the client's share of the summed ciphertext.

    Runs on: client. Sees: a part of the sum over the cohort.

    Args:
      secret_key: string.
      share: string, consecutive blocks of the summed ciphertext.
      rank: int32 [1].
      cohort: int64 [k].
      mask: bool [n].
      codec: As at encryption.
      cipher: As at encryption.

    Returns:
      The opened share, without the padding of the last block.
    """
    total = num_codes(mask)
    blocks = -(-total // cipher.block_size)
    first_block = part_boundaries(blocks, tf.size(cohort))[rank[0]]
    padding_starts = tf.maximum(total - first_block * cipher.block_size, 0)
    codes = cipher.decrypt(secret_key, share)[:padding_starts]
    return OpenedShare(
        rank=rank[0],
        codes=tf.io.serialize_tensor(tf.cast(codes, sum_dtype(codec, cipher))),
    )


def num_codes(mask: Mask) -> tf.Tensor:
    """How many codes are encrypted: m and the count of saturated ones, or none."""
    m = tf.math.count_nonzero(mask, dtype=tf.int32)
    return m + tf.minimum(m, 1)


def sum_dtype(codec: FixedPointCodec, cipher: Cipher) -> tf.DType:
    """The narrowest integer in which every sum of codes fits."""
    largest = codec.max_abs_code * cipher.max_summands
    return tf.int32 if largest <= tf.int32.max else tf.int64


def open_all(
    secret_key: tf.Tensor,
    visible_sum: tf.Tensor,
    ciphertext_sum: tf.Tensor,
    mask: Mask,
    codec: FixedPointCodec,
    cipher: Cipher,
) -> Vector:
    """Decrypts a whole sum for the client's own use (the server stays blind).

    Runs on: client. Sees: the sum over the cohort.

    Args:
      secret_key: string.
      visible_sum: float32 [n - m].
      ciphertext_sum: string.
      mask: bool [n].
      codec: As at encryption.
      cipher: As at encryption.

    Returns:
      float32 [n], the sum.
    """
    codes = cipher.decrypt(secret_key, ciphertext_sum)
    hidden = codec.decode(codes[: tf.math.count_nonzero(mask, dtype=tf.int32)])
    return merge(visible_sum, hidden, mask)


def merge(visible: tf.Tensor, hidden: tf.Tensor, mask: Mask) -> Vector:
    """Puts visible and hidden entries back in their places.

    Runs on: any party that has both.

    Args:
      visible: float32 [n - m], in flat order.
      hidden: float32 [m], in flat order.
      mask: bool [n].

    Returns:
      float32 [n].
    """
    positions = tf.concat([tf.where(tf.logical_not(mask)), tf.where(mask)], axis=0)
    return tf.ensure_shape(
        tf.scatter_nd(
            positions, tf.concat([visible, hidden], 0), tf.shape(mask, tf.int64)
        ),
        mask.shape,
    )


def flatten_value(value: object) -> Vector:
    """A client's value, a structure of float32 tensors, as one vector [n]."""
    return flatten.flatten(tf.nest.flatten(value))
