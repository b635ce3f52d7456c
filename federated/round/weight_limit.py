"""A number that no client's weight exceeds, told before the bounds are announced."""

from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_federated as tff

from federated.round import client, wiring


class WeightLimit(NamedTuple):
    """What a client tells of its weight before a round, float32; 0 without one."""

    weight_limit: Any


def largest_weight(weights: tff.Value, rounded_up: bool) -> tff.Value:
    """Wires a number that no weight of the clients exceeds; 1 if none counts.

    Args:
      weights: At CLIENTS.
      rounded_up: Whether clients tell the next power of two in place of their weights.
    """

    def tell(weight: tf.Tensor) -> WeightLimit:
        told = tf.cast(weight, tf.float32)
        if rounded_up:
            told = power_of_two_above(told)
        return WeightLimit(tf.where(client.positive(told), told, 0.0))

    def take(largest: tf.Tensor, told: WeightLimit) -> tf.Tensor:
        counts = client.positive(told.weight_limit)
        return tf.maximum(largest, tf.where(counts, told.weight_limit, 0.0))

    def report(largest: tf.Tensor) -> tf.Tensor:
        return tf.where(largest > 0, largest, 1.0)

    def larger(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
        return tf.maximum(one, other)

    return wiring.aggregate(
        wiring.apply(tell, weights), lambda: tf.constant(0.0), take, larger, report
    )


def power_of_two_above(number: tf.Tensor) -> tf.Tensor:
    """The smallest power of two that is not below a positive float32: exact."""
    bits = tf.bitcast(number, tf.int32)
    # Mantissas carry into the exponent, and are cut off.
    carried = tf.bitwise.bitwise_and(bits + 0x7FFFFF, 0x7F800000)
    return tf.where(number > 0, tf.bitcast(carried, tf.float32), number)
