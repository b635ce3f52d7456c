"""What a client takes out of a vector is put back in its place."""

import numpy as np
import pytest
import tensorflow as tf

from federated.round import client

VECTOR = np.array([1.5, -0.0, 3.0, np.nan, 5.0], np.float32)


@pytest.mark.parametrize("hidden", ["00000", "11111", "10000", "00001", "01101"])
def test_merge(hidden):
    mask = np.array([bit == "1" for bit in hidden])
    merged = client.merge(
        tf.constant(VECTOR[~mask]), tf.constant(VECTOR[mask]), tf.constant(mask)
    )
    assert merged.shape == [5]
    assert merged.numpy().tobytes() == VECTOR.tobytes()


@pytest.mark.parametrize("hidden", ["11111", "01101"])
@pytest.mark.parametrize("surplus", [-1, 1])
def test_merge_refuses_another_number_of_entries(hidden, surplus):
    mask = np.array([bit == "1" for bit in hidden])
    with pytest.raises(tf.errors.InvalidArgumentError):
        client.merge(
            tf.constant(VECTOR[~mask]),
            tf.zeros([mask.sum() + surplus]),
            tf.constant(mask),
        )
