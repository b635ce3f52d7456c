"""Rounds in which a cohort agrees on a mask before it trains: the wiring.

```
SERVER                                  | CLIENTS
weights --------------------------------|-> scores of the own gradient and examples
                                        |      score sum:  encrypt them
add <-----------------------------------|--    lists, union: what they would hide
sum of the scores, encrypted -----------|-> score sum: decrypt, choose the mask
the mask <------------------------------|-- score sum: the mask, the same from everyone
```

What crosses the line is in the table of `mask_consensus.py`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from federated import aggregators
from federated.processes import SumBroadcast
from federated.round import (
    announcement,
    client,
    collecting,
    local_work,
    mask_consensus,
    server,
)
from federated.round.announcement import Announcement
from selenc_tf.lattice import key_store
from selenc_tf.lattice.engine import Engine
from selenc_tf.lattice.key_store import KeySet
from selenc_tf.masks import wire
from selenc_tf.masks.policy import MaskPolicy
from selenc_tf.models.functional import FunctionalModel
from selenc_tf.significance.context import SignificanceFn
from selenc_tf.types import Seed

_BOUND = 1.0
"""Of a score, which is a share of the client's largest."""


class AgreedMask(NamedTuple):
    """What a mask round ends with, at the server.

    Attributes:
      packed_mask: uint8 [ceil(n / 8)], see `selenc_tf/masks/wire.py`.
      hidden: int64, m.
      clients: int32, k.
    """

    packed_mask: Any
    hidden: Any
    clients: Any


class MaskProposal(NamedTuple):
    """What a client would hide: uint8 [ceil(n / 8)]."""

    packed_mask: Any


class ListProposal(NamedTuple):
    """What a client would hide, most significant first: int32 [m]."""

    indices: Any


class MaskRound(NamedTuple):
    """A protocol by which a cohort agrees on a mask.

    Attributes:
      name: As results report it.
      reveals: What the server learns besides the mask, in words.
      run: `(weights@SERVER, Batch@CLIENTS) -> AgreedMask@SERVER`.
    """

    name: str
    reveals: str
    run: tff.Computation


class Scoring(NamedTuple):
    """What every client scores by.

    Attributes:
      model: The model.
      significance: The metric, on the client's own gradient and examples.
      policy: Turns scores into a mask; what it would remember is forgotten.
      seed: Two int32, public.
    """

    model: FunctionalModel
    significance: SignificanceFn
    policy: MaskPolicy
    seed: Seed


