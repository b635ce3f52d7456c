import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from selenc_tf import flatten

SHAPES = st.lists(
    st.lists(st.integers(0, 4), max_size=3).map(tuple), min_size=1, max_size=5
)


@settings(max_examples=40, deadline=None)
@given(SHAPES, st.sampled_from([np.float32, np.float64, np.int64]))
def test_round_trip(shapes, dtype):
    rng = np.random.default_rng(0)
    tensors = [rng.integers(-99, 99, shape).astype(dtype) for shape in shapes]
    spec = flatten.FlatSpec(tuple("x" * len(shapes)), tuple(shapes))
    vector = flatten.flatten([tf.constant(tensor) for tensor in tensors])
    assert vector.shape == (spec.size,) and vector.dtype.as_numpy_dtype == dtype
    for found, expected in zip(flatten.unflatten(vector, spec), tensors, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_row_major_tensor_after_tensor():
    vector = flatten.flatten([tf.constant([[1, 2], [3, 4]]), tf.constant(5)])
    np.testing.assert_array_equal(vector, [1, 2, 3, 4, 5])


def test_sizes():
    spec = flatten.FlatSpec(("a", "b", "c"), ((2, 3), (), (0, 7)))
    assert spec.sizes == (6, 1, 0) and spec.size == 7


def test_wrong_length():
    spec = flatten.FlatSpec(("a",), ((2,),))
    with pytest.raises(ValueError, match=r"must have 2 entries.*got 3"):
        flatten.unflatten(tf.zeros([3]), spec)


def test_names_and_shapes_belong_together():
    with pytest.raises(ValueError, match="got 1 and 2"):
        flatten.FlatSpec(("a",), ((1,), (2,)))


def test_nothing_to_flatten():
    with pytest.raises(ValueError, match="at least one tensor"):
        flatten.FlatSpec((), ())
