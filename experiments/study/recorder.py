"""Keeps what the tap reports, round by round, and counts its bytes."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from federated.runtime import tap


class Traffic(NamedTuple):
    """Bytes of one round, of all clients together.

    Attributes:
      client_to_server_bytes: Everything that clients sent.
      server_to_client_bytes: Everything that the server sent.
      ciphertext_bytes: The encrypted part of the uploads.
    """

    client_to_server_bytes: int
    server_to_client_bytes: int
    ciphertext_bytes: int


class Recorder:
    """An observer that holds the crossings since they were last taken."""

    def __init__(self) -> None:
        """Starts with nothing recorded."""
        self._crossings: list[tap.Crossing] = []

    def __call__(self, crossing: tap.Crossing) -> None:
        """Records one crossing."""
        self._crossings.append(crossing)

    def take(self) -> tuple[tap.Crossing, ...]:
        """Returns what was recorded since the last call, and forgets it."""
        taken = tuple(self._crossings)
        self._crossings.clear()
        return taken


def traffic(crossings: Iterable[tap.Crossing]) -> Traffic:
    """Counts the bytes of all crossings of one round."""
    up = down = encrypted = 0
    for crossing in crossings:
        if crossing.direction is tap.Direction.SERVER_TO_CLIENTS:
            down += crossing.wire_bytes
            continue
        up += crossing.wire_bytes
        if isinstance(crossing.value, Mapping) and "ciphertext" in crossing.value:
            for text in np.ravel(crossing.value["ciphertext"]).tolist():
                encrypted += len(text) + tap.varint_bytes(len(text))
    return Traffic(up, down, encrypted)
