"""The ways of choosing a mask that the suite compares."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import tensorflow as tf

from experiments.suites import memory
from selenc_tf import flatten
from selenc_tf.masks import order, policy, selection
from selenc_tf.significance import magnitude
from selenc_tf.significance.context import ScoreContext
from selenc_tf.types import Mask, Vector

RATIO = 0.1
MAGNITUDE = "magnitude"
IN_CHUNKS = "magnitude, scored in chunks"
SORTED = "tf.math.top_k"

_TINY = 5000

Choose: TypeAlias = Callable[[Vector], Mask]
"""From a gradient, float32 [n], to a mask."""


def gradient(n: int) -> Vector:
    """A random gradient with entries of a normal distribution."""
    return tf.random.stateless_normal([n], [1, 2])


def _magnitude(n: int) -> Choose:
    """What a round does: the metric's scores, then the policy."""
    spec = flatten.FlatSpec(("gradient",), ((n,),))
    chosen = policy.top_fraction(RATIO)

    @tf.function(autograph=False)
    def choose(values: Vector) -> Mask:
        context = ScoreContext(spec, tf.constant([0, 0]), values)
        return chosen.update(spec, magnitude.magnitude(context), ())[0]

    return choose


def _in_chunks(n: int) -> Choose:
    """The scores of a chunk exist only while it is looked at."""
    m = policy.hidden_count(RATIO, n)

    @tf.function(autograph=False)
    def choose(values: Vector) -> Mask:
        return selection.highest(
            lambda start, end: order.keys(tf.abs(values[start:end])), n, m
        )

    return choose


def _sorted(n: int) -> Choose:
    """TensorFlow's own operation."""
    m = policy.hidden_count(RATIO, n)

    @tf.function(autograph=False)
    def choose(values: Vector) -> Mask:
        indices = tf.math.top_k(tf.abs(values), m).indices
        return tf.tensor_scatter_nd_update(
            tf.zeros([n], tf.bool), indices[:, tf.newaxis], tf.ones([m], tf.bool)
        )

    return choose


def peak_bytes(name: str, n: int) -> int:
    """Peak memory, beyond the gradient, of choosing one mask after a tiny one.

    Right in a fresh process only: see `suites.memory`.
    """
    build = SIDES[name]
    build(_TINY)(gradient(_TINY))
    choose = build(n)
    values = gradient(n)
    return memory.of_call(lambda: choose(values)).peak_bytes


SIDES: Mapping[str, Callable[[int], Choose]] = MappingProxyType(
    {MAGNITUDE: _magnitude, IN_CHUNKS: _in_chunks, SORTED: _sorted}
)
"""Builders by name, from n."""
