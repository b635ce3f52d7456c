"""What each TFF intrinsic does to labels: what is placed where, and what crosses.

A handler has the walk (`taint_walk.py`), which notes what it finds, the URI of the
intrinsic, its type and its argument, and gives the value of its result.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias

import tensorflow_federated as tff

from federated.key_flow.labels import NO_OWN, Label
from federated.key_flow.taint_values import (
    Leaf,
    Placed,
    Value,
    as_sequence,
    build,
    fixed_point,
    joined,
    leaves_of,
    may,
    of_leaf,
    plain,
    relabelled,
    union_of,
    with_labels,
    without,
)
from federated.key_flow.trusted import is_released
from federated.runtime.placed_values import element_types
from federated.runtime.tap import Direction

CLIENTS, SERVER = "clients", "server"

_SECRETS_MAY_GO = "federated_secure_sum_bitwidth"
"""Where secrets of messages may go, once they are released."""


class Walk(Protocol):
    """What handlers tell an evaluation (`taint_walk.py`), which says what it is."""

    def at(self, placement: str, uri: str) -> AbstractContextManager[None]:
        """Everything inside is computed by that party."""

    def placed(
        self, placement: str, uri: str, value: Value, type_spec: tff.Type
    ) -> Placed:
        """A value comes to a party without crossing."""

    def cross(
        self,
        direction: Direction,
        uri: str,
        value: Value,
        type_spec: tff.Type,
        released: Sequence[bool] = (),
    ) -> Value:
        """A value crosses."""

    def read(self, value: Value, type_spec: tff.Type, uri: str) -> None:
        """The sequences in a value are read."""

    def repeated(self, call: Callable[[], Value]) -> Value:
        """A function is called for one client or element after another."""

    def release(self, name: str, leaf_type: tff.Type, leaf: Leaf, uri: str) -> None:
        """The secret of a message is released."""

    def fit(self, name: str, leaf_type: tff.Type, leaf: Leaf, width: Leaf) -> None:
        """It goes into a secure sum of such a width."""


def _map(walk: Walk, uri: str, type_spec: tff.FunctionType, argument: Value) -> Value:
    fn, value = argument
    with walk.at(value.placement, uri):
        return Placed(value.placement, walk.repeated(lambda: fn(value.member)))


def _eval(walk: Walk, uri: str, type_spec: tff.FunctionType, fn: Value) -> Value:
    placement = type_spec.result.placement.uri
    with walk.at(placement, uri):
        made = walk.repeated(lambda: fn(None))
        return walk.placed(placement, uri, made, type_spec.result.member)


def _value(walk: Walk, uri: str, type_spec: tff.FunctionType, value: Value) -> Value:
    placement = type_spec.result.placement.uri
    return walk.placed(placement, uri, value, type_spec.result.member)


def _zip(walk: Walk, uri: str, type_spec: tff.FunctionType, argument: Value) -> Value:
    leaves = [leaf for _, _, leaf in leaves_of(argument, type_spec.parameter)]
    return build(type_spec.result, iter(leaves))


def _broadcast(
    walk: Walk, uri: str, type_spec: tff.FunctionType, argument: Value
) -> Value:
    member = type_spec.parameter.member
    value = walk.cross(Direction.SERVER_TO_CLIENTS, uri, argument.member, member)
    return Placed(CLIENTS, relabelled(value, member, drop=Label.UNTOLD))


def _aggregate(
    walk: Walk, uri: str, type_spec: tff.FunctionType, argument: Value
) -> Value:
    value, total, accumulate, merge, report = argument
    value_type, total_type = type_spec.parameter[0].member, type_spec.parameter[1]
    _check_state(uri, total_type)
    sent = walk.cross(Direction.CLIENTS_TO_SERVER, uri, value.member, value_type)
    # Only additions at the server make a sum.
    sent = relabelled(sent, value_type, add=Label.UNADDED)
    with walk.at(SERVER, uri):
        total = fixed_point(
            total,
            total_type,
            lambda so_far: walk.repeated(
                lambda: joined(
                    accumulate((so_far, sent)), merge((so_far, so_far)), total_type
                )
            ),
        )
        result = report(total)
    member = type_spec.result.member
    # A client's own ciphertext becomes one of an aggregate.
    result = relabelled(result, member, drop=Label.CIPHERTEXT, add=Label.SUM, step=uri)
    return Placed(SERVER, result)


def _secure_sum(
    walk: Walk, uri: str, type_spec: tff.FunctionType, argument: Value
) -> Value:
    member = type_spec.parameter[0].member
    sent = argument[0].member
    ours: list[bool] = []
    for place, (name, leaf_type, leaf) in enumerate(leaves_of(sent, member)):
        ours.append(uri == _SECRETS_MAY_GO and is_released(frozenset(leaf)))
        if ours[-1]:
            walk.release(name, leaf_type, leaf, uri)
            walk.fit(name, leaf_type, leaf, _width(argument[1], type_spec, place))
    crossed = walk.cross(Direction.CLIENTS_TO_SERVER, uri, sent, member, ours)
    total = with_labels(crossed, member, plain())
    summed = relabelled(total, member, add=Label.SUM, step=uri)
    leaves = [
        {**without(leaf, Label.UNSUMMED), Label.SECRET_SUM: (uri,)} if own else leaf
        for own, (_, _, leaf) in zip(ours, leaves_of(summed, member), strict=True)
    ]
    return Placed(SERVER, build(member, iter(leaves)))


def _width(width: Value, type_spec: tff.FunctionType, place: int) -> Leaf:
    """Of a leaf of what is summed: one for all, or one for each."""
    widths = [leaf for _, _, leaf in leaves_of(width, type_spec.parameter[1])]
    return widths[place if len(widths) > 1 else 0]


def _select(
    walk: Walk, uri: str, type_spec: tff.FunctionType, argument: Value
) -> Value:
    keys, _, server_value, select_fn = argument
    keys_type, slices_type = type_spec.parameter[0].member, type_spec.result.member
    sent = walk.cross(Direction.CLIENTS_TO_SERVER, uri, keys.member, keys_type)
    sent = with_labels(sent, keys_type, plain())
    with walk.at(SERVER, uri):
        element = walk.repeated(lambda: select_fn((server_value.member, sent)))
    # As many slices as keys.
    slices = union_of(
        as_sequence(element, slices_type.element), may(as_sequence(sent, keys_type))
    )
    received = walk.cross(Direction.SERVER_TO_CLIENTS, uri, slices, slices_type)
    return Placed(CLIENTS, received)


# The number of a sequence's elements tells what may have gone into the sequence, whatever
# is made of the elements.


def _sequence_map(
    walk: Walk, uri: str, type_spec: tff.FunctionType, argument: Value
) -> Value:
    fn, sequence = argument
    element = of_leaf(type_spec.parameter[1].element, sequence)
    # The function runs when the sequence is read, which is noted there.
    mapped = as_sequence(fn(element), type_spec.result.element)
    return union_of(mapped, may(sequence))


def _sequence_reduce(
    walk: Walk, uri: str, type_spec: tff.FunctionType, argument: Value
) -> Value:
    sequence, zero, fn = argument
    sequence_type, total_type = type_spec.parameter[0], type_spec.parameter[1]
    _check_state(uri, total_type)
    walk.read(sequence, sequence_type, uri)
    element = of_leaf(sequence_type.element, sequence)
    total = fixed_point(
        zero,
        total_type,
        lambda so_far: walk.repeated(lambda: fn((so_far, element))),
    )
    # Its elements decide which value comes out, as a choice does.
    chosen = {**may(sequence), **plain(NO_OWN)}
    return with_labels(total, total_type, chosen)


def _sequence_sum(
    walk: Walk, uri: str, type_spec: tff.FunctionType, argument: Value
) -> Value:
    walk.read(argument, type_spec.parameter, uri)
    return of_leaf(type_spec.result, union_of(argument, plain()))


def _check_state(uri: str, type_spec: tff.Type) -> None:
    """Refuses a fold over values of other parties, which TFF does not define.

    Raises:
      NotImplementedError: If there is one in its state.
    """
    if isinstance(type_spec, tff.FederatedType):
        raise NotImplementedError(
            f"The analysis expects the state of `{uri}` to be made of tensors and "
            f"sequences; found {type_spec.compact_representation()}, which has a place."
        )
    if isinstance(type_spec, tff.StructType):
        for _, member in element_types(type_spec):
            _check_state(uri, member)


Handler: TypeAlias = Callable[[Walk, str, tff.FunctionType, Value], Value]

INTRINSICS: Mapping[str, Handler] = {
    "federated_aggregate": _aggregate,
    "federated_apply": _map,
    "federated_broadcast": _broadcast,
    "federated_eval_at_clients": _eval,
    "federated_eval_at_server": _eval,
    "federated_map": _map,
    "federated_map_all_equal": _map,
    "federated_secure_modular_sum": _secure_sum,
    "federated_secure_select": _select,
    "federated_secure_sum": _secure_sum,
    "federated_secure_sum_bitwidth": _secure_sum,
    "federated_select": _select,
    "federated_value_at_clients": _value,
    "federated_value_at_server": _value,
    "federated_zip_at_clients": _zip,
    "federated_zip_at_server": _zip,
    "sequence_map": _sequence_map,
    "sequence_reduce": _sequence_reduce,
    "sequence_sum": _sequence_sum,
}
