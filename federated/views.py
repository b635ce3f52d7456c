"""What a server has of a round: the only input an attacker ever gets."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

_NONE: Mapping[str, Any] = MappingProxyType({})


class ClientMessage(NamedTuple):
    """What one client sends for one round.

    Attributes:
      plain: float32 [n - m]. The visible entries in the order of the flat vector.
      ciphertext: The message with the hidden entries: a public header, then bytes
        without meaning to who has no key (`selenc_tf/lattice/message.py`). Its length is
        the same for all clients of a round.
      weight: float32. The client's weight in the average (its number of examples), if it
        crosses in the clear; NaN if it is among what is encrypted.
      nonce: int64, drawn for this round: gives the client its rank.
      checksum: int64, of what is not encrypted.
      contributes: Whether the client has something to add.
      client: Which connection it came from, from 0.
    """

    plain: np.ndarray
    ciphertext: bytes
    weight: float
    nonce: int = 0
    checksum: int = 0
    contributes: bool = True
    client: int = 0


class OpenedShare(NamedTuple):
    """What one client opened of the sum, for the server.

    Attributes:
      client: Which connection it came from.
      rank: int32, which share; that of nobody if the client is not in the sum.
      codes: The sums of codes in it, serialised.
    """

    client: int
    rank: int
    codes: bytes


class Crossed(NamedTuple):
    """A value on the wire that no other field of the view has.

    Attributes:
      client: Which connection.
      to_server: Whether the client sent it; otherwise the server did.
      value: With the names of its fields.
    """

    client: int
    to_server: bool
    value: Any


class ServerView(NamedTuple):
    """All that an honest-but-curious server has of one round.

    Attributes:
      weights: The trainable tensors that the server broadcast.
      mask: bool [n], True = hidden. Public.
      messages: Those in the sum, in the order of arrival.
      aggregate: float32 [n], the published average, or None where the server stays
        blind.
      statistics: The other tensors of a model that the server broadcast with them.
      refused: Messages that were not taken; why, `measurements` counts.
      idle: Messages of clients that had nothing to add.
      run: int64, of the training.
      round: int64, of the round.
      bounds: float32 [T], the announced bounds; None if they are the same in all rounds
        and nobody announces them.
      cohort: int64 [k], the sorted nonces of who is in the sum.
      visible_sum: float32 [n - m], where the server sends it to the clients.
      encrypted_sum: The message with the sum, where the server sends it.
      ranks: int32 [clients], which share each client asked for.
      shares: The parts of the encrypted sum that the server sent, in that order.
      opened: What came back.
      secret_sum: int32 [N], where there is no shared key: the sum of what the clients of
        the cohort released of their secrets. It opens the sum.
      measurements: Of the process: `saturated` entries, uploads `refused` and
        `refusals` by reason, `clients` and `idle` ones, `hidden` entries.
      others: All else on the wire: metrics in the clear or in encrypted messages of
        their own, weights that are told beforehand, proposals of masks.
      multiplied: Whether clients multiply what they send by their weights, as in a
        weighted mean; public, as the process is.
    """

    weights: tuple[np.ndarray, ...]
    mask: np.ndarray
    messages: tuple[ClientMessage, ...]
    aggregate: np.ndarray | None
    statistics: tuple[np.ndarray, ...] = ()
    refused: tuple[ClientMessage, ...] = ()
    idle: tuple[ClientMessage, ...] = ()
    run: int | None = None
    round: int | None = None
    bounds: np.ndarray | None = None
    cohort: np.ndarray | None = None
    visible_sum: np.ndarray | None = None
    encrypted_sum: bytes | None = None
    ranks: tuple[int, ...] = ()
    shares: tuple[bytes, ...] = ()
    opened: tuple[OpenedShare, ...] = ()
    secret_sum: np.ndarray | None = None
    measurements: Mapping[str, Any] = _NONE
    others: tuple[Crossed, ...] = ()
    multiplied: bool = False


def visible_gradient(view: ServerView, client: int, examples: int = 1) -> np.ndarray:
    """The server's picture of one client's vector: the visible entries, else zero.

    Args:
      view: The server's view.
      client: Index of the message.
      examples: The client's weight where it multiplied by one that is not in the view:
        its number of examples.

    Returns:
      float32 [n], the vector before it was multiplied, zero where the mask hides.
    """
    vector = np.zeros(view.mask.shape, np.float32)
    message = view.messages[client]
    weight = message.weight if math.isfinite(message.weight) else float(examples)
    divisor = np.float32(weight if view.multiplied else 1.0)
    vector[~view.mask] = message.plain / divisor
    return vector


def shares(view: ServerView, sizes: Sequence[int] | None = None) -> np.ndarray:
    """Each client's share in the average, as far as the server knows it.

    Args:
      view: The server's view.
      sizes: The clients' numbers of examples, if they are known beside the view.

    Returns:
      float64 [messages], by the weights that cross in the clear; where those are hidden,
      by what is known beside them, or else all the same.
    """
    weights = np.array([message.weight for message in view.messages], np.float64)
    if any(math.isnan(weight) for weight in weights):
        weights = np.ones_like(weights) if sizes is None else np.asarray(sizes, float)
    return weights / weights.sum()
