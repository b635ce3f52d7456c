"""The tap: reports every value that crosses between the clients and the server.

An observer sees what a party on the wire's receiving end sees, taken from the very
tensors that the computation goes on with; nothing is computed a second time. What
crosses, and what does not:

Crossing | reported as
--- | ---
an input of `federated_aggregate` (sums and means are made of it) | CLIENTS_TO_SERVER
a summand of a secure sum | CLIENTS_TO_SERVER, `value=None`, `seen_by_server=False`
the result of a secure sum | SECURE_SUM_TO_SERVER, once, with no bytes of its own
the keys of `federated_select` | CLIENTS_TO_SERVER; those of the secure one not seen
the result of `federated_broadcast` | SERVER_TO_CLIENTS, one for each client
the slices that `federated_select` selects | SERVER_TO_CLIENTS, one for each client
a constant (`federated_value`), `federated_eval`, a computation's own arguments and
results | not reported: no party sends it

Runs at neither party: it is the observer's view from outside.
"""

import enum
import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from federated.runtime.placed_values import Value, element_types
from federated.runtime.results import to_observed
from federated.runtime.sequences import ListSequence


class Direction(enum.Enum):
    """Which party sends, and which receives."""

    CLIENTS_TO_SERVER = "clients_to_server"
    SERVER_TO_CLIENTS = "server_to_clients"
    SECURE_SUM_TO_SERVER = "secure_sum_to_server"


ALL_CLIENTS = -1
"""In place of a client's index, where a value is of the whole cohort."""


class Crossing(NamedTuple):
    """One value of one client that crossed the boundary.

    Attributes:
      direction: from the client to the server, or back.
      client: index of the client in this call's cohort; `ALL_CLIENTS` for the result of a
        secure sum.
      round: index, from 0 and within one context, of the call among those in which
        at least one value crossed. Calls without a crossing (an initialisation, say,
        or a round without clients) have no index.
      intrinsic: URI of the TFF intrinsic that moved it, e.g. `"federated_aggregate"`.
      type: TFF type of the value, with its field names.
      value: what the receiver gets, as read-only NumPy arrays in the type's Python
        containers (OrderedDict and tuple where the type has none, which is so for the
        types of compiled computations); a sequence is a list of elements. None if the
        server is the receiver and does not see this client's value alone.
      wire_bytes: content bytes of the value, see `wire_bytes`. For a secure intrinsic
        those of the value itself, without what a protocol would add.
      seen_by_server: False for what a secure intrinsic hides from the server: the
        summands of a secure sum, and the keys and slices of a secure selection.
    """

    direction: Direction
    client: int
    round: int
    intrinsic: str
    type: tff.Type
    value: Any
    wire_bytes: int
    seen_by_server: bool


Observer = Callable[[Crossing], None]


def wire_bytes(value: Value, type_spec: tff.Type) -> int:
    """Content bytes that a wire would carry for a value.

    A tensor of numbers counts elements times the size of its dtype (a bool is one
    byte). A string tensor counts the bytes of each string and a base-128 varint of its
    length in front of it. Structs and sequences count the sum of their parts. Names,
    shapes, message framing and compression are not counted.

    Args:
      value: a value of type `type_spec`.
      type_spec: a tensor, struct or sequence type.

    Returns:
      The number of bytes.

    Raises:
      TypeError: if the type holds functions or placed values.
    """
    if isinstance(type_spec, tff.TensorType):
        if value.dtype != tf.string:
            return math.prod(value.shape) * value.dtype.size
        strings = np.asarray(value.numpy(), object).ravel()
        return sum(len(string) + varint_bytes(len(string)) for string in strings)
    if isinstance(type_spec, tff.StructType):
        return sum(
            wire_bytes(value[index], member)
            for index, (_, member) in enumerate(element_types(type_spec))
        )
    if isinstance(type_spec, tff.SequenceType):
        return sum(
            wire_bytes(element, type_spec.element) for element in value.elements()
        )
    raise TypeError(f"A value of type {type_spec} cannot cross a wire.")


