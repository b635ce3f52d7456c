"""What the server computes in a selectively encrypted sum: pure TensorFlow.

The server sees the visible entries, ciphertexts, the public announcement and the opened
sums. No function here takes a secret key. How uploads come in is in `collecting.py`.
"""

from typing import NamedTuple

import tensorflow as tf

from federated.round import client, collecting
from federated.round.collecting import Collected, Rules
from selenc_tf.lattice import engine as engine_lib
from selenc_tf.lattice import message, shares
from selenc_tf.lattice.engine import Engine
from selenc_tf.lattice.header import Context
from selenc_tf.lattice.refusal import Refusal
from selenc_tf.types import Mask, Vector


class CipherSum(NamedTuple):
    """The sum over a cohort, not yet decrypted.

    Attributes:
      visible_sum: float32 [n - m].
      ciphertext: string [1 + b], the message with the sum of the ciphertexts.
      cohort: int64 [k], the sorted nonces of the clients in the sum.
      weight_sum: float32, over the same clients; their number, where weights are among
        what is encrypted.
      idle: int32, clients that had nothing to add.
      refusals: int32 [len(Refusal)], uploads that were left out, by reason.
    """

    visible_sum: tf.Tensor
    ciphertext: tf.Tensor
    cohort: tf.Tensor
    weight_sum: tf.Tensor
    idle: tf.Tensor
    refusals: tf.Tensor


class OpenedSum(NamedTuple):
    """The decrypted sum.

    Attributes:
      vector: float32 [n].
      saturated: int64, how many hidden entries of the cohort met the codec's bound.
      hidden: int64, m.
      clients: int32, k.
      weight_sum: float32, over the same clients.
    """

    vector: Vector
    saturated: tf.Tensor
    hidden: tf.Tensor
    clients: tf.Tensor
    weight_sum: tf.Tensor


def add_ciphertexts(collected: Collected, expected: Context, rules: Rules) -> CipherSum:
    """Adds the ciphertexts of a cohort, without a key.

    Runs on: server.

    Args:
      collected: All uploads.
      expected: The context of the round, but for the key's check.
      rules: As for `collecting.collect`.

    Returns:
      The encrypted sum over the clients whose uploads were taken, all of them under the
      key whose check is in its context.

    Raises:
      InvalidArgumentError: When run, if no upload could be taken, or more than the
        cipher's parameters allow.
    """
    settled = collecting.settle(collected, expected, rules)
    total, clients = settled.sum, tf.size(settled.sum.nonces)
    largest = rules.engine.cipher.max_summands
    checks = [
        tf.debugging.Assert(
            clients >= 1,
            [
                "The cohort is empty: a round needs at least one client that contributes "
                "(its weight positive, its update finite), and whose upload can be "
                "taken. Clients that had nothing to add:",
                settled.idle,
                "Uploads refused:",
                tf.reduce_sum(settled.refusals),
                "by reason:",
                _by_reason(settled.refusals),
            ],
        ),
        tf.debugging.Assert(
            clients <= largest,
            [
                "The cohort has more clients than the cipher adds messages of "
                f"(`max_clients`, or `max_summands` of its parameters, is {largest}): the "
                "sum would not decrypt. Choose parameters for as many. Clients that "
                "contribute:",
                clients,
            ],
        ),
    ]
    with tf.control_dependencies([op for op in checks if op is not None]):
        pending = tf.identity(collecting.pending_rows(total))
    return CipherSum(
        visible_sum=total.visible_sum,
        ciphertext=message.assemble(
            Context(*tf.unstack(total.context)),
            clients,
            tf.constant(0),
            rules.engine.cipher.add(pending),
        ),
        cohort=tf.sort(total.nonces),
        weight_sum=total.weight_sum,
        idle=settled.idle,
        refusals=settled.refusals,
    )


def pick_share(total: CipherSum, rank: tf.Tensor) -> tf.Tensor:
    """The share of the encrypted sum for the client of a rank: string [1 + blocks].

    Runs on: server.

    Args:
      total: The encrypted sum.
      rank: int32, 0 to k; k is the empty share of clients that are not in the sum.
    """
    blocks = tf.size(message.blocks_of(total.ciphertext))
    share = shares.share_of(blocks, rank, tf.size(total.cohort))
    return shares.cut(total.ciphertext, share)


