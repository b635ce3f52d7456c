"""Significance by lot: the baseline of the field."""

import tensorflow as tf

from selenc_tf.significance.context import ScoreContext
from selenc_tf.types import Vector


def random(context: ScoreContext) -> Vector:
    """Scores every entry with a uniform random number.

    The same seed gives the same scores on every party, so the mask needs no agreement
    and says nothing about the data.

    Runs on: any party. Sees: the public seed.

    Args:
      context: `seed` is used, and the length of the layout.

    Returns:
      float32 [n] in [0, 1).
    """
    return tf.random.stateless_uniform(
        [context.spec.size], seed=context.seed, dtype=tf.float32
    )
