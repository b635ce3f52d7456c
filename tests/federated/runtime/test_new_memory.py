"""What kernels leave unwritten is zeros, and nobody's freed memory."""

import threading

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

from federated import runtime
from selenc_tf.lattice import memory

MARK = 0x5EC2E7

pytestmark = pytest.mark.skipif(
    not memory.can_be_zeroed(),
    reason="The C library's allocator cannot be told to fill.",
)


def unwritten(columns, after):
    """The solution of no equations, which TensorFlow does not write, once `after` ran."""
    with tf.control_dependencies(after):
        nothing = tf.zeros([0, columns], tf.float64)
        found = tf.raw_ops.MatrixSolveLs(
            matrix=tf.identity(nothing),
            rhs=tf.zeros([0, 4], tf.float64),
            l2_regularizer=tf.constant(0.0, tf.float64),
        )
    return tf.bitcast(found, tf.int64)


def marks_and_what_is_left(mark):
    """Marks that are freed again, and what is then found in outputs of the same sizes."""
    found, kept = [], []
    for columns in (40, 100, 400, 1000, 40_000, 400, 100, 2000, 40_000, 400):
        marks = [tf.tile(tf.reshape(mark, [1, 1]), [columns, 4]) for _ in range(4)]
        kept += [tf.reduce_max(each) for each in marks]
        found += [unwritten(columns, kept) for _ in range(4)]
    return tf.concat([tf.reshape(each, [-1]) for each in found], 0), tf.stack(kept)


def left_in(found):
    return {int(one) for one in np.unique(found)}


def test_a_computation_gives_out_no_freed_memory():
    block = tff.tensorflow.computation(marks_and_what_is_left, np.int64)
    with tff.framework.get_context_stack().install(runtime.InProcessContext()):
        for _ in range(5):
            found, _ = block(MARK)
            assert left_in(found) == {0}


def test_the_gradient_of_a_depthwise_convolution_of_no_examples_is_zeros():
    def filters(count):
        kept = [tf.tile([[1.5e10]], [count, 4]) for _ in range(4)]
        sums = [tf.reduce_max(each) for each in kept]
        with tf.control_dependencies(sums):
            slope = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
                input=tf.zeros([0, 8, 8, 16]),
                filter_sizes=[3, 3, 16, 2],
                out_backprop=tf.zeros([0, 8, 8, 32]),
                strides=[1, 1, 1, 1],
                padding="SAME",
            )
        return slope, tf.stack(sums)

    block = tff.tensorflow.computation(filters, np.int32)
    with tff.framework.get_context_stack().install(runtime.InProcessContext()):
        for count in (72, 288, 72, 288):
            assert not np.any(block(count)[0])


def test_outside_of_one_it_is():
    function = tf.function(marks_and_what_is_left, autograph=False)
    seen = set()
    for _ in range(20):
        seen |= left_in(function(tf.constant(MARK, tf.int64))[0])
    # The kernel really does not write: the test above is of something.
    assert seen != {0}


def test_a_data_set_that_another_graph_reads_gives_out_no_freed_memory():
    spec = tff.SequenceType(tff.TensorType(np.int64, [400, 4]))

    @tff.tensorflow.computation(np.int64)
    def deferred(mark):
        return tf.data.Dataset.range(20).map(
            lambda at: tf.ensure_shape(
                unwritten(400, [tf.reduce_max(tf.tile([[mark + at]], [400, 4]))]),
                [400, 4],
            )
        )

    @tff.tensorflow.computation(spec)
    def read(elements):
        start = tf.constant(0, tf.int64)
        return elements.reduce(
            start, lambda most, one: tf.maximum(most, tf.reduce_max(tf.abs(one)))
        )

    @tff.federated_computation(np.int64)
    def both(mark):
        return read(deferred(mark))

    with tff.framework.get_context_stack().install(runtime.InProcessContext()):
        for _ in range(5):
            assert both(MARK) == 0


def test_it_lasts_until_the_last_computation_has_ended():
    inside, leave = threading.Event(), threading.Event()

    def other():
        with memory.zeroed():
            inside.set()
            leave.wait(60)

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(60)
    with memory.zeroed():
        pass
    found = np.concatenate(
        [unwritten(columns, []).numpy().ravel() for columns in (100, 400, 1000)]
    )
    leave.set()
    thread.join()
    assert not found.any()
