"""How a cohort comes to one mask without showing what the mask is made of.

The mask of a round is the same for all clients, or the slots of their ciphertexts would
not add up. The scores of hidden entries are as secret as the entries, so a mask is made
only from what everybody knows already.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from selenc_tf.flatten import FlatSpec
from selenc_tf.masks import wire
from selenc_tf.masks.policy import MaskPolicy
from selenc_tf.significance.context import ScoreContext, SignificanceFn
from selenc_tf.types import Mask, Vector


class MaskAgreement(NamedTuple):
    """A protocol in which the server computes the mask from public knowledge.

    Attributes:
      name: As results report it.
      reveals: What the positions of the mask tell the server, in words.
      init: `spec -> state`, a structure of tensors kept by the server.
      mask: `(spec, state) -> (mask bool [n], state)`, traced inside TFF.
      observe: `(state, aggregate float32 [n]) -> state`, after the round.
    """

    name: str
    reveals: str
    init: Callable[[FlatSpec], Any]
    mask: Callable[[FlatSpec, Any], tuple[Mask, Any]]
    observe: Callable[[Any, Vector], Any]


class OwnMask(NamedTuple):
    """No agreement: a cohort of one client hides what its own gradient says.

    Only for a server that stays blind: with one client, the published sum would be the
    client's gradient itself. The positions of the mask go to the server in the clear,
    and with a metric of the gradient they say where its large entries are.

    Attributes:
      significance: The metric, applied to the client's own gradient and examples.
      policy: Turns the scores into a mask. What it would remember is forgotten.
      seed: Two int32, public, for metrics that use one.
    """

    significance: SignificanceFn
    policy: MaskPolicy
    seed: tuple[int, int]


def own_mask(source: OwnMask, spec: FlatSpec, context: ScoreContext) -> Mask:
    """The mask that a lone client chooses.

    Runs on: client. Sees: its own gradient and examples.

    Args:
      source: Metric and policy.
      spec: The layout of the gradient.
      context: Of the client, with `source.seed`.

    Returns:
      bool [n].
    """
    mask, _ = source.policy.update(
        spec, source.significance(context), source.policy.init(spec)
    )
    return mask


class SeedState(NamedTuple):
    """State of `public_seed`: the policy's own."""

    policy: Any


class HistoryState(NamedTuple):
    """State of `previous_aggregate`.

    Attributes:
      has_history: bool. False before the first round.
      previous: float32 [n], the last published aggregate.
      policy: The policy's own state.
    """

    has_history: tf.Tensor
    previous: Vector
    policy: Any


def public_seed(
    significance: SignificanceFn, policy: MaskPolicy, seed: tuple[int, int]
) -> MaskAgreement:
    """Agrees by a public seed: for metrics that do not look at the gradient.

    The mask is the same in every round: a mask
    that changes would show more entries of the same data in each round.

    Runs on: server. Sees: the seed. Reveals: nothing about the data.

    Args:
      significance: The metric; the seed and the layout are all that it gets.
      policy: Turns the scores into a mask.
      seed: Two int32, public.

    Returns:
      The agreement.
    """

    def mask(spec: FlatSpec, state: SeedState) -> tuple[Mask, SeedState]:
        context = ScoreContext(spec=spec, seed=tf.constant(seed, tf.int32))
        chosen, policy_state = policy.update(spec, significance(context), state.policy)
        return chosen, SeedState(policy_state)

    return MaskAgreement(
        name="public_seed",
        reveals="nothing: the mask is a function of a public seed",
        init=lambda spec: SeedState(policy.init(spec)),
        mask=mask,
        observe=lambda state, aggregate: state,
    )


class FixedState(NamedTuple):
    """State of `fixed`.

    Attributes:
      packed_mask: uint8 [ceil(n / 8)], see `wire.py`.
    """

    packed_mask: tf.Tensor


def fixed(name: str, reveals: str, mask: np.ndarray) -> MaskAgreement:
    """The mask that an earlier agreement came to, in every round.

    Runs on: server. Sees: the mask.

    Args:
      name: Of the protocol that made the mask.
      reveals: What that protocol told the server.
      mask: bool [n].

    Returns:
      The agreement; `mask` raises `ValueError` for another number of entries.
    """

    def init(spec: FlatSpec) -> FixedState:
        if mask.shape != (spec.size,):
            raise ValueError(
                f"`mask` must have one entry for each of {spec.size} parameters, got "
                f"the shape {mask.shape}. Agree on a mask for this model."
            )
        return FixedState(wire.pack(tf.constant(mask)))

    return MaskAgreement(
        name=name,
        reveals=reveals,
        init=init,
        mask=lambda spec, state: (wire.unpack(state.packed_mask, spec.size), state),
        observe=lambda state, aggregate: state,
    )


def previous_aggregate(
    significance: SignificanceFn, policy: MaskPolicy, seed: tuple[int, int]
) -> MaskAgreement:
    """Agrees by scoring the previous round's published aggregate.

    Before the first aggregate there is nothing to score, so the first round is
    encrypted completely.

    Runs on: server. Sees: the aggregates that are published anyway. Reveals: nothing
    beyond them.

    Args:
      significance: The metric, applied to the previous aggregate.
      policy: Turns the scores into a mask.
      seed: Two int32, public, for metrics that use one.

    Returns:
      The agreement.
    """

    def init(spec: FlatSpec) -> HistoryState:
        return HistoryState(
            has_history=tf.constant(False),
            previous=tf.zeros([spec.size]),
            policy=policy.init(spec),
        )

    def mask(spec: FlatSpec, state: HistoryState) -> tuple[Mask, HistoryState]:
        context = ScoreContext(
            gradient=state.previous, seed=tf.constant(seed, tf.int32), spec=spec
        )
        chosen, policy_state = policy.update(spec, significance(context), state.policy)
        # Nothing to be remembered of the scores of an aggregate that is not there.
        policy_state = tf.nest.map_structure(
            lambda old, new: tf.where(state.has_history, new, old),
            state.policy,
            policy_state,
        )
        # A ratio of zero means no encryption at all, in the first round too.
        first = tf.fill([spec.size], policy.num_hidden(spec) > 0)
        return (
            tf.where(state.has_history, chosen, first),
            state._replace(policy=policy_state),
        )

    def observe(state: HistoryState, aggregate: Vector) -> HistoryState:
        return HistoryState(
            has_history=tf.constant(True), previous=aggregate, policy=state.policy
        )

    return MaskAgreement(
        name="previous_aggregate",
        reveals="the ranking of the last published aggregate, which is public",
        init=init,
        mask=mask,
        observe=observe,
    )