def join_codes(
    total: CipherSum, opened: client.OpenedShare, engine: Engine
) -> tf.Tensor:
    """Puts the opened shares of a sum together.

    Runs on: server. Sees: the published aggregate.

    Args:
      total: The encrypted sum.
      opened: The opened shares of all clients, `rank` [k] and `codes` [k].
      engine: As at encryption.

    Returns:
      `client.sum_dtype` [codes], the sums of codes.

    Raises:
      InvalidArgumentError: When run, if a share is missing.
    """
    clients = tf.size(total.cohort)
    # Those who are not in the sum have an empty share of a rank behind the last.
    ranks = tf.sort(tf.boolean_mask(opened.rank, opened.rank < clients))
    needed = tf.range(clients)
    complete = tf.debugging.Assert(
        tf.logical_and(
            tf.equal(tf.size(ranks), clients),
            tf.reduce_all(tf.equal(ranks[:clients], needed[: tf.size(ranks)])),
        ),
        [
            "Every client whose upload was taken must open its share of the sum, each "
            "one. Shares that came:",
            tf.size(ranks),
            "clients:",
            clients,
            "Clients left the round, or uploads of another execution were sent: run it "
            "again",
        ],
    )
    with tf.control_dependencies([op for op in (complete,) if op is not None]):
        in_order = tf.gather(opened.codes, tf.argsort(opened.rank))
    dtype = client.sum_dtype(engine)
    return tf.map_fn(
        lambda text: tf.io.parse_tensor(text, dtype),
        in_order,
        fn_output_signature=tf.RaggedTensorSpec([None], dtype, ragged_rank=0),
    ).values


def open_released(
    total: CipherSum, released: tf.Tensor, context: Context, engine: Engine
) -> tf.Tensor:
    """Opens a sum whose messages have secrets of their own.

    Runs on: server. Sees: the published aggregate, and the sum of the secrets.

    Args:
      total: The encrypted sum.
      released: int32 [N], the sum of what the clients in it released.
      context: Of the round.
      engine: As at encryption.

    Returns:
      `client.sum_dtype` [codes], the sums of codes.

    Raises:
      InvalidArgumentError: When run, if a client of the sum released nothing.
    """
    codes = engine_lib.open_released(
        engine, released, total.ciphertext, context, tf.size(total.cohort)
    )
    return tf.cast(codes, client.sum_dtype(engine))


def assemble(
    total: CipherSum,
    codes: tf.Tensor,
    mask: Mask,
    bound: tf.Tensor,
    engine: Engine,
) -> OpenedSum:
    """Puts the opened and the visible sum together.

    Runs on: server. Sees: the published aggregate.

    Args:
      total: The encrypted sum.
      codes: Integers [codes], the sums of codes, however they were opened.
      mask: bool [n].
      bound: float32 [] or [m].
      engine: As at encryption.

    Returns:
      The decrypted sum.
    """
    m = tf.math.count_nonzero(mask)
    hidden = engine.codec.decode(tf.cast(codes[:m], tf.int64), bound)
    return OpenedSum(
        vector=client.merge(total.visible_sum, hidden, mask),
        saturated=engine.count_saturated(codes, m),
        hidden=m,
        clients=tf.size(total.cohort),
        weight_sum=tf.cast(engine.number_of(codes, m), tf.float32)
        if engine.more_codes
        else total.weight_sum,
    )


def _by_reason(refusals: tf.Tensor) -> tf.Tensor:
    """Counts [len(Refusal)] as "2 WRONG_RUN, 1 CROWDED_OUT"; "none" without any."""
    counted = tf.strings.join(
        [tf.strings.as_string(refusals), tf.constant([one.name for one in Refusal])],
        " ",
    )
    named = tf.strings.reduce_join(
        tf.boolean_mask(counted, refusals > 0), separator=", "
    )
    return tf.where(tf.reduce_any(refusals > 0), named, "none")


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
