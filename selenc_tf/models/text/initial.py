"""Weights at random that depend on a seed alone."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

_STDDEV = 0.02
_DRAWN = ("kernel", "embeddings", "reverse_embeddings")


def draw(variables: Sequence[Any], seed: int, stddev: float = _STDDEV) -> None:
    """Draws kernels and tables anew; biases and scales keep their constants.

    As BERT and GPT-2 start: truncated normal with a standard deviation of 0.02. KerasHub
    draws from a generator of the whole process.

    Args:
      variables: Keras variables, which are written.
      seed: Of the draws.
      stddev: > 0.
    """
    for place, variable in enumerate(variables):
        if variable.name in _DRAWN:
            drawn = tf.random.stateless_truncated_normal(
                variable.shape, seed=(seed, place), stddev=stddev, dtype=variable.dtype
            )
            variable.assign(drawn)


def words(seed: int) -> str:
    """How results name such weights."""
    return f"random, seed {seed}"
