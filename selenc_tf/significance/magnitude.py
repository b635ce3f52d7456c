"""Significance by gradient magnitude."""

import tensorflow as tf

from selenc_tf.significance import required
from selenc_tf.significance.context import ScoreContext
from selenc_tf.types import Vector


def magnitude(context: ScoreContext) -> Vector:
    """Scores an entry by |g_i|.

    For every m, hiding the m largest magnitudes maximises the distance between the
    gradient and what an attacker who fills zeros sees, ||g - g~||^2 = sum of the hidden
    g_i^2. It is also the ranking of FedML-HE's label sensitivity for a batch of one
    (Jin et al., arXiv:2303.10837).

    Runs on: whoever holds `context.gradient`. The scores of a client's own gradient are
    as secret as that gradient and never leave the client in the clear.

    Args:
      context: Its `gradient`, float32 [n], is used.

    Returns:
      float32 [n], >= 0.

    Raises:
      ValueError: If the context has no gradient.
    """
    return tf.abs(required.gradient(context, "magnitude"))
