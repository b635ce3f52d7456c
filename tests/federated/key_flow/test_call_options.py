"""What a call may ask of the executor."""

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2

from federated.key_flow import bodies, call_options

ON = rewriter_config_pb2.RewriterConfig.ON
OFF = rewriter_config_pb2.RewriterConfig.OFF


def call(proto=None, **options):
    """An operation that calls a function."""
    inner = tf.function(
        lambda x: x + 1, input_signature=[tf.TensorSpec([])], autograph=False
    )
    if proto is not None:
        options["config_proto"] = proto.SerializeToString()
    with tf.Graph().as_default() as graph:
        function = inner.get_concrete_function()
        function.add_to_graph(graph)
        x = tf.compat.v1.placeholder(tf.float32, [])
        tf.raw_ops.StatefulPartitionedCall(
            args=[x], Tout=[tf.float32], f=function, name="call", **options
        )
    (node,) = [node for node in graph.as_graph_def().node if node.name == "call"]
    return node


def configured(change):
    config = config_pb2.ConfigProto()
    change(config)
    return config


def with_rewriting(**options):
    def change(config):
        for name, value in options.items():
            setattr(config.graph_options.rewrite_options, name, value)

    return configured(change)


def with_custom_optimizer(config):
    config.graph_options.rewrite_options.custom_optimizers.add(name="mine")


def with_compilation(config):
    options = config.graph_options.optimizer_options
    options.global_jit_level = config_pb2.OptimizerOptions.ON_1


def with_bridge(config):
    config.experimental.enable_mlir_bridge = True


@pytest.mark.parametrize(
    "config",
    [
        None,
        config_pb2.ConfigProto(),
        configured(lambda config: setattr(config, "allow_soft_placement", True)),
        configured(lambda config: config.device_count.update({"CPU": 2})),
        configured(lambda config: config.experimental.SetInParent()),
        with_rewriting(debug_stripper=OFF, constant_folding=ON),
        with_rewriting(disable_meta_optimizer=True),
    ],
)
def test_what_is_usual(config):
    assert call_options.are_usual(call(config))


@pytest.mark.parametrize(
    "config",
    [
        with_rewriting(debug_stripper=ON),
        with_rewriting(auto_mixed_precision=ON),
        configured(with_custom_optimizer),
        configured(with_compilation),
        configured(with_bridge),
    ],
)
def test_what_may_change_what_is_computed(config):
    assert not call_options.are_usual(call(config))


def test_what_is_no_config():
    assert not call_options.are_usual(call(config_proto=b"\xff"))
    assert not call_options.are_usual(call(config="x"))
    assert not call_options.are_usual(call(executor_type="x"))


def test_calls_of_tensorflow_are_usual():
    with tf.Graph().as_default() as graph:
        tf.function(lambda x: x + 1, autograph=False)(tf.constant(1))
    (node,) = [node for node in graph.as_graph_def().node if "f" in node.attr]
    assert node.attr["config_proto"].s and call_options.are_usual(node)


def test_a_body_that_calls_in_another_way_is_another():
    def body(config):
        function = tf.compat.v1.GraphDef().library.function.add()
        function.signature.name = "outer"
        node = function.node_def.add()
        node.CopyFrom(call(config))
        node.attr["f"].func.name = "inner"
        return bodies.fingerprint("outer", {"outer": function})

    plain = body(config_pb2.ConfigProto())
    assert body(with_rewriting(debug_stripper=OFF)) == plain
    assert body(with_rewriting(debug_stripper=ON)) != plain


def with_attribute(name, value=True):
    node = call()
    node.attr[name].b = value
    return node


def compiled(graph_def, name):
    (function,) = [
        one for one in graph_def.library.function if name in one.signature.name
    ]
    return function


def test_what_is_compiled_is_told_from_what_is_not():
    @tf.function(autograph=False, jit_compile=True)
    def fast(x):
        return x + 1

    with tf.Graph().as_default() as graph:
        fast(tf.constant(1))
    graph_def = graph.as_graph_def()
    assert call_options.is_compiled(compiled(graph_def, "fast"))
    assert all(call_options.are_usual(node) for node in graph_def.node)
    assert not call_options.is_compiled(call())
    assert not call_options.is_compiled(with_attribute("_XlaMustCompile", False))
    assert call_options.is_compiled(with_attribute("_XlaMustCompile"))
    chosen = call()
    chosen.attr["f"].func.attr["_XlaMustCompile"].s = b"yes"
    assert call_options.is_compiled(chosen)


# From TensorFlow's sources: what its executor, its placer and its compilers look for.
@pytest.mark.parametrize(
    "name",
    [
        "_forward_input",
        "_scoped_allocator",
        "_kernel",
        "_XlaCompile",
        "_xla_compile_id",
        "_replication_info",
        "_input_hostmem",
        "_output_shapes",
        "_nothing_that_anybody_knows",
    ],
)
def test_attributes_of_no_operation_are_unusual(name):
    assert not call_options.are_usual(with_attribute(name))
    chosen = call()
    chosen.attr["f"].func.attr[name].b = True
    assert not call_options.are_usual(chosen)


def test_what_tensorflow_writes_is_usual():
    node = with_attribute("_has_manual_control_dependencies")
    node.attr["f"].func.attr["_tf_data_function"].b = True
    assert call_options.are_usual(node)


@pytest.mark.parametrize("place", ["node", "called", "function", "argument"])
def test_a_body_with_an_attribute_of_no_operation_is_another(place):
    function = tf.compat.v1.GraphDef().library.function.add()
    function.signature.name = "outer"
    function.node_def.add().CopyFrom(call())
    known = bodies.fingerprint("outer", {"outer": function})
    attributes = {
        "node": function.node_def[0].attr,
        "called": function.node_def[0].attr["f"].func.attr,
        "function": function.attr,
        "argument": function.arg_attr[0].attr,
    }[place]
    attributes["_user_specified_name" if place == "argument" else "_class"].s = b"x"
    assert bodies.fingerprint("outer", {"outer": function}) == known
    attributes["_forward_input"].list.i.append(0)
    assert bodies.fingerprint("outer", {"outer": function}) != known
