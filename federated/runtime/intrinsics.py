"""What each TFF intrinsic does to values that are in this process.

Mean, weighted mean, sum, minimum, maximum and the generic arithmetic are not here: the
compiler writes them as `federated_aggregate` and maps (see `interpreter.py`). The rest
follows TFF's runtime: clients are visited one after the other in cohort order, an
aggregation starts from its zero and is a left fold, and `merge` is never needed because
one process holds all clients. What crosses between the parties is told to the tap.
"""

import dataclasses
from collections.abc import Callable, Mapping

import tensorflow as tf
import tensorflow_federated as tff

from federated.runtime import secure_sums
from federated.runtime.placed_values import (
    AtClients,
    AtServer,
    UnsupportedIntrinsicError,
    Value,
    element_types,
    map_tensors,
)
from federated.runtime.sequences import ListSequence, MappedSequence, tf_dtype
from federated.runtime.tap import Tap
from federated.runtime.timing import Timer


@dataclasses.dataclass(frozen=True)
class Run:
    """One invocation.

    Attributes:
      num_clients: size of the cohort.
      tap: where crossings are reported; None if nobody observes.
      session_token: gives a string that no other run of a graph has.
      timer: is told how long graphs took; None if nobody asks.
    """

    num_clients: int
    tap: Tap | None
    session_token: Callable[[], str]
    timer: Timer | None = None


# From the run, the intrinsic's concrete type and its argument to its result.
IntrinsicFn = Callable[[Run, tff.FunctionType, Value], Value]


def call_intrinsic(
    run: Run, uri: str, type_spec: tff.FunctionType, argument: Value
) -> Value:
    """Executes an intrinsic.

    Args:
      run: the invocation.
      uri: the intrinsic's URI.
      type_spec: its type at this call.
      argument: the value of its parameter.

    Returns:
      The value of its result.

    Raises:
      UnsupportedIntrinsicError: if there is no such intrinsic here.
    """
    intrinsic = _INTRINSICS.get(uri)
    if intrinsic is None:
        raise UnsupportedIntrinsicError(
            uri, f"supported are {', '.join(sorted(_INTRINSICS))}."
        )
    return intrinsic(run, type_spec, argument)


def _map(run: Run, type_spec: tff.FunctionType, argument: Value) -> Value:
    del run, type_spec
    fn, value = argument
    if isinstance(value, AtServer):
        return AtServer(fn(value.value))
    return AtClients(tuple(fn(member) for member in value.values))


def _map_all_equal(run: Run, type_spec: tff.FunctionType, argument: Value) -> Value:
    # Each client computes for itself: TFF promises equal results only for
    # deterministic functions, and a client's randomness or storage is its own.
    mapped = _map(run, type_spec, argument)
    fn, value = argument
    if not mapped.values and value.common:
        return AtClients((), (fn(value.common[0]),))
    return mapped


def _eval_at_clients(run: Run, type_spec: tff.FunctionType, fn: Value) -> Value:
    del type_spec
    return AtClients(tuple(fn(None) for _ in range(run.num_clients)))


def _eval_at_server(run: Run, type_spec: tff.FunctionType, fn: Value) -> Value:
    del run, type_spec
    return AtServer(fn(None))


def _value_at_clients(run: Run, type_spec: tff.FunctionType, value: Value) -> Value:
    del type_spec
    return AtClients.all_equal(value, run.num_clients)


def _value_at_server(run: Run, type_spec: tff.FunctionType, value: Value) -> Value:
    del run, type_spec
    return AtServer(value)


def _zip_at_clients(run: Run, type_spec: tff.FunctionType, argument: Value) -> Value:
    def members(value: Value, value_type: tff.Type, client: int) -> Value:
        if isinstance(value_type, tff.FederatedType):
            return value.values[client]
        return tuple(
            members(value[index], member, client)
            for index, (_, member) in enumerate(element_types(value_type))
        )

    def common(value: Value, value_type: tff.Type) -> tuple[Value] | None:
        if isinstance(value_type, tff.FederatedType):
            return value.common
        parts = [
            common(value[index], member)
            for index, (_, member) in enumerate(element_types(value_type))
        ]
        if any(part is None for part in parts):
            return None
        return (tuple(part[0] for part in parts if part is not None),)

    return AtClients(
        tuple(
            members(argument, type_spec.parameter, client)
            for client in range(run.num_clients)
        ),
        common(argument, type_spec.parameter),
    )


def _zip_at_server(run: Run, type_spec: tff.FunctionType, argument: Value) -> Value:
    del run

    def member(value: Value, value_type: tff.Type) -> Value:
        if isinstance(value_type, tff.FederatedType):
            return value.value
        return tuple(
            member(value[index], part)
            for index, (_, part) in enumerate(element_types(value_type))
        )

    return AtServer(member(argument, type_spec.parameter))


def _broadcast(run: Run, type_spec: tff.FunctionType, argument: Value) -> Value:
    value = argument.value
    if run.tap is not None:
        member = type_spec.parameter.member
        value = run.tap.settle(value, member)
        run.tap.to_all_clients("federated_broadcast", member, run.num_clients, value)
    return AtClients.all_equal(value, run.num_clients)


