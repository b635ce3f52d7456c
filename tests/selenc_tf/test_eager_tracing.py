import numpy as np
import tensorflow as tf

from selenc_tf import eager_tracing


def kept(labels):
    """As many write it."""
    return tf.reduce_sum(tf.cast(labels != 0, tf.int32))


def in_a_graph_of_tensorflow_1(function, value):
    with tf.Graph().as_default() as graph:
        result = function(tf.constant(value))
        with tf.compat.v1.Session(graph=graph) as session:
            return session.run(result)


def test_such_graphs_compare_python_objects():
    """Why there is this module. When this fails, it may go."""
    assert in_a_graph_of_tensorflow_1(kept, [0, 3, 0, 2]) == 1


def test_isolated_code_compares_numbers():
    isolated = eager_tracing.isolated(kept)
    assert in_a_graph_of_tensorflow_1(isolated, [0, 3, 0, 2]) == 2
    assert isolated(tf.constant([0, 3, 0, 2])) == 2


def test_isolated_code_has_its_gradient():
    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = eager_tracing.isolated(
                lambda x: tf.reduce_sum(tf.where(x == 2.0, x**2, x))
            )(x)
        return tape.gradient(value, x)

    found = in_a_graph_of_tensorflow_1(slope, np.float32([1, 2, 3]))
    np.testing.assert_array_equal(found, [1, 4, 1])
