"""How uploads come in at the server: judged, added, set aside or refused.

An accumulator knows nothing of the round: TFF hands it one upload after the other and
no server state. So each upload is first judged by itself (is it whole, ours, under our
key?), and the first good one sets the context that the others are added under. Uploads
of another context are set aside, and `settle`, which knows the announcement, decides
which context was the right one and refuses the others with a reason.

Ciphertexts are kept as they came and added `_BATCH` at a time: each is parsed once, and
the sum is not serialised again for every client.
"""

from typing import NamedTuple

import tensorflow as tf

from federated.round.client import Upload, checksum
from selenc_tf.lattice import engine as engine_lib
from selenc_tf.lattice import message
from selenc_tf.lattice.engine import Engine
from selenc_tf.lattice.header import Context, digest_number
from selenc_tf.lattice.key_store import KeySet
from selenc_tf.lattice.refusal import Refusal, must_be_accepted

_BATCH = 8
_CONTEXT_FIELDS = len(Context._fields)


class Collected(NamedTuple):
    """The uploads of a cohort as they come in.

    Attributes:
      context: int64 [7], of the uploads that were added; zeros before the first.
      visible_sum: float32 [n - m], empty before the first upload.
      weight_sum: float32.
      pending: string [p, b], blocks that are still to be added; p is less than `_BATCH`
        while uploads come in one by one.
      nonces: int64 [uploads that were added].
      set_aside: string [d, 2], plain part and message of uploads of another context.
      set_aside_weights: float32 [d].
      set_aside_nonces: int64 [d].
      refusals: int32 [len(Refusal)], uploads by verdict, without those set aside.
    """

    context: tf.Tensor
    visible_sum: tf.Tensor
    weight_sum: tf.Tensor
    pending: tf.Tensor
    nonces: tf.Tensor
    set_aside: tf.Tensor
    set_aside_weights: tf.Tensor
    set_aside_nonces: tf.Tensor
    refusals: tf.Tensor


class Rules(NamedTuple):
    """What is known of every upload before the round begins.

    Attributes:
      engine: What messages are made with.
      keys: The public name of the keys.
      groups: Lengths of the consecutive groups of entries that share a bound; they add
        up to n.
      fail: Whether a refused upload fails the round instead of being left out.
    """

    engine: Engine
    keys: KeySet
    groups: tuple[int, ...]
    fail: bool

    @property
    def num_parameters(self) -> int:
        """The number of entries, n."""
        return sum(self.groups)


def nothing_collected() -> Collected:
    """The accumulator before the first upload."""
    return _any_lengths(
        Collected(
            context=tf.zeros([_CONTEXT_FIELDS], tf.int64),
            visible_sum=tf.zeros([0], tf.float32),
            weight_sum=tf.constant(0.0),
            pending=tf.zeros([0, 0], tf.string),
            nonces=tf.zeros([0], tf.int64),
            set_aside=tf.zeros([0, 2], tf.string),
            set_aside_weights=tf.zeros([0], tf.float32),
            set_aside_nonces=tf.zeros([0], tf.int64),
            refusals=tf.zeros([len(Refusal)], tf.int32),
        )
    )


def collect(collected: Collected, upload: Upload, rules: Rules) -> Collected:
    """Takes in one upload.

    Runs on: server.

    Args:
      collected: What came before.
      upload: The next one, whatever it is.
      rules: What it must keep to.

    Returns:
      The accumulator with it.

    Raises:
      InvalidArgumentError: When run, if the upload is refused and `rules.fail`; the
        text names the reason.
    """
    verdict = _judge_alone(upload, rules)
    context = tf.stack(message.header_of(upload.ciphertext).context)
    first = tf.equal(tf.size(collected.nonces), 0)
    same = first | tf.reduce_all(tf.equal(context, collected.context))
    if rules.fail:
        with tf.control_dependencies([must_be_accepted(verdict)]):
            verdict = tf.identity(verdict)
    refused = tf.not_equal(verdict, int(Refusal.ACCEPTED))
    action = tf.where(refused, 0, tf.where(same, 1, 2))
    return _any_lengths(
        tf.switch_case(
            action,
            [
                lambda: _any_lengths(_refuse(collected, verdict)),
                lambda: _any_lengths(
                    _add_when_full(_take(collected, upload, context), rules.engine)
                ),
                lambda: _any_lengths(_set_aside(collected, upload)),
            ],
        )
    )