def _aggregate(run: Run, type_spec: tff.FunctionType, argument: Value) -> Value:
    value, total, accumulate, _, report = argument
    member = type_spec.parameter[0].member
    for client, summand in enumerate(value.values):
        if run.tap is not None:
            summand = run.tap.settle(summand, member)
            run.tap.to_server("federated_aggregate", member, client, summand)
        total = accumulate((total, summand))
    return AtServer(report(total))


def _select(uri: str, keys_seen_by_server: bool) -> IntrinsicFn:
    """`federated_select`, or the secure one, whose keys the server does not see."""

    def select(run: Run, type_spec: tff.FunctionType, argument: Value) -> Value:
        keys, max_key, server_value, select_fn = argument
        keys_type = type_spec.parameter[0].member
        slices_type = type_spec.result.member
        slices = []
        for client, client_keys in enumerate(keys.values):
            if run.tap is not None:
                run.tap.to_server(
                    uri,
                    keys_type,
                    client,
                    client_keys,
                    seen_by_server=keys_seen_by_server,
                )
            _check_keys(uri, client, client_keys, max_key.value)
            selected: Value = ListSequence(
                tuple(
                    select_fn((server_value.value, key))
                    for key in tf.unstack(client_keys)
                ),
                slices_type.element,
            )
            if run.tap is not None:
                run.tap.to_client(
                    uri,
                    slices_type,
                    client,
                    selected,
                    seen_by_server=keys_seen_by_server,
                )
            slices.append(selected)
        return AtClients(tuple(slices))

    return select


def _check_keys(uri: str, client: int, keys: tf.Tensor, max_key: tf.Tensor) -> None:
    if bool(tf.reduce_any((keys < 0) | (keys >= max_key))):
        raise ValueError(
            f"Expected the keys of client {client} in `{uri}` to be at least 0 and "
            f"less than max_key = {int(max_key)}; found a key outside. Map the keys "
            "into this range at the client."
        )


def _secure_sum(uri: str, combine: secure_sums.SecureSumFn) -> IntrinsicFn:
    def secure_sum(run: Run, type_spec: tff.FunctionType, argument: Value) -> Value:
        value, parameter = argument
        value_type = type_spec.parameter[0].member
        if run.tap is not None:
            for client, summand in enumerate(value.values):
                run.tap.to_server(
                    uri, value_type, client, summand, seen_by_server=False
                )
        total = combine(value.values, value_type, parameter, type_spec.parameter[1])
        if run.tap is not None and value.values:
            run.tap.summed(uri, value_type, total)
        return AtServer(total)

    return secure_sum


def _sequence_map(run: Run, type_spec: tff.FunctionType, argument: Value) -> Value:
    del run
    fn, sequence = argument
    return MappedSequence(sequence, fn, type_spec.result.element)


def _sequence_reduce(run: Run, type_spec: tff.FunctionType, argument: Value) -> Value:
    del run, type_spec
    sequence, total, reduce_fn = argument
    # Read first, so that no data set is open while the function runs.
    for element in list(sequence.elements()):
        total = reduce_fn((total, element))
    return total


def _sequence_sum(run: Run, type_spec: tff.FunctionType, argument: Value) -> Value:
    del run
    element_type = type_spec.result
    total = secure_sums.zeros(element_type)
    for element in argument.elements():
        total = map_tensors(lambda _, a, b: tf.add(a, b), element_type, total, element)
    return total


def _generic_zero(run: Run, type_spec: tff.Type, argument: Value) -> Value:
    del run, argument
    return map_tensors(lambda leaf: tf.zeros(leaf.shape, tf_dtype(leaf)), type_spec)


_INTRINSICS: Mapping[str, IntrinsicFn] = {
    "federated_aggregate": _aggregate,
    "federated_apply": _map,
    "federated_broadcast": _broadcast,
    "federated_eval_at_clients": _eval_at_clients,
    "federated_eval_at_server": _eval_at_server,
    "federated_map": _map,
    "federated_map_all_equal": _map_all_equal,
    "federated_secure_modular_sum": _secure_sum(
        "federated_secure_modular_sum", secure_sums.modular_sum
    ),
    "federated_secure_select": _select("federated_secure_select", False),
    "federated_secure_sum": _secure_sum(
        "federated_secure_sum", secure_sums.bounded_sum
    ),
    "federated_secure_sum_bitwidth": _secure_sum(
        "federated_secure_sum_bitwidth", secure_sums.bitwidth_sum
    ),
    "federated_select": _select("federated_select", True),
    "federated_value_at_clients": _value_at_clients,
    "federated_value_at_server": _value_at_server,
    "federated_zip_at_clients": _zip_at_clients,
    "federated_zip_at_server": _zip_at_server,
    "sequence_map": _sequence_map,
    "sequence_reduce": _sequence_reduce,
    "sequence_sum": _sequence_sum,
}
