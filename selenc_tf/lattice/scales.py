"""How a cohort comes to the codec's bounds without looking at private data.

All clients of a round must encode with the same bounds, or their codes would not add
up, and a bound that came from a client's data would tell something about them. So a
bound is made only from what everybody knows: a number chosen beforehand, the norm that
clients clip to, or what earlier rounds published.

A vector is cut into T consecutive groups with one bound each. A tight bound is a fine
step: half the bound is one more bit of precision at no cost.

policy | groups | reveals | saturates
--- | --- | --- | ---
`public_bound` | 1 | nothing | where |value| > bound
`per_tensor` | tensors | nothing | where |value| > the tensor's bound
`per_block` | blocks | nothing | where |value| > the block's bound
`clipping_norm` | 1 | nothing | never, if clients clip
`previous_aggregate` | tensors or blocks | nothing new | if values outgrow the last sum
"""

import collections
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from selenc_tf import validation
from selenc_tf.flatten import FlatSpec
from selenc_tf.lattice import codec
from selenc_tf.types import Mask, Vector

_CLIPPING_ROUNDOFF = 2.0**-20
_CALMING = 0.95


class ScalePolicy(NamedTuple):
    """A way to agree on the bounds of a round.

    The server runs the functions and broadcasts the bounds. Inside TFF all are traced,
    and the state keeps its types and shapes.

    Attributes:
      name: As results report it.
      reveals: What the bounds tell, in words.
      init: `spec -> state`, a structure of tensors kept by the server. Public.
      groups: `spec -> lengths`, of the consecutive groups; they add up to `spec.size`.
      bounds: `(spec, state) -> float32 [T]`, one public bound for each group.
      observe: `(spec, state, aggregate, clients, saturated) -> state`, after a round,
        from what it published: float32 [n], the sum over clients of what they encoded
        (weight times value in a weighted mean); int32, the number of clients; int64, how
        many hidden entries of the cohort saturated.
    """

    name: str
    reveals: str
    init: Callable[[FlatSpec], Any]
    groups: Callable[[FlatSpec], tuple[int, ...]]
    bounds: Callable[[FlatSpec, Any], tf.Tensor]
    observe: Callable[[FlatSpec, Any, Vector, tf.Tensor, tf.Tensor], Any]


class HistoryState(NamedTuple):
    """State of `previous_aggregate`.

    Attributes:
      bounds: float32 [T], of the next round.
      headroom: float32, how far the bounds now stay above the mean.
    """

    bounds: tf.Tensor
    headroom: tf.Tensor


def expand(bounds: tf.Tensor, lengths: Sequence[int], mask: Mask) -> tf.Tensor:
    """The bound of each hidden entry.

    Runs on: any party; bounds and mask are public.

    Example: bounds [1, 2] of groups of 3 and 2 entries, of which the mask hides the
    first and the last two, become [1, 2, 2].

    Args:
      bounds: float32 [T].
      lengths: Of the T consecutive groups; they add up to n.
      mask: bool [n], m of them True.

    Returns:
      float32 [m], in flat order; a scalar if there is only one group.

    Raises:
      ValueError: If there are not as many bounds as groups, or the groups do not make
        up the mask.
    """
    _check_count(bounds.shape[0], len(lengths), "one for each of `lengths`")
    n = sum(lengths)
    if mask.shape[0] is not None and mask.shape[0] != n:
        raise ValueError(
            f"`lengths` must add up to the {mask.shape[0]} entries of `mask`, got {n}. "
            "Take both from the same `FlatSpec`."
        )
    if len(lengths) == 1:
        return tf.reshape(bounds, [])
    # A search in the ends of the groups needs no vector of n bounds, which might be
    # much longer than m, nor `tf.repeat`, which makes T times the longest group.
    ends = tf.cumsum(tf.constant(lengths, tf.int64))
    hidden = tf.reshape(tf.where(mask), [-1])
    return tf.gather(bounds, tf.searchsorted(ends, hidden, side="right"))


def public_bound(bound: float) -> ScalePolicy:
    """One bound for all entries, chosen beforehand.

    Choose it from public data, or from a model trained on such. Reveals: nothing.
    Saturates: where weight times value is beyond it.

    Args:
      bound: In the units of what is encoded: weight times value in a weighted mean.

    Returns:
      The policy.

    Raises:
      ValueError: If the bound is out of the codec's range.
    """
    return _constant("public_bound", (codec.check_bound("bound", bound),), _one_group)


