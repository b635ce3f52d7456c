"""The wiring of a round: who computes what, and what crosses between them.

```
Keras model --functional--> client gradient g[n] --> significance scores --> mask[n]
   weights, batch                |                                             |
                                 +-- visible part g[~mask], float32 -----------+-> Upload
                                 +-- hidden part g[mask] -> codes -> encrypt --+
 ========= server boundary: the tap sits here, on every value ====> ServerView ----> attacks
     server      sum of the visible parts, sum of the ciphertexts
     clients     decrypt the sum -> decode -> merge
     server      the published aggregate (`build_reveal_round`), or nothing but the
                 ciphertext of the sum (`build_server_blind_round`)
```
"""

import collections
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from federated import aggregators
from federated.round import announcement, client, collecting, local_work, server
from federated.round.announcement import Announcement
from selenc_tf import flatten
from selenc_tf.lattice import key_store
from selenc_tf.lattice.engine import Engine
from selenc_tf.lattice.key_store import KeySet
from selenc_tf.masks import agreement, wire
from selenc_tf.models import functional


class RoundBroadcast(NamedTuple):
    """The number of the round, int64, where a lone client announces the rest."""

    round: Any


class SumBroadcast(NamedTuple):
    """The encrypted sum that clients open for themselves: what a blind server sends."""

    visible_sum: Any
    ciphertext: Any
    cohort: Any


class BlindResult(NamedTuple):
    """What a server-blind round ends with.

    Attributes:
      state: A `BlindState`, at the server.
      visible_sum: float32 [n - m], at the server.
      ciphertext: string [1 + b], the message with the encrypted sum, at the server.
      gradient: float32 [n], the average gradient, at the clients alone.
    """

    state: Any
    visible_sum: Any
    ciphertext: Any
    gradient: Any


class Round(NamedTuple):
    """A round of federated SGD as TFF computations.

    Attributes:
      initialize: `() -> state@SERVER`.
      next: `(state@SERVER, weights@SERVER, Batch@CLIENTS) -> result`.
    """

    initialize: tff.Computation
    next: tff.Computation


def build_reveal_round(
    model: functional.FunctionalModel,
    factory: tff.aggregators.WeightedAggregationFactory,
    work: local_work.LocalWork | None = None,
) -> Round:
    """One gradient of every client, averaged and published.

    Args:
      model: The model.
      factory: How to average, e.g. `aggregators.selective_encryption(...)`; a client's
        weight is its number of examples.
      work: What clients do on their examples; None for one gradient.

    Returns:
      The round. `next` returns the factory's `MeasuredProcessOutput`, whose `result` is
      the list of averaged gradient tensors.
    """
    weights_type, batch_type = (
        local_work.weights_type(model),
        local_work.batch_type(model),
    )

    @tff.tensorflow.computation(weights_type)
    def to_broadcast(weights: Any) -> Any:
        return local_work.ModelBroadcast(weights)

    @tff.tensorflow.computation(to_broadcast.type_signature.result, batch_type)
    def compute_gradient(sent: Any, batch: Any) -> Any:
        vector = local_work.vector(model, sent.weights, batch, work)
        return list(flatten.unflatten(vector, model.spec))

    @tff.tensorflow.computation(batch_type)
    def count_examples(batch: Any) -> Any:
        return tf.cast(tf.shape(batch.labels)[0], tf.float32)

    aggregator = factory.create(
        compute_gradient.type_signature.result, tff.TensorType(np.float32)
    )

    @tff.federated_computation(
        aggregator.initialize.type_signature.result,
        tff.FederatedType(weights_type, tff.SERVER),
        tff.FederatedType(batch_type, tff.CLIENTS),
    )
    def next_fn(state: Any, weights: Any, batch: Any) -> Any:
        sent = tff.federated_broadcast(tff.federated_map(to_broadcast, weights))
        gradient = tff.federated_map(compute_gradient, (sent, batch))
        return aggregator.next(
            state, gradient, tff.federated_map(count_examples, batch)
        )

    return Round(aggregator.initialize, next_fn)


