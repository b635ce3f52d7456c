"""Labels within one graph."""

import types

import tensorflow as tf
import tensorflow_federated as tff

import federated  # noqa: F401
from federated import key_flow
from federated.key_flow import graph_taint
from federated.key_flow.labels import SHOWN, Label
from tests.federated.key_flow.parts import NO_LABEL, SUM

tf_comp = tff.tensorflow.computation
fed_comp = tff.federated_computation


def labels_of(body, **inputs):
    """The labels of a graph's outputs, given those of its (int32) inputs."""
    with tf.Graph().as_default() as graph:
        tensors = {
            name: tf.compat.v1.placeholder(tf.int32, [], name) for name in inputs
        }
        outputs = tf.nest.flatten(body(types.SimpleNamespace(**tensors)))
    taint = graph_taint.GraphTaint(graph.as_graph_def(), key_flow.CipherOps())
    found = taint.outputs(inputs, [output.name for output in outputs])
    return [labels & SHOWN for labels in found]


KEY = frozenset({Label.KEY})


class TestPrecision:
    """Labels stay apart where the graph keeps values apart."""

    def test_identity_n(self):
        found = labels_of(lambda i: tf.identity_n([i.key, i.x]), key=KEY, x=NO_LABEL)
        assert found == [KEY, NO_LABEL]

    def test_function(self):
        @tf.function(autograph=False)
        def swap(a, b):
            return b + 1, a + 1

        assert labels_of(lambda i: swap(i.key, i.x), key=KEY, x=SUM) == [SUM, KEY]

    def test_cond(self):
        found = labels_of(
            lambda i: tf.cond(i.x > 0, lambda: (i.key, i.x), lambda: (i.x, i.x)),
            key=KEY,
            x=SUM,
        )
        assert found == [KEY | SUM, SUM]

    def test_loop(self):
        # The key walks one place further in each turn and never reaches the last.
        found = labels_of(
            lambda i: tf.while_loop(
                lambda n, a, b, c: n < 3,
                lambda n, a, b, c: (n + 1, a, a, c),
                (0, i.key, i.x, i.x),
            ),
            key=KEY,
            x=NO_LABEL,
        )
        assert found == [NO_LABEL, KEY, KEY, NO_LABEL]

    def test_loop_needs_several_turns(self):
        found = labels_of(
            lambda i: tf.while_loop(
                lambda n, a, b, c: n < 3,
                lambda n, a, b, c: (n + 1, a, a, b),
                (0, i.key, i.x, i.x),
            ),
            key=KEY,
            x=NO_LABEL,
        )
        assert found == [NO_LABEL, KEY, KEY, KEY]

    def test_variables_of_other_data(self):
        def body(i):
            kept = tf.Variable(0, trainable=False)
            with tf.control_dependencies([kept.assign(i.x)]):
                return kept.read_value(), i.key

        assert labels_of(body, key=KEY, x=SUM) == [SUM, KEY]

    def test_variables_remember_without_any_edge(self):
        def body(i):
            kept = tf.Variable(0, trainable=False)
            kept.assign(i.key)
            return kept.read_value()

        assert labels_of(body, key=KEY) == [KEY]