def join(left: Collected, right: Collected) -> Collected:
    """Joins two accumulators (a runtime with several workers needs this).

    Runs on: server.

    Raises:
      InvalidArgumentError: When run, if both hold sums, of different contexts.
    """
    left_empty = tf.equal(tf.size(left.nonces), 0)
    right_empty = tf.equal(tf.size(right.nonces), 0)
    alike = tf.debugging.Assert(
        left_empty | right_empty | tf.reduce_all(tf.equal(left.context, right.context)),
        ["Two workers hold sums of different rounds or masks: run the round again"],
    )
    with tf.control_dependencies([op for op in (alike,) if op is not None]):
        left_empty = tf.identity(left_empty)

    def together() -> Collected:
        return left._replace(
            visible_sum=left.visible_sum + right.visible_sum,
            weight_sum=left.weight_sum + right.weight_sum,
            pending=tf.concat([left.pending, right.pending], axis=0),
            nonces=tf.concat([left.nonces, right.nonces], axis=0),
        )

    summed = tf.case(
        [
            (left_empty, lambda: _any_lengths(right)),
            (right_empty, lambda: _any_lengths(left)),
        ],
        default=lambda: _any_lengths(together()),
    )
    return _any_lengths(
        summed._replace(
            set_aside=tf.concat([left.set_aside, right.set_aside], axis=0),
            set_aside_weights=tf.concat(
                [left.set_aside_weights, right.set_aside_weights], axis=0
            ),
            set_aside_nonces=tf.concat(
                [left.set_aside_nonces, right.set_aside_nonces], axis=0
            ),
            refusals=left.refusals + right.refusals,
        )
    )


def settle(collected: Collected, expected: Context, rules: Rules) -> Collected:
    """Keeps the uploads of this round's context and refuses all others.

    Runs on: server.

    Args:
      collected: All uploads.
      expected: The context of the round.
      rules: As for `collect`.

    Returns:
      An accumulator with nothing set aside; its context is the expected one.

    Raises:
      InvalidArgumentError: When run, if an upload is refused and `rules.fail`.
    """
    right_one = tf.stack(expected)
    count = tf.size(collected.nonces)
    matches = tf.equal(count, 0) | tf.reduce_all(tf.equal(collected.context, right_one))
    start = tf.cond(
        matches,
        lambda: _any_lengths(collected),
        lambda: _any_lengths(
            nothing_collected()._replace(
                refusals=collected.refusals
                + count * _one_hot(_difference(collected.context, expected))
            )
        ),
    )._replace(context=right_one)

    def again(index: tf.Tensor, so_far: Collected) -> tuple[tf.Tensor, Collected]:
        plain = tf.io.parse_tensor(collected.set_aside[index, 0], tf.float32)
        ciphertext = tf.io.parse_tensor(collected.set_aside[index, 1], tf.string)
        ciphertext = tf.ensure_shape(ciphertext, [None])
        weight = collected.set_aside_weights[index]
        nonce = collected.set_aside_nonces[index]
        plain = tf.ensure_shape(plain, [None])
        upload = Upload(
            plain, ciphertext, weight, nonce, checksum(plain, weight, nonce)
        )
        context = tf.stack(message.header_of(ciphertext).context)
        verdict = _difference(context, expected)
        return index + 1, tf.cond(
            tf.equal(verdict, int(Refusal.ACCEPTED)),
            # There is seldom one, so they may wait to be added with the others.
            lambda: _any_lengths(_take(so_far, upload, context)),
            lambda: _any_lengths(_refuse(so_far, verdict)),
        )

    many = tf.shape(collected.set_aside)[0]
    shapes = tf.nest.map_structure(lambda part: part.shape, _any_lengths(start))
    _, settled = tf.while_loop(
        lambda index, _: index < many,
        again,
        (tf.constant(0), _any_lengths(start)),
        shape_invariants=(tf.TensorShape([]), shapes),
        parallel_iterations=1,
    )
    if rules.fail:
        others = tf.argmax(settled.refusals, output_type=tf.int32)
        verdict = tf.where(tf.reduce_any(settled.refusals > 0), others, 0)
        with tf.control_dependencies([must_be_accepted(verdict)]):
            settled = tf.nest.map_structure(tf.identity, settled)
    return settled