def build_server_blind_round(
    model: functional.FunctionalModel,
    mask_source: agreement.MaskAgreement | agreement.OwnMask,
    engine: Engine,
    bound: float,
    keys: KeySet,
    work: local_work.LocalWork | None = None,
) -> Round:
    """One gradient of every client, averaged for the clients alone.

    The server adds visible parts and ciphertexts and sends both sums back; clients open
    their own copies. It never learns a hidden entry, not even of the sum, so a cohort of
    one is allowed, and may choose its own mask. An upload that is refused fails the
    round.

    Args:
      model: The model.
      mask_source: An agreement, or `OwnMask` for a cohort of one.
      engine: Makes messages of hidden entries.
      bound: The public bound of every entry.
      keys: Names the key in each client's own key store.
      work: What clients do on their examples; None for one gradient.

    Returns:
      The round. `next` returns a `BlindResult`; the average is unweighted.
    """
    spec = model.spec
    weights_type, batch_type = (
        local_work.weights_type(model),
        local_work.batch_type(model),
    )
    masks = (
        _own_masks(mask_source, model, bound)
        if isinstance(mask_source, agreement.OwnMask)
        else _agreed_masks(mask_source, spec, bound)
    )
    rules = collecting.Rules(engine, keys, spec.size, fail=True)

    @tff.tensorflow.computation(weights_type)
    def to_broadcast(weights: Any) -> Any:
        return local_work.ModelBroadcast(weights)

    @tff.tensorflow.computation(to_broadcast.type_signature.result, batch_type)
    def compute_gradient(sent: Any, batch: Any) -> Any:
        return local_work.vector(model, sent.weights, batch, work)

    @tff.tensorflow.computation(masks.announced_type)
    def read_key(announced: Any) -> Any:
        return key_store.read(keys, engine.cipher, announced.round)

    draw_nonce = tff.tensorflow.computation(client.draw_nonce)
    key_type = read_key.type_signature.result

    @tff.tensorflow.computation(
        compute_gradient.type_signature.result,
        masks.announced_type,
        key_type,
        draw_nonce.type_signature.result,
    )
    def protect(vector: Any, announced: Any, secret_key: Any, nonce: Any) -> Any:
        mask = announcement.mask_of(announced, spec.size)
        return client.protect(
            vector,
            tf.constant(1.0),
            mask,
            announced.bounds[0],
            announcement.context_of(announced, mask, engine, keys),
            secret_key,
            nonce,
            engine,
        )

    sum_of_uploads = aggregators.aggregation_of(
        protect.type_signature.result,
        collecting.nothing_collected,
        lambda collected, upload: collecting.collect(collected, upload, rules),
        collecting.join,
        lambda collected: collected,
    )

    @tff.tensorflow.computation(
        sum_of_uploads.report.type_signature.result, masks.announced_type
    )
    def add_up(collected: Any, announced: Any) -> Any:
        mask = announcement.mask_of(announced, spec.size)
        context = announcement.context_of(announced, mask, engine, keys)
        total = server.add_ciphertexts(collected, context, rules)
        return SumBroadcast(total.visible_sum, total.ciphertext, total.cohort)

    total_type = add_up.type_signature.result

    @tff.tensorflow.computation(key_type, total_type, masks.announced_type)
    def open_average(secret_key: Any, total: Any, announced: Any) -> Any:
        mask = announcement.mask_of(announced, spec.size)
        clients = tf.size(total.cohort)
        vector = client.open_all(
            secret_key,
            total.visible_sum,
            total.ciphertext,
            clients,
            mask,
            announced.bounds[0],
            announcement.context_of(announced, mask, engine, keys),
            engine,
        )
        return vector / tf.cast(clients, tf.float32)

    @tff.tensorflow.computation(total_type)
    def what_stays(total: Any) -> Any:
        return total.visible_sum, total.ciphertext

    @tff.federated_computation
    def init_fn() -> Any:
        return tff.federated_eval(masks.initial_state, tff.SERVER)

    @tff.federated_computation(
        tff.FederatedType(masks.initial_state.type_signature.result, tff.SERVER),
        tff.FederatedType(weights_type, tff.SERVER),
        tff.FederatedType(batch_type, tff.CLIENTS),
    )
    def next_fn(state: Any, weights: Any, batch: Any) -> Any:
        sent = tff.federated_broadcast(tff.federated_map(to_broadcast, weights))
        vector = tff.federated_map(compute_gradient, (sent, batch))
        announced, told, state = masks.choose(state, vector, sent, batch)
        secret_key = tff.federated_map(read_key, told)
        nonce = tff.federated_eval(draw_nonce, tff.CLIENTS)
        upload = tff.federated_map(protect, (vector, told, secret_key, nonce))
        total = tff.federated_map(add_up, (sum_of_uploads.apply(upload), announced))
        opened = tff.federated_map(
            open_average, (secret_key, tff.federated_broadcast(total), told)
        )
        visible_sum, ciphertext = tff.federated_map(what_stays, total)
        return BlindResult(state, visible_sum, ciphertext, opened)

    return Round(init_fn, next_fn)


class BlindState(NamedTuple):
    """What the server keeps from round to round, all of it public.

    Attributes:
      agreement: Of the mask agreement; empty where a lone client chooses.
      round: int64, the number of the next round.
    """

    agreement: Any
    round: Any


