"""How a cohort's sum is made and opened for the server, with a shared key or without."""

from typing import NamedTuple

import tensorflow_federated as tff

from federated.round import opening, per_client, upload_phase
from federated.round.collecting import Rules
from selenc_tf.lattice.per_client import PerClientKeys


class Revealed(NamedTuple):
    """What the server has at the end.

    Attributes:
      total: A `server.CipherSum`.
      codes: The sums of codes, of `client.sum_dtype`.
    """

    total: tff.Value
    codes: tff.Value


def sum_up(
    announced: tff.Value,
    told: tff.Value,
    own: tff.Value,
    rules: Rules,
    min_clients: int,
) -> Revealed:
    """Wires an encrypted sum and its opening.

    Args:
      announced: An `Announcement`, at the server.
      told: The same at the clients.
      own: A `Contribution`, at each client.
      rules: What uploads must keep to; its keys decide how the sum is opened.
      min_clients: The smallest cohort whose sum clients help to open.

    Returns:
      The sum, at the server.
    """
    if isinstance(rules.keys, PerClientKeys):
        return Revealed(*per_client.run(announced, told, own, rules, min_clients))
    uploaded = upload_phase.run(announced, told, own, rules)
    return Revealed(uploaded.total, opening.in_shares(uploaded, rules, min_clients))