def per_tensor(bounds: Sequence[float]) -> ScalePolicy:
    """One bound for each tensor of the model, chosen beforehand.

    Worth it where layers differ in scale, as they do in deep networks. Reveals: nothing.
    Saturates: where weight times value is beyond the bound of its tensor.

    Args:
      bounds: In the order of the model's tensors. That there are as many is checked
        when the model is known.

    Returns:
      The policy.

    Raises:
      ValueError: If a bound is out of the codec's range.
    """
    return _constant("per_tensor", _checked(bounds), _tensors)


def per_block(block_size: int, bounds: float | Sequence[float]) -> ScalePolicy:
    """One bound for each block of so many entries, chosen beforehand.

    Finer than tensors where one is large and uneven, such as an embedding table. The
    last block may be shorter. Reveals: nothing. Saturates: where weight times value is
    beyond the bound of its block.

    Args:
      block_size: Entries of a block, at least 1.
      bounds: In flat order, or one number for all blocks. That there are as many is
        checked when the model is known.

    Returns:
      The policy.

    Raises:
      ValueError: If an argument is out of range.
    """
    groups = _blocks(block_size)
    if isinstance(bounds, Iterable):
        return _constant("per_block", _checked(bounds), groups)
    bound = codec.check_bound("bounds", bounds)
    return _constant("per_block", (bound,), groups, repeat=True)


def clipping_norm(norm: float, max_weight: float = 1.0) -> ScalePolicy:
    """The bound that an L2 norm gives: no entry of a vector exceeds the norm.

    It composes with TFF's clipping, with the same number in both places:

    * `tff.aggregators.clipping_factory(norm, mean)` clips before the mean multiplies by
      the weight: give the largest weight a client may have.
    * `tff.aggregators.MeanFactory(tff.aggregators.clipping_factory(norm, sum))` clips
      weight times value: leave the weight at 1.

    If the norm is estimated from round to round, give the largest it may become.

    Reveals: nothing. Saturates: never, if clients clip and keep to the largest weight.
    The price is a step that is coarse for long vectors, whose entries are far below
    their norm; `previous_aggregate` is finer.

    Args:
      norm: The L2 norm to which clients clip, in the units of the values.
      max_weight: The largest weight by which a client multiplies.

    Returns:
      The policy.

    Raises:
      ValueError: If an argument is not positive, or the product out of the codec's
        range.
    """
    validation.check_positive("norm", norm)
    validation.check_positive("max_weight", max_weight)
    # Clipping is done in float32 and may miss the norm by a few roundings of 2^-24.
    bound = norm * max_weight * (1 + _CLIPPING_ROUNDOFF)
    codec.check_bound("norm * max_weight", bound)
    return _constant("clipping_norm", (bound,), _one_group)


def previous_aggregate(
    initial: float,
    headroom: float = 8.0,
    floor: float = 1e-6,
    block_size: int | None = None,
) -> ScalePolicy:
    """Bounds that follow the sums of earlier rounds, which are published anyway.

    The next bound of a group is `headroom` times the largest magnitude of its last sum
    divided by the number of clients. One client's entry is larger than the mean over
    clients wherever theirs cancel: by the root of their number if they are independent.
    The headroom covers that for 64 clients; where it does not, entries saturate, and
    then all bounds at least double and the headroom doubles too. It calms down by 5% in
    each round without saturation. A group whose sum is zero keeps its bound: zeros say
    nothing about scale.

    Reveals: nothing beyond the sums and the counts of saturated entries, which are
    published in any case. It needs them: where the server must stay blind, take another
    policy. Saturates: in the first rounds, if `initial` is too small, and when values
    grow faster than the headroom allows.

    Args:
      initial: The bound of all groups in the first round; rather too large.
      headroom: How far the bounds stay above the mean, at least 1.
      floor: No bound falls below it. In the units of what is encoded.
      block_size: Entries of a group; None makes each tensor a group.

    Returns:
      The policy.

    Raises:
      ValueError: If an argument is out of range, or `initial` is below `floor`.
    """
    codec.check_bound("floor", floor)
    codec.check_bound("initial", initial)
    validation.check_at_least("initial", initial, floor)
    validation.check_at_least("headroom", headroom, 1.0)
    groups = _tensors if block_size is None else _blocks(block_size)

    def init(spec: FlatSpec) -> HistoryState:
        return HistoryState(
            bounds=tf.fill([len(groups(spec))], tf.constant(initial, tf.float32)),
            headroom=tf.constant(headroom, tf.float32),
        )

    def observe(
        spec: FlatSpec,
        state: HistoryState,
        aggregate: Vector,
        clients: tf.Tensor,
        saturated: tf.Tensor,
    ) -> HistoryState:
        overflowed = saturated > 0
        # Kept for later rounds: a bound that only doubled once would fall back to where
        # it was too small.
        factor = tf.where(
            overflowed,
            2.0 * state.headroom,
            tf.maximum(_CALMING * state.headroom, headroom),
        )
        mean = _largest(aggregate, groups(spec)) / tf.cast(
            tf.maximum(clients, 1), tf.float32
        )
        # A sum that overflowed float32 says nothing about scale either.
        known = tf.logical_and(mean > 0, tf.math.is_finite(mean))
        followed = tf.where(known, factor * mean, state.bounds)
        grown = tf.maximum(followed, 2.0 * state.bounds)
        return HistoryState(
            bounds=tf.clip_by_value(
                tf.where(overflowed, grown, followed), floor, codec.MAX_BOUND
            ),
            # A limit only so that it stays finite.
            headroom=tf.minimum(factor, codec.MAX_BOUND),
        )

    return ScalePolicy(
        name="previous_aggregate",
        reveals="what the sums and counts published in earlier rounds do",
        init=init,
        groups=groups,
        bounds=lambda spec, state: state.bounds,
        observe=observe,
    )


