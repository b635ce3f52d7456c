"""Learning rates of a search whose length is known: a share of the first rate."""

import math
from typing import Literal, TypeAlias

import tensorflow as tf

Schedule: TypeAlias = Literal["constant", "steps", "cosine"]
"""`steps` divides by ten at 3/8, 5/8 and 7/8 of the way (Geiping et al. 2020);
`cosine` falls to zero as half a period (Loshchilov, Hutter, "SGDR", ICLR 2017)."""

SCHEDULES: tuple[Schedule, ...] = ("constant", "steps", "cosine")


def share(
    schedule: Schedule, iteration: tf.Tensor, total: tf.Tensor, warm_up: int
) -> tf.Tensor:
    """The share of the learning rate at an iteration.

    Args:
      schedule: How it falls.
      iteration: int32 scalar, from 0.
      total: int32 scalar, the length of the search.
      warm_up: Iterations in which the rate rises in a line; at most a tenth of the
        search is spent on it.

    Returns:
      A float32 scalar in [0, 1].

    Example:
      steps at 500 of 1000: 0.1 (past 3/8, before 5/8).
    """
    done = tf.cast(iteration, tf.float32)
    length = tf.cast(total, tf.float32)
    if schedule == "steps":
        passed = sum(
            tf.cast(done >= part * length, tf.float32) for part in (3 / 8, 5 / 8, 7 / 8)
        )
        fallen = tf.pow(0.1, passed)
    elif schedule == "cosine":
        fallen = 0.5 + 0.5 * tf.cos(math.pi * done / length)
    else:
        fallen = tf.ones([])
    if warm_up == 0:
        return fallen
    rising = tf.maximum(1.0, tf.minimum(float(warm_up), tf.floor(0.1 * length)))
    return fallen * tf.minimum(1.0, (done + 1.0) / rising)
