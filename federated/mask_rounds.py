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

from federated.round import (
    client,
    collecting,
    drawing,
    local_work,
    mask_consensus,
    opening,
    upload_phase,
    wiring,
)
from federated.round.announcement import Announcement
from federated.round.upload_phase import Contribution
from selenc_tf import validation
from selenc_tf.lattice.engine import Engine
from selenc_tf.lattice.key_store import KeySet
from selenc_tf.lattice.per_client import PerClientKeys
from selenc_tf.masks import wire
from selenc_tf.masks.policy import MaskPolicy
from selenc_tf.models.any_model import AnyModel
from selenc_tf.significance.context import SignificanceFn
from selenc_tf.types import Mask, Seed, Vector

_BOUND = 1.0
"""Of a score, which is a share of the client's largest."""


class AgreedMask(NamedTuple):
    """What a mask round ends with, at the server.

    Attributes:
      packed_mask: uint8 [ceil(n / 8)], see `selenc_tf/masks/wire.py`.
      hidden: int64, m.
      clients: int32, how many had a say.
    """

    packed_mask: Any
    hidden: Any
    clients: Any


class RunBroadcast(NamedTuple):
    """The number of this one round, int64, that no other has."""

    run: Any


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

    model: AnyModel
    significance: SignificanceFn
    policy: MaskPolicy
    seed: Seed


def build_score_sum(
    scoring: Scoring,
    engine: Engine,
    keys: KeySet | PerClientKeys,
    min_clients: int = 2,
    *,
    fail: bool = True,
) -> MaskRound:
    """Agrees by the encrypted sum of all clients' scores.

    Every client scales its scores to its own largest one, encrypts all of them, opens
    the sum and takes the highest. The server adds ciphertexts and ends with the mask.
    The protocol of Jin et al., "FedML-HE" (arXiv:2303.10837), with maps of equal weight.

    Args:
      scoring: What clients score by.
      engine: Encrypts scores; its codec should have many bits, or small scores tie.
      keys: Names the key in each client's own key store.
      min_clients: The smallest cohort whose sum clients are willing to open.
      fail: Whether an upload that is refused fails the round instead of being left out.

    Returns:
      The round. Clients without examples or with scores that are not finite have no say.

    Raises:
      ValueError: If a single client's scores could be the sum, or there is no shared
        key.
    """
    opening.check_shared("The mask round `score_sum`", keys, engine)
    validation.check_count("min_clients", min_clients, 2)
    spec = scoring.model.spec
    rules = collecting.Rules(engine, keys, (spec.size,), fail)

    def everything(begun: RunBroadcast) -> Announcement:
        mask = wire.pack(tf.ones([spec.size], tf.bool))
        return Announcement(
            mask, begun.run, tf.constant(0, tf.int64), tf.constant([_BOUND])
        )

    def contribute(
        sent: local_work.ModelBroadcast, batch: local_work.Batch
    ) -> Contribution:
        scores = local_work.if_any(
            batch, spec.size, lambda: _scores(scoring, sent, batch)
        )
        return Contribution(
            mask_consensus.share_of_largest(scores), local_work.presence(batch)
        )

    def choose(summed: client.OpenedVector, clients: tf.Tensor) -> MaskProposal:
        del clients
        return MaskProposal(wire.pack(_mask(scoring, summed.vector)))

    def protocol(sent: tff.Value, batch: tff.Value) -> tff.Value:
        # What is hidden is no question here, so nobody has to announce it.
        begun = wiring.evaluate(lambda: RunBroadcast(drawing.draw()), tff.SERVER)
        uploaded = upload_phase.run(
            wiring.apply(everything, begun),
            wiring.apply(everything, tff.federated_broadcast(begun)),
            wiring.apply(contribute, sent, batch),
            rules,
        )
        chosen = opening.by_everyone(uploaded, rules, min_clients, choose)
        agreed = _settle(chosen, spec.size, mask_consensus.the_only_mask)
        return wiring.apply(
            lambda agreed, total: AgreedMask(
                agreed.packed_mask, agreed.hidden, tf.size(total.cohort)
            ),
            agreed,
            uploaded.total,
        )

    return MaskRound(
        "score_sum", "nothing but the mask", _computation(scoring.model, protocol)
    )