def _judge_alone(upload: Upload, rules: Rules) -> tf.Tensor:
    """What can be said of an upload without knowing the round: int32, a `Refusal`."""
    engine, found = rules.engine, message.header_of(upload.ciphertext).context
    own = found._replace(
        parameters=tf.constant(digest_number(engine.cipher.digest), tf.int64),
        codec=tf.constant(digest_number(engine.codec.digest()), tf.int64),
        key_id=tf.constant(digest_number(rules.keys.key_id), tf.int64),
    )
    verdict = engine_lib.judge(
        engine, upload.ciphertext, own, 1, 0, engine.num_blocks(own.values)
    )
    hidden = tf.maximum(found.values - 1, 0)
    plain_part = message.first_refusal(
        {
            Refusal.WRONG_PLAIN_PART: tf.not_equal(
                tf.size(upload.plain, tf.int64) + hidden, rules.num_parameters
            ),
            Refusal.CORRUPTED: tf.not_equal(
                upload.checksum, checksum(upload.plain, upload.weight, upload.nonce)
            ),
        }
    )
    return tf.where(tf.equal(verdict, int(Refusal.ACCEPTED)), plain_part, verdict)


def _difference(found: tf.Tensor, expected: Context) -> tf.Tensor:
    return message.first_refusal(
        message.differences(Context(*tf.unstack(found)), expected)
    )


def _take(collected: Collected, upload: Upload, context: tf.Tensor) -> Collected:
    first = tf.equal(tf.size(collected.nonces), 0)
    blocks = message.blocks_of(upload.ciphertext)[tf.newaxis]
    # Starting from zeros, not from the first vector, is what a plain federated sum
    # does: -0.0 becomes 0.0 in both.
    so_far = tf.cond(
        first, lambda: tf.zeros_like(upload.plain), lambda: collected.visible_sum
    )
    pending = tf.cond(
        first,
        lambda: blocks,
        lambda: tf.concat([collected.pending, blocks], axis=0),
    )
    return collected._replace(
        context=context,
        visible_sum=so_far + upload.plain,
        weight_sum=collected.weight_sum + upload.weight,
        pending=pending,
        nonces=tf.concat([collected.nonces, [upload.nonce]], axis=0),
    )


def _set_aside(collected: Collected, upload: Upload) -> Collected:
    row = [
        tf.io.serialize_tensor(upload.plain),
        tf.io.serialize_tensor(upload.ciphertext),
    ]
    return collected._replace(
        set_aside=tf.concat([collected.set_aside, [row]], axis=0),
        set_aside_weights=tf.concat(
            [collected.set_aside_weights, [upload.weight]], axis=0
        ),
        set_aside_nonces=tf.concat(
            [collected.set_aside_nonces, [upload.nonce]], axis=0
        ),
    )


def _refuse(collected: Collected, verdict: tf.Tensor) -> Collected:
    return collected._replace(refusals=collected.refusals + _one_hot(verdict))


def _one_hot(verdict: tf.Tensor) -> tf.Tensor:
    return tf.one_hot(verdict, len(Refusal), dtype=tf.int32)


def _add_when_full(collected: Collected, engine: Engine) -> Collected:
    """Adds what is pending once it is a batch."""
    pending = tf.cond(
        tf.shape(collected.pending)[0] >= _BATCH,
        lambda: engine.cipher.add(collected.pending)[tf.newaxis],
        lambda: collected.pending,
    )
    return collected._replace(pending=pending)


def _any_lengths(collected: Collected) -> Collected:
    """Forgets static lengths, so that an accumulator has one type from start to end."""

    def forget(tensor: tf.Tensor, shape: list[int | None]) -> tf.Tensor:
        return tf.raw_ops.PlaceholderWithDefault(input=tensor, shape=shape)

    return Collected(
        context=tf.ensure_shape(collected.context, [_CONTEXT_FIELDS]),
        visible_sum=forget(collected.visible_sum, [None]),
        weight_sum=collected.weight_sum,
        pending=forget(collected.pending, [None, None]),
        nonces=forget(collected.nonces, [None]),
        set_aside=forget(collected.set_aside, [None, 2]),
        set_aside_weights=forget(collected.set_aside_weights, [None]),
        set_aside_nonces=forget(collected.set_aside_nonces, [None]),
        refusals=tf.ensure_shape(collected.refusals, [len(Refusal)]),
    )
