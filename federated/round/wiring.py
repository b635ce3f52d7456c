"""Pure functions of a party, wired into the federated computation being traced.

Each function here is called in the body of a `tff.federated_computation`. It reads the
types from the values it is given, so that a phase of a round is a plain function of
placed values, and no type has to be carried from phase to phase. The nodes of each
function are under its name, so that whoever times a round can tell its parts.
"""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_federated as tff


def apply(function: Callable, *values: tff.Value) -> tff.Value:
    """Lets the party that holds the values compute.

    Args:
      function: Pure TensorFlow, of as many arguments.
      values: All at CLIENTS, or all at SERVER.

    Returns:
      The result, at the same place.
    """
    types = [value.type_signature.member for value in values]
    return tff.federated_map(
        tff.tensorflow.computation(_named(function), *types),
        values[0] if len(values) == 1 else values,
    )


def evaluate(function: Callable[[], Any], place: Any) -> tff.Value:
    """Lets each party at a place compute something from nothing."""
    return tff.federated_eval(tff.tensorflow.computation(_named(function)), place)


def aggregate(
    values: tff.Value,
    zero: Callable[[], Any],
    accumulate: Callable[[Any, Any], Any],
    merge: Callable[[Any, Any], Any],
    report: Callable[[Any], Any] = lambda accumulated: accumulated,
) -> tff.Value:
    """Lets the server take in the clients' values one after the other.

    Args:
      values: At CLIENTS.
      zero: The accumulator before the first value.
      accumulate: Of the accumulator and a value: the accumulator with it.
      merge: Of two accumulators.
      report: What becomes of the last accumulator.

    Returns:
      The report, at SERVER.
    """
    start = tff.tensorflow.computation(zero)
    kept = start.type_signature.result
    return tff.federated_aggregate(
        values,
        start(),
        tff.tensorflow.computation(
            _named(accumulate), kept, values.type_signature.member
        ),
        tff.tensorflow.computation(merge, kept, kept),
        tff.tensorflow.computation(report, kept),
    )


def _named(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its nodes under its name; a lambda as it is."""
    # A scope of TensorFlow begins with a letter; a lambda and a partial have no name.
    name = getattr(function, "__name__", "").lstrip("_")
    if not (name.isascii() and name.isidentifier()):
        return function

    @functools.wraps(function)
    def named(*values: Any, **by_name: Any) -> Any:
        with tf.name_scope(name):
            return function(*values, **by_name)

    return named
