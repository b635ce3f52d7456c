"""What clients tell of their weights."""

import numpy as np
import tensorflow as tf

import federated  # noqa: F401
from federated.round import weight_limit


def test_the_power_of_two_above():
    for number, above in (
        (1.0, 1),
        (1.5, 2),
        (2.0, 2),
        (600.0, 1024),
        (2.0**-5, 2**-5),
    ):
        found = weight_limit.power_of_two_above(tf.constant(number, tf.float32))
        assert float(found) == above
    largest = np.nextafter(np.float32(8), np.float32(9))
    assert float(weight_limit.power_of_two_above(tf.constant(largest))) == 16
    assert float(weight_limit.power_of_two_above(tf.constant(0.0))) == 0
