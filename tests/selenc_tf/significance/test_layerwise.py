import numpy as np
import tensorflow as tf

from selenc_tf import flatten
from selenc_tf.masks import policy
from selenc_tf.significance import layerwise
from selenc_tf.significance.context import ScoreContext

SPEC = flatten.FlatSpec(
    ("conv0/kernel", "conv0/bias", "head/kernel", "head/bias"),
    ((2, 1), (1,), (1, 3), (2,)),
)
CONTEXT = ScoreContext(
    gradient=tf.constant([1.0, -1.0, 3.0, 0.0, 0.0, 6.0, 0.0, 0.0]),
    seed=tf.constant([0, 0]),
    spec=SPEC,
)


def hidden(metric, ratio):
    mask, _ = policy.top_fraction(ratio).update(SPEC, metric(CONTEXT), ())
    return list(np.flatnonzero(mask))


def test_first_layers():
    metric = layerwise.first_layers
    np.testing.assert_array_equal(metric(CONTEXT), [4, 4, 3, 2, 2, 2, 1, 1])
    assert hidden(metric, 3 / 8) == [0, 1, 2]
    assert hidden(metric, 4 / 8) == [0, 1, 2, 3]


def test_last_layers():
    metric = layerwise.last_layers
    np.testing.assert_array_equal(metric(CONTEXT), [1, 1, 2, 3, 3, 3, 4, 4])
    # The bias of the head, and of its kernel the first entry.
    assert hidden(metric, 3 / 8) == [3, 6, 7]


def test_sensitivity_per_byte_is_the_mean_energy():
    scores = layerwise.sensitivity_per_byte(CONTEXT)
    np.testing.assert_array_equal(scores, [1, 1, 9, 12, 12, 12, 0, 0])
    # Energy 36 in three entries before 9 in one.
    assert hidden(layerwise.sensitivity_per_byte, 4 / 8) == [2, 3, 4, 5]