class _Masks(NamedTuple):
    """How the clients of a server-blind round come to their mask.

    Attributes:
      initial_state: `() -> state`.
      announced_type: Of an `Announcement`.
      choose: `(state@SERVER, gradient@CLIENTS, ModelBroadcast@CLIENTS, Batch@CLIENTS)
        -> (announcement@SERVER, announcement@CLIENTS, state@SERVER)`.
    """

    initial_state: tff.Computation
    announced_type: tff.Type
    choose: Callable[
        [tff.Value, tff.Value, tff.Value, tff.Value],
        tuple[tff.Value, tff.Value, tff.Value],
    ]


def _agreed_masks(
    source: agreement.MaskAgreement, spec: flatten.FlatSpec, bound: float
) -> _Masks:
    """The server computes the mask from public knowledge and broadcasts it."""

    @tff.tensorflow.computation
    def initial_state() -> Any:
        return BlindState(source.init(spec), tf.constant(0, tf.int64))

    @tff.tensorflow.computation(initial_state.type_signature.result)
    def announce(state: Any) -> Any:
        mask, agreed = source.mask(spec, state.agreement)
        announced = Announcement(wire.pack(mask), state.round, tf.constant([bound]))
        return announced, BlindState(agreed, state.round + 1)

    def choose(
        state: tff.Value, vector: tff.Value, model_sent: tff.Value, batch: tff.Value
    ) -> tuple[tff.Value, tff.Value, tff.Value]:
        del vector, model_sent, batch
        announced, state = tff.federated_map(announce, state)
        return announced, tff.federated_broadcast(announced), state

    return _Masks(initial_state, announce.type_signature.result[0], choose)


def _own_masks(
    source: agreement.OwnMask, model: functional.FunctionalModel, bound: float
) -> _Masks:
    """The only client computes the mask and tells the server."""
    spec, weights_type = model.spec, local_work.weights_type(model)

    @tff.tensorflow.computation
    def initial_state() -> Any:
        return BlindState(collections.OrderedDict(), tf.constant(0, tf.int64))

    state_type = initial_state.type_signature.result

    @tff.tensorflow.computation(state_type)
    def round_of(state: Any) -> Any:
        return RoundBroadcast(state.round)

    @tff.tensorflow.computation(weights_type)
    def to_broadcast(weights: Any) -> Any:
        return local_work.ModelBroadcast(weights)

    @tff.tensorflow.computation(
        round_of.type_signature.result,
        tff.TensorType(np.float32, (spec.size,)),
        to_broadcast.type_signature.result,
        local_work.batch_type(model),
    )
    def choose_mask(sent: Any, vector: Any, model_sent: Any, batch: Any) -> Any:
        context = local_work.score_context(
            model, model_sent.weights, batch, vector, source.seed
        )
        mask = agreement.own_mask(source, spec, context)
        return Announcement(wire.pack(mask), sent.round, tf.constant([bound]))

    announced_type = choose_mask.type_signature.result

    @tff.tensorflow.computation
    def no_masks() -> Any:
        nothing = tf.zeros(announced_type.packed_mask.shape, tf.uint8)
        return tf.constant(0), Announcement(
            nothing, tf.constant(0, tf.int64), tf.constant([bound])
        )

    taken_type = no_masks.type_signature.result

    @tff.tensorflow.computation(taken_type, announced_type)
    def take_mask(taken: Any, announced: Any) -> Any:
        alone = tf.debugging.Assert(
            tf.equal(taken[0], 0),
            [
                "Clients with masks of their own cannot be added up: the cohort must be"
                " one client. Use an agreed mask for several."
            ],
        )
        with tf.control_dependencies([op for op in (alone,) if op is not None]):
            return taken[0] + 1, announced

    @tff.tensorflow.computation(taken_type, taken_type)
    def join(left: Any, right: Any) -> Any:
        # At most one of them holds a mask: a second one would have failed above.
        packed = tf.maximum(left[1].packed_mask, right[1].packed_mask)
        number = tf.maximum(left[1].round, right[1].round)
        return left[0] + right[0], Announcement(packed, number, left[1].bounds)

    @tff.tensorflow.computation(taken_type)
    def report(taken: Any) -> Any:
        return taken[1]

    @tff.tensorflow.computation(announced_type, state_type)
    def next_state(announced: Any, state: Any) -> Any:
        del announced
        return BlindState(state.agreement, state.round + 1)

    def choose(
        state: tff.Value, vector: tff.Value, model_sent: tff.Value, batch: tff.Value
    ) -> tuple[tff.Value, tff.Value, tff.Value]:
        sent = tff.federated_broadcast(tff.federated_map(round_of, state))
        told = tff.federated_map(choose_mask, (sent, vector, model_sent, batch))
        announced = tff.federated_aggregate(told, no_masks(), take_mask, join, report)
        return announced, told, tff.federated_map(next_state, (announced, state))

    return _Masks(initial_state, announced_type, choose)
