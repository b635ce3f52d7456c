"""How uploads come in at the server: judged, counted apart, added or refused.

An accumulator knows nothing of the round: TFF hands it one upload after the other and
no server state. So each upload is judged by itself first (is it whole, ours, under a key
of our name?), and what it says that it is of, its *context*, decides to which sum it is
added. There are a few sums, one for each context that came up, and what is of still
another one is refused at once: stale or foreign uploads take no more memory than a sum,
however many they are and whenever they come. `settle`, which knows the announcement,
takes the right sum and refuses the others, each for its reason.

Which key a message is under shows in its context too (`key_check`). The server cannot
know the right key, so of the sums of this round that with the most uploads is taken.

Ciphertexts are kept as they came, each in a place of its own, and added `_BATCH` at a
time: each is copied and parsed once, and the sum is not serialised again for every client.
Where there are several sums, each upload is added as it comes.
"""

from typing import NamedTuple

import tensorflow as tf

from federated.round import client
from federated.round.client import Upload
from selenc_tf.lattice import engine as engine_lib
from selenc_tf.lattice import message
from selenc_tf.lattice.engine import Engine
from selenc_tf.lattice.header import Context, digest_number
from selenc_tf.lattice.key_store import KeySet
from selenc_tf.lattice.per_client import PerClientKeys
from selenc_tf.lattice.refusal import Refusal, must_be_accepted

_BATCH = 8
_SUMS = 3
_CONTEXT_FIELDS = len(Context._fields)


class Sum(NamedTuple):
    """The uploads of one context.

    Attributes:
      context: int64 [9]; zeros before the first upload.
      visible_sum: float32 [n - m], empty before the first upload.
      weight_sum: float32.
      pending: `_BATCH` of string [b], messages that are still to be added; free places,
        string [0], are behind them.
      held: int32, how many of them there are.
      nonces: int64 [k], of the uploads.
    """

    context: tf.Tensor
    visible_sum: tf.Tensor
    weight_sum: tf.Tensor
    pending: tuple[tf.Tensor, ...]
    held: tf.Tensor
    nonces: tf.Tensor


class Collected(NamedTuple):
    """The uploads of a cohort as they come in.

    Attributes:
      sums: `_SUMS` of them, in the order in which their contexts came up.
      idle: int32, clients that had nothing to add.
      refusals: int32 [len(Refusal)], uploads that are in no sum, by verdict.
    """

    sums: tuple[Sum, ...]
    idle: tf.Tensor
    refusals: tf.Tensor


class Settled(NamedTuple):
    """The uploads of a round.

    Attributes:
      sum: Of those that were taken.
      idle: int32, clients that had nothing to add.
      refusals: int32 [len(Refusal)], the others by verdict.
    """

    sum: Sum
    idle: tf.Tensor
    refusals: tf.Tensor


class Rules(NamedTuple):
    """What is known of every upload before the round begins.

    Attributes:
      engine: What messages are made with.
      keys: The public name of the keys, or that there are none.
      groups: Lengths of the consecutive groups of entries that share a bound; they add
        up to n.
      fail: Whether a refused upload fails the round instead of being left out.
    """

    engine: Engine
    keys: KeySet | PerClientKeys
    groups: tuple[int, ...]
    fail: bool

    @property
    def num_parameters(self) -> int:
        """The number of entries, n."""
        return sum(self.groups)

    @property
    def shared_keys(self) -> KeySet:
        """The name of the keys that clients share.

        Raises:
          TypeError: If they share none.
        """
        if isinstance(self.keys, PerClientKeys):
            raise TypeError(
                "`keys` must name a key that clients share where clients open the sum, "
                "got `PerClientKeys`. Take a `KeySet`."
            )
        return self.keys