def _constant(
    name: str,
    values: tuple[float, ...],
    groups: Callable[[FlatSpec], tuple[int, ...]],
    repeat: bool = False,
) -> ScalePolicy:
    """A policy without a state; `repeat` uses a single value for all groups."""

    def checked_groups(spec: FlatSpec) -> tuple[int, ...]:
        lengths = groups(spec)
        if not repeat:
            _check_count(
                len(values),
                len(lengths),
                f"one for each group of `{name}` in this model",
            )
        return lengths

    def bounds(spec: FlatSpec, state: Any) -> tf.Tensor:
        del state  # Empty.
        lengths = checked_groups(spec)
        if repeat:
            return tf.fill([len(lengths)], tf.constant(values[0], tf.float32))
        return tf.constant(values, tf.float32)

    def init(spec: FlatSpec) -> Any:
        checked_groups(spec)
        return collections.OrderedDict()

    return ScalePolicy(
        name=name,
        reveals="nothing: the bounds are chosen beforehand",
        init=init,
        groups=checked_groups,
        bounds=bounds,
        observe=lambda spec, state, aggregate, clients, saturated: state,
    )


def _one_group(spec: FlatSpec) -> tuple[int, ...]:
    return (spec.size,)


def _tensors(spec: FlatSpec) -> tuple[int, ...]:
    return spec.sizes


def _blocks(block_size: int) -> Callable[[FlatSpec], tuple[int, ...]]:
    validation.check_at_least("block_size", block_size, 1)

    def groups(spec: FlatSpec) -> tuple[int, ...]:
        whole, rest = divmod(spec.size, block_size)
        return (block_size,) * whole + ((rest,) if rest or not whole else ())

    return groups


def _largest(vector: Vector, lengths: tuple[int, ...]) -> tf.Tensor:
    """The largest magnitude of each group: float32 [T], 0 for an empty group."""
    magnitudes = tf.abs(vector)
    longest = max(lengths)
    if lengths[:-1] == (longest,) * (len(lengths) - 1):
        # Blocks: there may be millions, too many for an operation each.
        padding = len(lengths) * longest - sum(lengths)
        return tf.reduce_max(
            tf.reshape(tf.pad(magnitudes, [[0, padding]]), [len(lengths), longest]),
            axis=1,
        )
    return tf.stack(
        [
            tf.maximum(tf.reduce_max(part), 0.0)  # -inf if a tensor has no entry.
            for part in tf.split(magnitudes, lengths)
        ]
    )


def _checked(bounds: Sequence[float]) -> tuple[float, ...]:
    return tuple(
        codec.check_bound(f"bounds[{index}]", bound)
        for index, bound in enumerate(bounds)
    )


def _check_count(found: int | None, expected: int, which: str) -> None:
    if found is not None and found != expected:
        raise ValueError(
            f"`bounds` must have {expected} entries, {which}, got {found}. Take groups "
            "and bounds from the same policy and model."
        )
