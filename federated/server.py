"""What the server computes in a selectively encrypted sum: pure TensorFlow.

The server sees the visible entries, ciphertexts, the public mask and the opened sums.
No function here takes a secret key.
"""

from typing import NamedTuple

import tensorflow as tf

from federated import client
from selenc_tf.lattice.cipher import Cipher
from selenc_tf.lattice.codec import FixedPointCodec
from selenc_tf.types import Mask, Vector


class Collected(NamedTuple):
    """The uploads of a cohort as they come in.

    Attributes:
      visible_sum: float32 [n - m], empty before the first upload.
      ciphertexts: string [clients so far].
      nonces: int64 [clients so far].
    """

    visible_sum: tf.Tensor
    ciphertexts: tf.Tensor
    nonces: tf.Tensor


class CipherSum(NamedTuple):
    """The sum over a cohort, not yet decrypted.

    Attributes:
      visible_sum: float32 [n - m].
      ciphertext: string, the sum of the ciphertexts.
      cohort: int64 [k], the sorted nonces.
    """

    visible_sum: tf.Tensor
    ciphertext: tf.Tensor
    cohort: tf.Tensor


class OpenedSum(NamedTuple):
    """The decrypted sum.

    Attributes:
      vector: float32 [n].
      saturated: int64, how many hidden entries of the cohort met the codec's bound.
      hidden: int64, m.
      clients: int32, k.
    """

    vector: Vector
    saturated: tf.Tensor
    hidden: tf.Tensor
    clients: tf.Tensor


def nothing_collected() -> Collected:
    """The accumulator before the first upload."""
    return Collected(
        _of_any_length(tf.zeros([0], tf.float32)),
        _of_any_length(tf.zeros([0], tf.string)),
        _of_any_length(tf.zeros([0], tf.int64)),
    )


def collect(collected: Collected, upload: client.Upload) -> Collected:
    """Takes in one upload.

    Ciphertexts are kept as they came and added together at the end, so that the
    accumulator is not parsed and serialised once for every client.

    Runs on: server.
    """
    first = tf.equal(tf.size(collected.nonces), 0)
    # Starting from zeros, not from the first vector, is what a plain federated sum
    # does: -0.0 becomes 0.0 in both.
    so_far = tf.cond(
        first, lambda: tf.zeros_like(upload.plain), lambda: collected.visible_sum
    )
    return Collected(
        visible_sum=_of_any_length(so_far + upload.plain),
        ciphertexts=_of_any_length(
            tf.concat([collected.ciphertexts, [upload.ciphertext]], axis=0)
        ),
        nonces=_of_any_length(tf.concat([collected.nonces, [upload.nonce]], axis=0)),
    )


def join(left: Collected, right: Collected) -> Collected:
    """Joins two accumulators (a runtime with several workers needs this).

    Runs on: server.
    """
    left_empty = tf.equal(tf.size(left.nonces), 0)
    right_empty = tf.equal(tf.size(right.nonces), 0)
    visible = tf.case(
        [
            (left_empty, lambda: right.visible_sum),
            (right_empty, lambda: left.visible_sum),
        ],
        default=lambda: left.visible_sum + right.visible_sum,
    )
    return Collected(
        visible_sum=_of_any_length(visible),
        ciphertexts=_of_any_length(
            tf.concat([left.ciphertexts, right.ciphertexts], axis=0)
        ),
        nonces=_of_any_length(tf.concat([left.nonces, right.nonces], axis=0)),
    )


def add_ciphertexts(collected: Collected, cipher: Cipher) -> CipherSum:
    """Adds the ciphertexts of a cohort, without a key.

    Runs on: server.

    Args:
      collected: All uploads.
      cipher: The cipher.

    Returns:
      The encrypted sum.

    Raises:
      InvalidArgumentError: When run, if the cohort is empty or too large for the
        cipher's parameters.
    """
    check = tf.debugging.assert_positive(
        tf.size(collected.nonces),
        "The cohort is empty: a round needs at least one upload",
    )
    with tf.control_dependencies([op for op in (check,) if op is not None]):
        ciphertexts = tf.identity(collected.ciphertexts)
    return CipherSum(
        visible_sum=collected.visible_sum,
        ciphertext=cipher.add(ciphertexts),
        cohort=tf.sort(collected.nonces),
    )


def shares(total: CipherSum, cipher: Cipher) -> tf.Tensor:
    """Cuts the encrypted sum into one share for each client: string [k].

    Runs on: server.
    """
    return cipher.split(total.ciphertext, tf.size(total.cohort))


def assemble(
    visible_sum: tf.Tensor,
    opened: client.OpenedShare,
    mask: Mask,
    codec: FixedPointCodec,
    cipher: Cipher,
) -> OpenedSum:
    """Puts the opened shares and the visible sum together.

    Runs on: server. Sees: the published aggregate.

    Args:
      visible_sum: float32 [n - m].
      opened: The opened shares of all clients, `rank` [k] and `codes` [k].
      mask: bool [n].
      codec: As at encryption.
      cipher: As at encryption.

    Returns:
      The decrypted sum.
    """
    in_order = tf.gather(opened.codes, tf.argsort(opened.rank))
    dtype = client.sum_dtype(codec, cipher)
    codes = tf.map_fn(
        lambda text: tf.io.parse_tensor(text, dtype),
        in_order,
        fn_output_signature=tf.RaggedTensorSpec([None], dtype, ragged_rank=0),
    ).values
    m = tf.math.count_nonzero(mask)
    return OpenedSum(
        vector=client.merge(visible_sum, codec.decode(codes[:m]), mask),
        saturated=tf.cast(tf.reduce_sum(codes[m : m + 1]), tf.int64),
        hidden=m,
        clients=tf.size(opened.rank),
    )


def no_shares() -> client.OpenedShare:
    """The accumulator of opened shares before the first one."""
    return client.OpenedShare(
        _of_any_length(tf.zeros([0], tf.int32)),
        _of_any_length(tf.zeros([0], tf.string)),
    )


def collect_share(
    collected: client.OpenedShare, share: client.OpenedShare
) -> client.OpenedShare:
    """Takes in one opened share.

    Runs on: server.
    """
    return join_shares(
        collected, client.OpenedShare(share.rank[tf.newaxis], share.codes[tf.newaxis])
    )


def join_shares(
    left: client.OpenedShare, right: client.OpenedShare
) -> client.OpenedShare:
    """Joins two accumulators of opened shares.

    Runs on: server.
    """
    return client.OpenedShare(
        _of_any_length(tf.concat([left.rank, right.rank], axis=0)),
        _of_any_length(tf.concat([left.codes, right.codes], axis=0)),
    )


def _of_any_length(vector: tf.Tensor) -> tf.Tensor:
    """Forgets the static length, so that an accumulator has one type from start to end."""
    return tf.raw_ops.PlaceholderWithDefault(input=vector, shape=[None])
