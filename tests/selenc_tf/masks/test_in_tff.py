"""Policies inside a TFF computation, with loops, branches and state."""

import numpy as np
import pytest
import tensorflow as tf

from tests.selenc_tf.masks.policies import RATIO_BUILDERS, SPEC, N, scores


@pytest.mark.parametrize(
    "name", ["per_layer", pytest.param("all together", marks=pytest.mark.slow)]
)
def test_as_outside(federation, name):
    import tensorflow_federated as tff

    policy = RATIO_BUILDERS[name](0.3)
    init = tff.tensorflow.computation(lambda: policy.init(SPEC))

    @tff.tensorflow.computation(
        tff.TensorType(np.float32, [N]), init.type_signature.result
    )
    def update(values, state):
        return policy.update(SPEC, values, state)

    mask, _ = update(scores(1), init())
    expected, _ = policy.update(SPEC, tf.constant(scores(1)), policy.init(SPEC))
    np.testing.assert_array_equal(mask, expected)
    wrong = scores(1)
    wrong[-1] = np.nan
    with pytest.raises(Exception, match="must be finite"):
        update(wrong, init())
