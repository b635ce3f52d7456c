"""From what the tap saw to a `ServerView`: nothing else goes in."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from federated import views
from federated.runtime import tap
from selenc_tf.masks import wire


def server_view(
    crossings: Sequence[tap.Crossing],
    num_parameters: int,
    aggregate: Sequence[np.ndarray] | None = None,
) -> views.ServerView:
    """Assembles what the server has of one round.

    Args:
      crossings: All crossings of that round, as the tap's observer received them.
      num_parameters: n.
      aggregate: The published average, as the tensors that the round returned at the
        server, or None if the server stays blind.

    Returns:
      The view.

    Raises:
      ValueError: If the crossings hold no broadcast model, no mask or no upload: they
        are not those of a selectively encrypted round.
    """
    to_server = [
        crossing
        for crossing in crossings
        if crossing.direction is tap.Direction.CLIENTS_TO_SERVER
    ]
    to_clients = [
        crossing
        for crossing in crossings
        if crossing.direction is tap.Direction.SERVER_TO_CLIENTS
    ]
    sent = _with_field(to_server, "ciphertext")
    uploads = [upload for upload in sent if upload.value["contributes"]]
    models = _with_field(to_clients, "weights")
    # Agreed masks come from the server; a lone client sends its own.
    packed = _with_field(crossings, "packed_mask")
    for what, found in (
        ("the broadcast model", models),
        ("the mask", packed),
        ("an upload", uploads),
    ):
        if not found:
            raise ValueError(
                f"`crossings` must hold {what}, but none of the {len(crossings)} does. "
                "Pass all crossings of one round of a process in `federated/processes`."
            )
    mask = wire.unpack(tf.constant(packed[0].value["packed_mask"]), num_parameters)
    return views.ServerView(
        weights=tuple(np.asarray(tensor) for tensor in models[0].value["weights"]),
        mask=mask.numpy(),
        messages=tuple(
            views.ClientMessage(
                plain=np.asarray(upload.value["plain"]),
                ciphertext=b"".join(np.ravel(upload.value["ciphertext"]).tolist()),
                weight=float(np.asarray(upload.value["weight"])),
            )
            for upload in uploads
        ),
        aggregate=None
        if aggregate is None
        else np.concatenate([np.ravel(tensor) for tensor in aggregate]),
    )


def _with_field(crossings: Sequence[tap.Crossing], field: str) -> list[tap.Crossing]:
    return [
        crossing
        for crossing in crossings
        if isinstance(crossing.value, Mapping) and field in crossing.value
    ]
