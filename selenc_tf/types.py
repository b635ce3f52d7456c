"""The words of the system as types.

n parameters, m hidden entries, k clients. Flat vectors have one entry for each
trainable parameter, in the order that `flatten.py` defines.
"""

from typing import TypeAlias

import tensorflow as tf

Vector: TypeAlias = tf.Tensor
"""float32 [n] (float64 inside the attacks): one number for each parameter."""

Mask: TypeAlias = tf.Tensor
"""bool [n], True = hidden (encrypted). Public, and the same for all clients."""

Weights: TypeAlias = tuple[tf.Tensor, ...]
"""A model's trainable tensors in the model's order."""

Seed: TypeAlias = tuple[int, int]
"""The seed of a stateless TensorFlow random operation. Never used for a secret."""

State: TypeAlias = tuple[tf.Tensor, ...]
"""What a model changes in training beside its weights, such as the statistics of batch
normalisation. It is as secret as a gradient until it is aggregated."""