def build_score_sum(
    scoring: Scoring, engine: Engine, keys: KeySet, min_clients: int = 2
) -> MaskRound:
    """Agrees by the encrypted sum of all clients' scores.

    Every client scales its scores to its own largest one, encrypts all of them, opens
    the sum and takes the highest. The server adds ciphertexts and ends with the mask.
    The protocol of Jin et al., "FedML-HE" (arXiv:2303.10837), with maps of equal weight.

    Args:
      scoring: What clients score by.
      engine: Encrypts scores; its codec should have many bits, or small scores tie.
      keys: Names the key in each client's own key store. It must not be that of another
        process: its messages would have the same context.
      min_clients: The smallest cohort whose sum clients are willing to open.

    Returns:
      The round. An upload that is refused fails it.
    """
    spec = scoring.model.spec
    wiring = _Wiring(scoring)
    rules = collecting.Rules(engine, keys, spec.size, fail=True)

    def announced() -> Announcement:
        everything = wire.pack(tf.ones([spec.size], tf.bool))
        return Announcement(everything, tf.constant(0, tf.int64), tf.constant([_BOUND]))

    def context() -> Any:
        everything = tf.ones([spec.size], tf.bool)
        return announcement.context_of(announced(), everything, engine, keys)

    @tff.tensorflow.computation
    def read_key() -> Any:
        return key_store.read(keys, engine.cipher, tf.constant(0, tf.int64))

    draw_nonce = tff.tensorflow.computation(client.draw_nonce)
    key_type = read_key.type_signature.result
    nonce_type = draw_nonce.type_signature.result

    @tff.tensorflow.computation(
        wiring.sent_type, wiring.batch_type, key_type, nonce_type
    )
    def protect(sent: Any, batch: Any, secret_key: Any, nonce: Any) -> Any:
        return client.protect(
            mask_consensus.share_of_largest(wiring.scores(sent, batch)),
            tf.constant(1.0),
            tf.ones([spec.size], tf.bool),
            tf.constant(_BOUND),
            context(),
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

    @tff.tensorflow.computation(sum_of_uploads.report.type_signature.result)
    def add_up(collected: Any) -> Any:
        total = server.add_ciphertexts(collected, context(), rules)
        return SumBroadcast(total.visible_sum, total.ciphertext, total.cohort)

    @tff.tensorflow.computation(key_type, nonce_type, add_up.type_signature.result)
    def choose(secret_key: Any, nonce: Any, total: Any) -> Any:
        rank = client.find_rank(nonce, total.cohort, min_clients)
        with tf.control_dependencies([rank]):
            summed = client.open_all(
                secret_key,
                total.visible_sum,
                total.ciphertext,
                tf.size(total.cohort),
                tf.ones([spec.size], tf.bool),
                tf.constant(_BOUND),
                context(),
                engine,
            )
        mask, _ = scoring.policy.update(spec, summed, scoring.policy.init(spec))
        return MaskProposal(wire.pack(mask))

    settle = _collect_masks(
        choose.type_signature.result, spec.size, mask_consensus.the_only_mask
    )

    @tff.federated_computation(*wiring.placed)
    def run(weights: Any, batch: Any) -> Any:
        sent = tff.federated_broadcast(tff.federated_map(wiring.to_broadcast, weights))
        secret_key = tff.federated_eval(read_key, tff.CLIENTS)
        nonce = tff.federated_eval(draw_nonce, tff.CLIENTS)
        upload = tff.federated_map(protect, (sent, batch, secret_key, nonce))
        total = tff.federated_map(add_up, sum_of_uploads.apply(upload))
        chosen = tff.federated_map(
            choose, (secret_key, nonce, tff.federated_broadcast(total))
        )
        return settle.apply(chosen)

    return MaskRound("score_sum", "nothing but the mask", run)


def build_interleaved_lists(scoring: Scoring) -> MaskRound:
    """Agrees by taking from all clients' lists in turn, until the budget is used up.

    Args:
      scoring: What clients score by.

    Returns:
      The round; nothing in it is encrypted.
    """
    spec = scoring.model.spec
    wiring = _Wiring(scoring)
    m = scoring.policy.num_hidden(spec)

    @tff.tensorflow.computation(wiring.sent_type, wiring.batch_type)
    def propose(sent: Any, batch: Any) -> Any:
        scores = wiring.scores(sent, batch)
        mask, _ = scoring.policy.update(spec, scores, scoring.policy.init(spec))
        return ListProposal(
            tf.ensure_shape(mask_consensus.ordered_list(scores, mask), [m])
        )

    settle = aggregators.aggregation_of(
        propose.type_signature.result,
        lambda: _of_any_length(tf.zeros([0, m], tf.int32)),
        lambda lists, one: _of_any_length(tf.concat([lists, [one.indices]], axis=0)),
        lambda left, right: _of_any_length(tf.concat([left, right], axis=0)),
        lambda lists: _agreed(mask_consensus.interleave(lists, spec.size), lists),
    )

    @tff.federated_computation(*wiring.placed)
    def run(weights: Any, batch: Any) -> Any:
        sent = tff.federated_broadcast(tff.federated_map(wiring.to_broadcast, weights))
        return settle.apply(tff.federated_map(propose, (sent, batch)))

    return MaskRound(
        "interleaved_lists", "the order of every client's most significant entries", run
    )


def build_union(scoring: Scoring) -> MaskRound:
    """Agrees by hiding what any client wants to hide: up to k times the budget.

    Args:
      scoring: What clients score by.

    Returns:
      The round; nothing in it is encrypted.
    """
    spec = scoring.model.spec
    wiring = _Wiring(scoring)

    @tff.tensorflow.computation(wiring.sent_type, wiring.batch_type)
    def propose(sent: Any, batch: Any) -> Any:
        mask, _ = scoring.policy.update(
            spec, wiring.scores(sent, batch), scoring.policy.init(spec)
        )
        return MaskProposal(wire.pack(mask))

    settle = _collect_masks(
        propose.type_signature.result, spec.size, mask_consensus.unite
    )

    @tff.federated_computation(*wiring.placed)
    def run(weights: Any, batch: Any) -> Any:
        sent = tff.federated_broadcast(tff.federated_map(wiring.to_broadcast, weights))
        return settle.apply(tff.federated_map(propose, (sent, batch)))

    return MaskRound("union", "every client's own mask", run)


class _Wiring:
    """What all mask rounds begin with."""

    def __init__(self, scoring: Scoring):
        model = scoring.model
        weights_type = local_work.weights_type(model)
        self._scoring = scoring
        self.batch_type = local_work.batch_type(model)
        self.placed = (
            tff.FederatedType(weights_type, tff.SERVER),
            tff.FederatedType(self.batch_type, tff.CLIENTS),
        )
        self.to_broadcast = tff.tensorflow.computation(
            lambda weights: local_work.ModelBroadcast(weights), weights_type
        )
        self.sent_type = self.to_broadcast.type_signature.result

    def scores(self, sent: Any, batch: Any) -> tf.Tensor:
        """The client's scores: float32 [n]."""
        model, seed = self._scoring.model, self._scoring.seed
        own = local_work.gradient(model, sent.weights, batch)
        return self._scoring.significance(
            local_work.score_context(model, sent.weights, batch, own, seed)
        )


def _collect_masks(
    proposal_type: tff.Type, n: int, settle: Callable[[tf.Tensor, int], tf.Tensor]
) -> aggregators.Aggregation:
    """Collects every client's proposal and settles them into one mask."""
    width = -(-n // 8)
    return aggregators.aggregation_of(
        proposal_type,
        lambda: _of_any_length(tf.zeros([0, width], tf.uint8)),
        lambda masks, one: _of_any_length(
            tf.concat([masks, [one.packed_mask]], axis=0)
        ),
        lambda left, right: _of_any_length(tf.concat([left, right], axis=0)),
        lambda masks: _agreed(settle(masks, n), masks),
    )


def _agreed(mask: tf.Tensor, proposals: tf.Tensor) -> AgreedMask:
    return AgreedMask(
        packed_mask=wire.pack(mask),
        hidden=tf.math.count_nonzero(mask),
        clients=tf.shape(proposals)[0],
    )


def _of_any_length(rows: tf.Tensor) -> tf.Tensor:
    """Forgets the number of rows, so that an accumulator has one type throughout."""
    return tf.raw_ops.PlaceholderWithDefault(input=rows, shape=[None, rows.shape[1]])


def unpack(agreed: Any, n: int) -> np.ndarray:
    """The mask that a round ended with: bool [n]. Runs on: any party."""
    mask: np.ndarray = wire.unpack(tf.constant(agreed.packed_mask), n).numpy()
    return mask
