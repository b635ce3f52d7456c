"""What nobody's tracing makes, so that TensorFlow would run it otherwise, is refused."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff
from tensorflow_federated.proto.v0 import computation_pb2
from tensorflow_federated.python.core.impl.computation import computation_impl

import federated  # noqa: F401
from federated import key_flow
from tests.federated.key_flow.parts import key_at_clients, send

tf_comp = tff.tensorflow.computation
fed_comp = tff.federated_computation


def edited(computation, edit):
    """The computation after `edit(bindings, graph_def)`."""
    proto = computation_pb2.Computation()
    proto.CopyFrom(computation_impl.ConcreteComputation.get_proto(computation))
    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(proto.tensorflow.graph_def.value)
    edit(proto.tensorflow, graph)
    proto.tensorflow.graph_def.Pack(graph)
    proto.tensorflow.ClearField("cache_key")
    return computation_impl.ConcreteComputation(
        computation_proto=proto,
        context_stack=tff.framework.get_context_stack(),
        annotated_type=computation.type_signature,
    )


@tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
def called(text):
    return tf.strings.join([text, "!"])


@tf_comp(np.str_, np.str_)
def joined(one, two):
    return tf.strings.join([called(one), two])


def fed_into_one_node(bindings, graph):
    one, two = (part.tensor for part in bindings.parameter.struct.element)
    two.tensor_name = one.tensor_name.split(":")[0] + ":1"


def fed_into_a_constant(bindings, graph):
    graph.node.add(name="middle", op="Const")
    bindings.parameter.struct.element[0].tensor.tensor_name = "middle:0"


def the_token_into_a_constant(bindings, graph):
    graph.node.add(name="middle", op="Const")
    bindings.session_token_tensor_name = "middle:0"


def two_nodes_of_one_name(bindings, graph):
    graph.node.add().CopyFrom(graph.node[0])


def named_like_an_operation(bindings, graph):
    graph.library.function[0].signature.name = "TakeDataset"


def twice_in_the_library(bindings, graph):
    graph.library.function.add().CopyFrom(graph.library.function[0])


def of_any_number_of_results(bindings, graph):
    signature = graph.library.function[0].signature
    signature.output_arg[0].number_attr = "N"


def of_attributes(bindings, graph):
    signature = graph.library.function[0].signature
    signature.attr.add(name="N", type="int")


def with_an_attribute_that_callers_fill_in(bindings, graph):
    node = graph.library.function[0].node_def[0]
    node.attr["separator"].placeholder = "E"


def with_a_gradient(bindings, graph):
    graph.library.gradient.add(function_name="one", gradient_func="two")


def claiming_a_shape(bindings, graph):
    name = bindings.parameter.struct.element[1].tensor.tensor_name.split(":")[0]
    (node,) = [node for node in graph.node if node.name == name]
    node.attr["shape"].shape.CopyFrom(tf.TensorShape([5]).as_proto())


@pytest.mark.parametrize(
    "edit",
    [
        fed_into_one_node,
        fed_into_a_constant,
        the_token_into_a_constant,
        two_nodes_of_one_name,
        named_like_an_operation,
        twice_in_the_library,
        of_any_number_of_results,
        of_attributes,
        with_an_attribute_that_callers_fill_in,
        with_a_gradient,
        claiming_a_shape,
    ],
)
def test_what_may_mean_two_things_is_refused(path, edit):
    made = edited(joined, edit)

    @fed_comp
    def process():
        text = tff.federated_value("public", tff.CLIENTS)
        return send(tff.federated_map(made, (key_at_clients(path), text)))

    with pytest.raises(NotImplementedError, match="as TensorFlow's tracing makes it"):
        key_flow.analyse(process, path)


def test_what_tracing_makes_is_not(path):
    same = edited(joined, lambda bindings, graph: None)

    @fed_comp
    def process():
        text = tff.federated_value("public", tff.CLIENTS)
        return send(tff.federated_map(same, (text, text)))

    assert not key_flow.analyse(process, path).violations


@pytest.mark.parametrize(
    ("said", "refused"),
    [([None], False), (None, False), ([5], True), ([1], True), ([None, None], True)],
)
def test_a_placeholder_says_no_more_than_its_type(said, refused):
    def claim(bindings, graph):
        name = bindings.parameter.tensor.tensor_name.split(":")[0]
        (node,) = [node for node in graph.node if node.name == name]
        node.attr["shape"].shape.CopyFrom(tf.TensorShape(said).as_proto())

    size = tf_comp(lambda x: tf.size(x), tff.TensorType(np.int64, [None]))
    if refused:
        with pytest.raises(NotImplementedError, match="placeholder claims"):
            key_flow.analyse(edited(size, claim))
    else:
        key_flow.analyse(edited(size, claim))