def nothing_collected() -> Collected:
    """The accumulator before the first upload."""
    return _any_lengths(
        Collected(
            sums=(_nothing(),) * _SUMS,
            idle=tf.constant(0),
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
    intact = tf.equal(upload.checksum, client.checksum(upload))
    idle = intact & tf.logical_not(upload.contributes)
    alone = _judge_alone(upload, intact, rules)
    known = tf.concat([one.nonces for one in collected.sums], 0)
    again = tf.reduce_any(tf.equal(known, upload.nonce))
    alone = tf.where(
        again & tf.equal(alone, int(Refusal.ACCEPTED)), int(Refusal.DUPLICATE), alone
    )
    verdict = tf.where(idle, int(Refusal.ACCEPTED), alone)
    if rules.fail:
        with tf.control_dependencies([must_be_accepted(verdict)]):
            verdict = tf.identity(verdict)
    taken = ~idle & tf.equal(verdict, int(Refusal.ACCEPTED))
    one = Sum(
        context=tf.stack(message.header_of(upload.ciphertext).context),
        visible_sum=upload.plain,
        weight_sum=upload.weight,
        pending=(message.blocks_of(upload.ciphertext), *_free(_BATCH - 1)),
        held=tf.constant(1),
        nonces=upload.nonce[tf.newaxis],
    )
    counted = _refuse(collected, verdict, tf.cast(~idle & ~taken, tf.int32))
    return _any_lengths(
        _put(
            counted._replace(idle=collected.idle + tf.cast(idle, tf.int32)),
            one,
            tf.cast(taken, tf.int32),
            rules.engine,
        )
    )


def join(left: Collected, right: Collected, rules: Rules) -> Collected:
    """Joins two accumulators (a runtime with several workers needs this).

    Runs on: server.
    """
    joined = left._replace(
        idle=left.idle + right.idle, refusals=left.refusals + right.refusals
    )

    def put(index: tf.Tensor, so_far: Collected) -> tuple[tf.Tensor, Collected]:
        one = _nth(right.sums, index)
        added = _put(so_far, one, tf.size(one.nonces), rules.engine)
        return index + 1, _any_lengths(added)

    start = _any_lengths(joined)
    _, joined = tf.while_loop(
        lambda index, _: index < _SUMS,
        put,
        (tf.constant(0), start),
        shape_invariants=(
            tf.TensorShape([]),
            tf.nest.map_structure(lambda part: part.shape, start),
        ),
        parallel_iterations=1,
    )
    return _any_lengths(joined)


def pending_rows(one: Sum) -> tf.Tensor:
    """The messages of a sum that are still to be added: string [p, b]."""
    return _rows(one.pending, one.held)


def settle(collected: Collected, expected: Context, rules: Rules) -> Settled:
    """Takes the sum of this round's context and refuses all other uploads.

    Runs on: server.

    Args:
      collected: All uploads.
      expected: The context of the round, but for the key's check.
      rules: As for `collect`.

    Returns:
      The sum with its context, and who is not in it.

    Raises:
      InvalidArgumentError: When run, if an upload is refused and `rules.fail`.
    """
    counts = [tf.size(one.nonces) for one in collected.sums]
    verdicts = [_difference(one.context, expected) for one in collected.sums]
    fitting = tf.stack(
        [
            tf.where(tf.equal(verdict, int(Refusal.ACCEPTED)), count, 0)
            for verdict, count in zip(verdicts, counts, strict=True)
        ]
    )
    # Of equally many the sum that was begun first.
    best = tf.argmax(fitting, output_type=tf.int32)
    none = tf.equal(fitting[best], 0)
    settled = collected
    for index, (verdict, count) in enumerate(zip(verdicts, counts, strict=True)):
        under_another_key = tf.equal(verdict, int(Refusal.ACCEPTED)) & (best != index)
        reason = tf.where(under_another_key, int(Refusal.WRONG_KEY), verdict)
        taken = ~none & tf.equal(best, index)
        settled = _refuse(settled, reason, tf.where(taken, 0, count))
    chosen = _nth(collected.sums, tf.where(none, _SUMS, best))
    if rules.fail:
        most = tf.argmax(settled.refusals, output_type=tf.int32)
        verdict = tf.where(tf.reduce_any(settled.refusals > 0), most, 0)
        with tf.control_dependencies([must_be_accepted(verdict)]):
            chosen = tf.nest.map_structure(tf.identity, chosen)
    return Settled(_any_length(chosen), settled.idle, settled.refusals)


def _judge_alone(upload: Upload, intact: tf.Tensor, rules: Rules) -> tf.Tensor:
    """What can be said of an upload without knowing the round: int32, a `Refusal`."""
    engine, found = rules.engine, message.header_of(upload.ciphertext).context
    own = found._replace(
        parameters=tf.constant(digest_number(engine.cipher.digest), tf.int64),
        codec=tf.constant(digest_number(engine.codec.digest()), tf.int64),
        key_id=tf.constant(digest_number(rules.keys.key_id), tf.int64),
    )
    verdict = engine_lib.judge(
        engine,
        upload.ciphertext,
        own,
        1,
        0,
        engine.num_blocks(own.values),
        upload=True,
    )
    hidden = rules.num_parameters - tf.size(upload.plain, tf.int64)
    clear_part = message.first_refusal(
        {
            Refusal.WRONG_PLAIN_PART: (hidden < 0)
            | tf.not_equal(engine.num_codes(hidden), found.values),
            Refusal.CORRUPTED: ~intact,
            Refusal.WRONG_WEIGHT: ~client.positive(upload.weight),
        }
    )
    return tf.where(tf.equal(verdict, int(Refusal.ACCEPTED)), clear_part, verdict)


def _difference(found: tf.Tensor, expected: Context) -> tf.Tensor:
    """Why a context is not that of this round, whatever its key's check is."""
    context = Context(*tf.unstack(found))
    return message.first_refusal(
        message.differences(context, expected._replace(key_check=context.key_check))
    )


def _put(collected: Collected, one: Sum, count: tf.Tensor, engine: Engine) -> Collected:
    """Adds `count` uploads of one context to its sum, if there is room and any."""
    used = tf.stack([tf.size(there.nonces) > 0 for there in collected.sums])
    same = used & tf.stack(
        [
            tf.reduce_all(tf.equal(there.context, one.context))
            for there in collected.sums
        ]
    )
    # Free sums are behind those in use.
    place = tf.where(
        tf.reduce_any(same),
        tf.argmax(tf.cast(same, tf.int32), output_type=tf.int32),
        tf.math.count_nonzero(used, dtype=tf.int32),
    )
    place = tf.where(count > 0, place, _SUMS)
    limit = tf.where(tf.reduce_all(~used | same), _BATCH, 2)
    both = _any_length(_added(_nth(collected.sums, place), one, limit, engine))

    def with_both(index: int) -> tuple[Sum, ...]:
        return (*collected.sums[:index], both, *collected.sums[index + 1 :])

    sums = tf.switch_case(
        place,
        [
            *(lambda index=index: with_both(index) for index in range(_SUMS)),
            lambda: collected.sums,
        ],
    )
    left_over = tf.where(tf.equal(place, _SUMS), count, 0)
    return _refuse(
        collected._replace(sums=sums), tf.constant(int(Refusal.CROWDED_OUT)), left_over
    )


def _nth(sums: tuple[Sum, ...], index: tf.Tensor) -> Sum:
    """One of the sums, or, behind the last of them, an empty one."""
    choices = (*sums, _nothing())
    return tf.switch_case(index, [lambda one=one: _any_length(one) for one in choices])


def _added(there: Sum, one: Sum, limit: tf.Tensor, engine: Engine) -> Sum:
    """The uploads of both; their ciphertexts are added once they are `limit`."""
    # Starting from zeros, not from the first vector, is what a plain federated sum
    # does: -0.0 becomes 0.0 in both.
    so_far = tf.cond(
        tf.equal(tf.size(there.nonces), 0),
        lambda: tf.zeros_like(one.visible_sum),
        lambda: there.visible_sum,
    )
    held = there.held + one.held
    full = held >= limit

    def added() -> tuple[tf.Tensor, ...]:
        total = engine.cipher.add(_rows((*there.pending, *one.pending), held))
        return (total, *_free(_BATCH - 1))

    def beside() -> tuple[tf.Tensor, ...]:
        places: tuple[tf.Tensor, ...] = tf.switch_case(
            there.held,
            [
                lambda used=used: (
                    *there.pending[:used],
                    *one.pending[: _BATCH - used],
                )
                for used in range(_BATCH)
            ],
        )
        return places

    return Sum(
        context=one.context,
        visible_sum=so_far + one.visible_sum,
        weight_sum=there.weight_sum + one.weight_sum,
        pending=tf.cond(full, added, beside),
        held=tf.where(full, 1, held),
        nonces=tf.concat([there.nonces, one.nonces], axis=0),
    )


def _rows(places: tuple[tf.Tensor, ...], held: tf.Tensor) -> tf.Tensor:
    """What stands in places, `held` of which are not free: string [held, b]."""
    blocks = tf.concat(places, axis=0)
    return tf.reshape(blocks, [held, tf.size(blocks) // tf.maximum(held, 1)])


def _free(count: int) -> tuple[tf.Tensor, ...]:
    return (tf.zeros([0], tf.string),) * count


def _refuse(collected: Collected, verdict: tf.Tensor, count: tf.Tensor) -> Collected:
    counted = count * tf.one_hot(verdict, len(Refusal), dtype=tf.int32)
    return collected._replace(refusals=collected.refusals + counted)


def _nothing() -> Sum:
    return Sum(
        context=tf.zeros([_CONTEXT_FIELDS], tf.int64),
        visible_sum=tf.zeros([0], tf.float32),
        weight_sum=tf.constant(0.0),
        pending=_free(_BATCH),
        held=tf.constant(0),
        nonces=tf.zeros([0], tf.int64),
    )


def _any_lengths(collected: Collected) -> Collected:
    """Forgets static lengths, so that an accumulator has one type from start to end."""
    return Collected(
        sums=tuple(_any_length(one) for one in collected.sums),
        idle=collected.idle,
        refusals=tf.ensure_shape(collected.refusals, [len(Refusal)]),
    )


def _any_length(one: Sum) -> Sum:
    def forget(tensor: tf.Tensor, shape: list[int | None]) -> tf.Tensor:
        return tf.raw_ops.PlaceholderWithDefault(input=tensor, shape=shape)

    return Sum(
        context=tf.ensure_shape(one.context, [_CONTEXT_FIELDS]),
        visible_sum=forget(one.visible_sum, [None]),
        weight_sum=one.weight_sum,
        pending=tuple(forget(place, [None]) for place in one.pending),
        held=tf.ensure_shape(one.held, []),
        nonces=forget(one.nonces, [None]),
    )