def build_interleaved_lists(scoring: Scoring) -> MaskRound:
    """Agrees by taking from all clients' lists in turn, until the budget is used up.

    Args:
      scoring: What clients score by.

    Returns:
      The round; nothing in it is encrypted.
    """
    spec = scoring.model.spec
    m = scoring.policy.num_hidden(spec)

    def propose(
        sent: local_work.ModelBroadcast, batch: local_work.Batch
    ) -> ListProposal:
        scores = _scores(scoring, sent, batch)
        ordered = mask_consensus.ordered_list(scores, _mask(scoring, scores))
        return ListProposal(tf.ensure_shape(ordered, [m]))

    def protocol(sent: tff.Value, batch: tff.Value) -> tff.Value:
        return _collect(
            wiring.apply(propose, sent, batch),
            tf.TensorSpec([m], tf.int32),
            lambda lists: mask_consensus.interleave(lists, spec.size),
        )

    return MaskRound(
        "interleaved_lists",
        "the order of every client's most significant entries",
        _computation(scoring.model, protocol),
    )


def build_union(scoring: Scoring) -> MaskRound:
    """Agrees by hiding what any client wants to hide: up to k times the budget.

    Args:
      scoring: What clients score by.

    Returns:
      The round; nothing in it is encrypted.
    """
    spec = scoring.model.spec

    def propose(
        sent: local_work.ModelBroadcast, batch: local_work.Batch
    ) -> MaskProposal:
        return MaskProposal(wire.pack(_mask(scoring, _scores(scoring, sent, batch))))

    def protocol(sent: tff.Value, batch: tff.Value) -> tff.Value:
        proposed = wiring.apply(propose, sent, batch)
        return _settle(proposed, spec.size, mask_consensus.unite)

    return MaskRound(
        "union", "every client's own mask", _computation(scoring.model, protocol)
    )


def _computation(
    model: AnyModel, protocol: Callable[[tff.Value, tff.Value], tff.Value]
) -> tff.Computation:
    """What all mask rounds begin with."""

    @tff.federated_computation(*local_work.placed_types(model))
    def run(weights: Any, batch: Any) -> Any:
        return protocol(local_work.broadcast(weights), batch)

    return run


def _scores(
    scoring: Scoring, sent: local_work.ModelBroadcast, batch: local_work.Batch
) -> Vector:
    """The client's scores: float32 [n]."""
    own = local_work.gradient(scoring.model, sent.weights, batch)
    return scoring.significance(
        local_work.score_context(scoring.model, sent.weights, batch, own, scoring.seed)
    )


def _mask(scoring: Scoring, scores: Vector) -> Mask:
    spec = scoring.model.spec
    mask, _ = scoring.policy.update(spec, scores, scoring.policy.init(spec))
    return mask


def _settle(
    proposed: tff.Value, n: int, settle: Callable[[tf.Tensor, int], Mask]
) -> tff.Value:
    """Makes one mask of every client's `MaskProposal`."""
    row = tf.TensorSpec([-(-n // 8)], tf.uint8)
    return _collect(proposed, row, lambda masks: settle(masks, n))


def _collect(
    proposed: tff.Value, row: tf.TensorSpec, settle: Callable[[tf.Tensor], Mask]
) -> tff.Value:
    """Collects proposals of one tensor each, as rows, and settles them into one mask."""
    return wiring.aggregate(
        proposed,
        lambda: _of_any_length(tf.zeros([0, *row.shape], row.dtype)),
        lambda rows, one: _of_any_length(tf.concat([rows, [one[0]]], axis=0)),
        lambda left, right: _of_any_length(tf.concat([left, right], axis=0)),
        lambda rows: AgreedMask(
            packed_mask=wire.pack(mask := settle(_some(rows))),
            hidden=tf.math.count_nonzero(mask),
            clients=tf.shape(rows)[0],
        ),
    )


def _some(rows: tf.Tensor) -> tf.Tensor:
    """The proposals, of which there must be one."""
    check = tf.debugging.Assert(
        tf.shape(rows)[0] >= 1,
        ["The cohort is empty: at least one client must propose what to hide"],
    )
    with tf.control_dependencies([op for op in (check,) if op is not None]):
        return tf.identity(rows)


def _of_any_length(rows: tf.Tensor) -> tf.Tensor:
    """Forgets the number of rows, so that an accumulator has one type throughout."""
    return tf.raw_ops.PlaceholderWithDefault(input=rows, shape=[None, rows.shape[1]])


def unpack(agreed: Any, n: int) -> np.ndarray:
    """The mask that a round ended with: bool [n]. Runs on: any party."""
    mask: np.ndarray = wire.unpack(tf.constant(agreed.packed_mask), n).numpy()
    return mask
