"""Rounds of federated SGD: with a published aggregate, and with a blind server.

What the parties compute and what crosses between them is drawn in
`federated/round/upload_phase.py`.
"""

import collections
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from federated.round import (
    client,
    collecting,
    drawing,
    local_work,
    opening,
    upload_phase,
    wiring,
)
from federated.round.announcement import Announcement
from federated.round.upload_phase import Contribution
from selenc_tf import flatten
from selenc_tf.lattice.engine import Engine
from selenc_tf.lattice.key_store import KeySet
from selenc_tf.lattice.per_client import PerClientKeys
from selenc_tf.masks import agreement, wire
from selenc_tf.models.any_model import AnyModel


class RoundBroadcast(NamedTuple):
    """What the server announces where a lone client chooses the mask.

    Attributes:
      run: int64, drawn when the training began.
      round: int64, the number of the round.
    """

    run: Any
    round: Any


class ChosenMask(NamedTuple):
    """A lone client's own mask, uint8 [ceil(n / 8)]."""

    packed_mask: Any


class BlindResult(NamedTuple):
    """What a server-blind round ends with.

    Attributes:
      state: A `BlindState`, at the server.
      visible_sum: float32 [n - m], at the server.
      ciphertext: string [1 + b], the message with the encrypted sum, at the server.
      gradient: float32 [n], the average gradient, at the clients alone.
      saturated: int64, how many entries the codec cut off, of all clients together, at
        the clients alone. If there are any, the average is not that of the gradients.
    """

    state: Any
    visible_sum: Any
    ciphertext: Any
    gradient: Any
    saturated: Any


class Round(NamedTuple):
    """A round of federated SGD as TFF computations.

    Attributes:
      initialize: `() -> state@SERVER`.
      next: `(state@SERVER, weights@SERVER, Batch@CLIENTS) -> result`.
    """

    initialize: tff.Computation
    next: tff.Computation