def varint_bytes(number: int) -> int:
    """Bytes of a non-negative integer as a base-128 varint (7 bits a byte)."""
    return max(1, -(-number.bit_length() // 7))


class Tap:
    """Reports the crossings of one call to the observers."""

    def __init__(self, observers: Iterable[Observer], next_round: Callable[[], int]):
        """Makes the tap of one call.

        Args:
          observers: called in order for each crossing; what they raise propagates.
          next_round: gives the call its round index; called at the first crossing.
        """
        self._observers = tuple(observers)
        self._next_round = next_round
        self._round: int | None = None

    def settle(self, value: Value, type_spec: tff.Type) -> Value:
        """Reads the sequences of a value that is about to cross, once.

        A data set may give other elements each time it is read. The computation must
        go on with what was reported, so it goes on with the result of this.

        Args:
          value: a value of type `type_spec`.
          type_spec: its type.

        Returns:
          The value with the elements of its sequences at hand.
        """
        if isinstance(type_spec, tff.SequenceType):
            return ListSequence(tuple(value.elements()), type_spec.element)
        if isinstance(type_spec, tff.StructType):
            return tuple(
                self.settle(value[index], member)
                for index, (_, member) in enumerate(element_types(type_spec))
            )
        return value

    def to_server(
        self,
        intrinsic: str,
        type_spec: tff.Type,
        client: int,
        value: Value,
        *,
        seen_by_server: bool = True,
    ) -> None:
        """Reports that one client's (settled) value leaves for the server."""
        crossing = Crossing(
            direction=Direction.CLIENTS_TO_SERVER,
            client=client,
            round=self._round_index(),
            intrinsic=intrinsic,
            type=type_spec,
            value=to_observed(value, type_spec) if seen_by_server else None,
            wire_bytes=wire_bytes(value, type_spec),
            seen_by_server=seen_by_server,
        )
        self._report(crossing)

    def summed(self, intrinsic: str, type_spec: tff.Type, value: Value) -> None:
        """Reports the result of a secure sum, which the server gets."""
        self._report(
            Crossing(
                direction=Direction.SECURE_SUM_TO_SERVER,
                client=ALL_CLIENTS,
                round=self._round_index(),
                intrinsic=intrinsic,
                type=type_spec,
                value=to_observed(value, type_spec),
                wire_bytes=0,
                seen_by_server=True,
            )
        )

    def to_client(
        self,
        intrinsic: str,
        type_spec: tff.Type,
        client: int,
        value: Value,
        *,
        seen_by_server: bool = True,
    ) -> None:
        """Reports that the server's (settled) value leaves for one client."""
        crossing = Crossing(
            direction=Direction.SERVER_TO_CLIENTS,
            client=client,
            round=self._round_index(),
            intrinsic=intrinsic,
            type=type_spec,
            value=to_observed(value, type_spec),
            wire_bytes=wire_bytes(value, type_spec),
            seen_by_server=seen_by_server,
        )
        self._report(crossing)

    def to_all_clients(
        self, intrinsic: str, type_spec: tff.Type, num_clients: int, value: Value
    ) -> None:
        """Reports one value that goes to every client, measured and converted once."""
        if not num_clients:
            return
        first = Crossing(
            direction=Direction.SERVER_TO_CLIENTS,
            client=0,
            round=self._round_index(),
            intrinsic=intrinsic,
            type=type_spec,
            value=to_observed(value, type_spec),
            wire_bytes=wire_bytes(value, type_spec),
            seen_by_server=True,
        )
        for client in range(num_clients):
            self._report(first._replace(client=client))

    def _round_index(self) -> int:
        if self._round is None:
            self._round = self._next_round()
        return self._round

    def _report(self, crossing: Crossing) -> None:
        for observer in self._observers:
            observer(crossing)
