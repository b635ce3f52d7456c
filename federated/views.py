"""What a server has of a round: the only input an attacker ever gets."""

from typing import NamedTuple

import numpy as np


class ClientMessage(NamedTuple):
    """What one client sends for one round.

    Attributes:
      plain: float32 [n - m]. The visible entries in the order of the flat vector.
      ciphertext: The message with the hidden entries: a public header, then bytes
        without meaning to who has no key (`selenc_tf/lattice/message.py`).
      weight: float32. The client's weight in the average (its number of examples).
    """

    plain: np.ndarray
    ciphertext: bytes
    weight: float


class ServerView(NamedTuple):
    """All that an honest-but-curious server has of one round.

    Attributes:
      weights: The trainable tensors that the server broadcast.
      mask: bool [n], True = hidden. Public.
      messages: One for each client, in the order of arrival.
      aggregate: float32 [n], the published average, or None where the server stays
        blind.
    """

    weights: tuple[np.ndarray, ...]
    mask: np.ndarray
    messages: tuple[ClientMessage, ...]
    aggregate: np.ndarray | None


def visible_gradient(view: ServerView, client: int) -> np.ndarray:
    """The server's picture of one client's vector: the visible entries, else zero.

    Args:
      view: The server's view.
      client: Index of the message.

    Returns:
      float32 [n], zero where the mask hides.
    """
    vector = np.zeros(view.mask.shape, np.float32)
    vector[~view.mask] = view.messages[client].plain
    return vector