def build_reveal_round(
    model: AnyModel,
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

    def compute_gradient(
        sent: local_work.ModelBroadcast, batch: local_work.Batch
    ) -> Any:
        vector = local_work.vector(model, sent.weights, batch, work)
        return list(flatten.unflatten(vector, model.spec))

    def count_examples(batch: local_work.Batch) -> tf.Tensor:
        return tf.cast(tf.shape(batch.labels)[0], tf.float32)

    aggregator = factory.create(
        tff.to_type([(np.float32, shape) for shape in model.spec.shapes]),
        tff.TensorType(np.float32),
    )

    @tff.federated_computation(
        aggregator.initialize.type_signature.result, *local_work.placed_types(model)
    )
    def next_fn(state: Any, weights: Any, batch: Any) -> Any:
        gradient = wiring.apply(compute_gradient, local_work.broadcast(weights), batch)
        return aggregator.next(state, gradient, wiring.apply(count_examples, batch))

    return Round(aggregator.initialize, next_fn)


def build_server_blind_round(
    model: AnyModel,
    mask_source: agreement.MaskAgreement | agreement.OwnMask,
    engine: Engine,
    bound: float,
    keys: KeySet | PerClientKeys,
    work: local_work.LocalWork | None = None,
    *,
    fail: bool = True,
) -> Round:
    """One gradient of every client, averaged for the clients alone.

    The server adds visible parts and ciphertexts and sends both sums back; clients open
    their own copies. It never learns a hidden entry, not even of the sum, so a cohort of
    one is allowed, and may choose its own mask. Clients without examples or with an
    update that is not finite are not in the average, but receive it; if there is no
    other, the round fails.

    Args:
      model: The model.
      mask_source: An agreement, or `OwnMask` for a cohort of one.
      engine: Makes messages of hidden entries.
      bound: The public bound of every entry.
      keys: Names the key in each client's own key store.
      work: What clients do on their examples; None for one gradient.
      fail: Whether an upload that is refused fails the round instead of being left out.

    Returns:
      The round. `next` returns a `BlindResult`; the average is unweighted.

    Raises:
      ValueError: If there is no shared key.
    """
    opening.check_shared("The server-blind round", keys, engine)
    spec = model.spec
    masks = (
        _own_masks(mask_source, model, bound)
        if isinstance(mask_source, agreement.OwnMask)
        else _agreed_masks(mask_source, spec, bound)
    )
    rules = collecting.Rules(engine, keys, (spec.size,), fail)

    @tff.tensorflow.computation
    def initial_state() -> Any:
        return BlindState(masks.init(), drawing.draw(), tf.constant(0, tf.int64))

    def contribute(
        sent: local_work.ModelBroadcast, batch: local_work.Batch
    ) -> Contribution:
        vector = local_work.vector(model, sent.weights, batch, work)
        return Contribution(vector, local_work.presence(batch))

    def average(summed: client.OpenedVector, clients: tf.Tensor) -> Any:
        return summed.vector / tf.cast(clients, tf.float32), summed.saturated

    @tff.federated_computation
    def init_fn() -> Any:
        return tff.federated_eval(initial_state, tff.SERVER)

    @tff.federated_computation(
        init_fn.type_signature.result, *local_work.placed_types(model)
    )
    def next_fn(state: Any, weights: Any, batch: Any) -> Any:
        sent = local_work.broadcast(weights)
        own = wiring.apply(contribute, sent, batch)
        announced, told, state = masks.choose(state, own, sent, batch)
        uploaded = upload_phase.run(announced, told, own, rules)
        gradient, saturated = opening.by_everyone(uploaded, rules, 1, average)
        visible_sum, ciphertext = wiring.apply(
            lambda total: (total.visible_sum, total.ciphertext), uploaded.total
        )
        return BlindResult(state, visible_sum, ciphertext, gradient, saturated)

    return Round(init_fn, next_fn)


class BlindState(NamedTuple):
    """What the server keeps from round to round, all of it public.

    Attributes:
      agreement: Of the mask agreement; empty where a lone client chooses.
      run: int64, drawn at the beginning.
      round: int64, the number of the next round.
    """

    agreement: Any
    run: Any
    round: Any


class _Masks(NamedTuple):
    """How the clients of a server-blind round come to their mask.

    Attributes:
      init: `() -> state`, of the agreement.
      choose: `(state@SERVER, Contribution@CLIENTS, ModelBroadcast@CLIENTS, Batch@CLIENTS)
        -> (announcement@SERVER, announcement@CLIENTS, state@SERVER)`, with the whole
        `BlindState`.
    """

    init: Callable[[], Any]
    choose: Callable[
        [tff.Value, tff.Value, tff.Value, tff.Value],
        tuple[tff.Value, tff.Value, tff.Value],
    ]


def _agreed_masks(
    source: agreement.MaskAgreement, spec: flatten.FlatSpec, bound: float
) -> _Masks:
    """The server computes the mask from public knowledge and broadcasts it."""

    def announce(state: BlindState) -> Any:
        mask, agreed = source.mask(spec, state.agreement)
        announced = Announcement(
            wire.pack(mask), state.run, state.round, tf.constant([bound])
        )
        return announced, BlindState(agreed, state.run, state.round + 1)

    def choose(
        state: tff.Value, own: tff.Value, model_sent: tff.Value, batch: tff.Value
    ) -> tuple[tff.Value, tff.Value, tff.Value]:
        del own, model_sent, batch
        announced, state = wiring.apply(announce, state)
        return announced, tff.federated_broadcast(announced), state

    return _Masks(lambda: source.init(spec), choose)


def _own_masks(source: agreement.OwnMask, model: AnyModel, bound: float) -> _Masks:
    """The only client computes the mask and tells the server."""
    spec = model.spec

    def choose_mask(
        sent: RoundBroadcast,
        own: Contribution,
        model_sent: local_work.ModelBroadcast,
        batch: local_work.Batch,
    ) -> ChosenMask:
        context = local_work.score_context(
            model, model_sent.weights, batch, own.vector, source.seed
        )
        return ChosenMask(wire.pack(agreement.own_mask(source, spec, context)))

    def announce(sent: RoundBroadcast, chosen: ChosenMask) -> Announcement:
        return Announcement(
            chosen.packed_mask, sent.run, sent.round, tf.constant([bound])
        )

    def no_masks() -> Any:
        return tf.constant(0), tf.zeros([-(-spec.size // 8)], tf.uint8)

    def take_mask(taken: Any, chosen: ChosenMask) -> Any:
        alone = tf.debugging.Assert(
            tf.equal(taken[0], 0),
            [
                "Clients with masks of their own cannot be added up: the cohort must be"
                " one client. Use an agreed mask for several."
            ],
        )
        with tf.control_dependencies([op for op in (alone,) if op is not None]):
            return taken[0] + 1, chosen.packed_mask

    def join(left: Any, right: Any) -> Any:
        # At most one of them holds a mask: a second one would have failed above.
        return left[0] + right[0], tf.maximum(left[1], right[1])

    def choose(
        state: tff.Value, own: tff.Value, model_sent: tff.Value, batch: tff.Value
    ) -> tuple[tff.Value, tff.Value, tff.Value]:
        begun = wiring.apply(
            lambda state: RoundBroadcast(state.run, state.round), state
        )
        sent = tff.federated_broadcast(begun)
        chosen = wiring.apply(choose_mask, sent, own, model_sent, batch)
        taken = wiring.aggregate(
            chosen, no_masks, take_mask, join, lambda taken: ChosenMask(taken[1])
        )
        next_state = wiring.apply(
            lambda state: BlindState(state.agreement, state.run, state.round + 1), state
        )
        return (
            wiring.apply(announce, begun, taken),
            wiring.apply(announce, sent, chosen),
            next_state,
        )

    return _Masks(collections.OrderedDict, choose)
