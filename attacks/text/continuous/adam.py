"""Adam's step (Kingma, Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015)."""

from typing import NamedTuple

import tensorflow as tf

_FIRST_DECAY, _SECOND_DECAY, _EPSILON = 0.9, 0.999, 1e-12
"""The last is small, because the slopes of a well matched sentence are."""


class Moved(NamedTuple):
    """Where a step leads.

    Attributes:
      words: What is searched for.
      first: The mean of slopes.
      second: The mean of their squares.
    """

    words: tf.Tensor
    first: tf.Tensor
    second: tf.Tensor


def moved(
    words: tf.Tensor,
    first: tf.Tensor,
    second: tf.Tensor,
    slope: tf.Tensor,
    iteration: tf.Tensor,
    rate: tf.Tensor,
) -> Moved:
    """One step against a slope.

    Args:
      words: Any shape.
      first: The mean of slopes so far.
      second: The mean of their squares so far.
      slope: At `words`; what is not finite counts as zero.
      iteration: int32 scalar, steps so far.
      rate: The learning rate.

    Returns:
      All three after it.
    """
    slope = tf.where(tf.math.is_finite(slope), slope, 0.0)
    first = _FIRST_DECAY * first + (1 - _FIRST_DECAY) * slope
    second = _SECOND_DECAY * second + (1 - _SECOND_DECAY) * tf.square(slope)
    count = tf.cast(iteration + 1, tf.float32)
    mean = first / (1.0 - tf.pow(_FIRST_DECAY, count))
    square = second / (1.0 - tf.pow(_SECOND_DECAY, count))
    return Moved(words - rate * mean / (tf.sqrt(square) + _EPSILON), first, second)
