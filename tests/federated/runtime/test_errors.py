import pytest
import tensorflow as tf
import tensorflow_federated as tff

from federated import runtime
from federated.runtime import errors


def test_an_assertion_is_its_sentence(federation):
    @tff.tensorflow.computation(tff.types.to_type(tf.int32.as_numpy_dtype))
    def half(number):
        check = tf.debugging.Assert(tf.equal(number % 2, 0), ["It's odd:", number])
        with tf.control_dependencies([check]):
            return number // 2

    assert half(4) == 2
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        half(5)
    assert caught.value.message == "It's odd: 5"


def test_a_missing_file_is_named():
    found = errors.plainly(
        tf.errors.NotFoundError(
            None, None, "Graph: /a/b.key; No such file or directory"
        )
    )
    assert isinstance(found, tf.errors.NotFoundError)
    assert "file /a/b.key" in found.message


def test_other_errors_stay():
    error = tf.errors.DataLossError(None, None, "corrupted record at 0")
    assert errors.plainly(error) is error


def test_only_tffs_own_context_is_replaced(federation):
    runtime.install_if_none()
    assert tff.framework.get_context_stack().current is federation.context
