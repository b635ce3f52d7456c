"""Significance by MaskCrypt's priority."""

from selenc_tf.significance import required
from selenc_tf.significance.context import ScoreContext
from selenc_tf.types import Vector


def maskcrypt(context: ScoreContext) -> Vector:
    """Scores an entry by (w_exposed - w_local)_i * g_i = -update_i * g_i.

    To first order, how much the local loss rises when weight i goes back to the value
    that the server knows: hiding the highest scores leaves the server with the model
    that is worst on the client's data (Hu, Li, "MaskCrypt: Federated Learning with
    Selective Homomorphic Encryption", IEEE TDSC 22, 2025, DOI
    10.1109/TDSC.2024.3392424). The score is signed: an entry whose return would lower
    the loss ranks below one that does not matter.

    The exposed weights are here those that the server broadcast. The paper takes the
    gradient of all local data after local training and remembers what earlier messages
    exposed; give the context that gradient, and that update, for the published metric.

    Runs on: client. Sees: its own gradient and update.

    Args:
      context: Its `gradient` and `update`, float32 [n], are used. No gradient evaluation
        beyond the one that made `gradient`.

    Returns:
      float32 [n] of any sign. After one step of plain SGD with learning rate eta it is
      eta * g_i^2, the ranking of `magnitude`.

    Raises:
      ValueError: If the context has no gradient or update.
    """
    gradient = required.gradient(context, "maskcrypt")
    return -required.update(context, "maskcrypt") * gradient
