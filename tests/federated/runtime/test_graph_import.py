"""Graph rewriting and import, on graphs made by hand."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

from federated.runtime import graph_rewrite
from federated.runtime.graph_import import import_graph

tf_comp = tff.tensorflow.computation


def _proto(comp):
    return tff.framework.serialize_computation(comp)


def _graph(build):
    with tf.Graph().as_default() as graph:
        build()
    return graph.as_graph_def()


def _called_twice():
    @tf.function(autograph=False)
    def square(x):
        return x * x

    x = tf.compat.v1.placeholder(tf.float32, [], name="x")
    tf.add(square(x), square(x), name="y")


def _compiled_sum(number):
    return tf.function(
        lambda x: x + number,
        input_signature=[tf.TensorSpec([])],
        autograph=False,
        jit_compile=True,
    ).get_concrete_function()


class TestRenameFunctions:
    def test_every_use_is_renamed(self):
        graph = _graph(_called_twice)
        names = {f.signature.name for f in graph.library.function}
        renamed = graph_rewrite.rename_functions(graph, "p_")
        assert {f.signature.name for f in renamed.library.function} == {
            f"p_{name}" for name in names
        }
        calls = [n.attr["f"].func.name for n in renamed.node if "f" in n.attr]
        assert len(calls) == 2 and all(call.startswith("p_") for call in calls)
        text = str(renamed)
        assert not any(f'"{name}"' in text for name in names)

    def test_what_xla_compiles_has_one_name_in_all_graphs(self):
        @tf.function(autograph=False)
        def inner(x):
            return x + 1.0

        compiled = tf.function(
            lambda x: inner(x) * 2.0,
            input_signature=[tf.TensorSpec([])],
            autograph=False,
            jit_compile=True,
        ).get_concrete_function()

        def names(prefix, number):
            graph = _graph(lambda: compiled(tf.constant(number)) + inner(number))
            renamed = graph_rewrite.rename_functions(graph, prefix)
            return {one.signature.name for one in renamed.library.function}

        one, two = names("p_", 1.0), names("q_", 2.0)
        assert {name for name in one if name.startswith("xla_")} == one & two
        assert len(one & two) >= 2 and len(one | two) == len(one) + len(two - one)

    def test_what_xla_compiles_of_two_kinds_has_two_names(self):
        def name(number):
            graph = _graph(lambda: _compiled_sum(number)(tf.constant(1.0)))
            graph.library.function[0].signature.name = "same"
            for node in graph.node:
                if "f" in node.attr:
                    node.attr["f"].func.name = "same"
            renamed = graph_rewrite.rename_functions(graph, "p_")
            return renamed.library.function[0].signature.name

        assert name(1.0) == name(1.0) != name(2.0)

    def test_lists_pairs_and_gradients(self):
        graph = tf.compat.v1.GraphDef()
        for name in ("f", "g", "h"):
            graph.library.function.add().signature.name = name
        node = graph.node.add(name="case", op="Case")
        node.attr["branches"].list.func.add().name = "f"
        node.attr["branches"].list.func.add().name = "g"
        node.attr["nested"].func.name = "other"
        node.attr["nested"].func.attr["inner"].func.name = "h"
        graph.node.add(name="call", op="g")
        graph.node.add(name="add", op="Add")
        graph.library.function[0].attr["backward_function_name"].s = b"g"
        graph.library.function[1].attr["forward_function_name"].s = b"f"
        graph.library.gradient.add(function_name="f", gradient_func="g")
        renamed = graph_rewrite.rename_functions(graph, "p_")
        case = renamed.node[0]
        assert [f.name for f in case.attr["branches"].list.func] == ["p_f", "p_g"]
        assert case.attr["nested"].func.name == "other"
        assert case.attr["nested"].func.attr["inner"].func.name == "p_h"
        assert [node.op for node in renamed.node] == ["Case", "p_g", "Add"]
        functions = renamed.library.function
        assert functions[0].attr["backward_function_name"].s == b"p_g"
        assert functions[1].attr["forward_function_name"].s == b"p_f"
        gradient = renamed.library.gradient[0]
        assert (gradient.function_name, gradient.gradient_func) == ("p_f", "p_g")

    def test_the_argument_is_left_alone(self):
        graph = _graph(_called_twice)
        before = graph.SerializeToString(deterministic=True)
        graph_rewrite.rename_functions(graph, "p_")
        graph_rewrite.isolate_resources(graph, "p_")
        graph_rewrite.subgraph(graph, ["y"], [])
        assert graph.SerializeToString(deterministic=True) == before


class TestIsolateResources:
    def test_variables_become_anonymous(self):
        graph = _graph(lambda: tf.Variable(1.0, name="v"))
        isolated, anonymous = graph_rewrite.isolate_resources(graph, "p_")
        handles = [n for n in isolated.node if n.op == "VarHandleOp"]
        assert {n.name for n in handles} == anonymous != set()
        assert handles[0].attr["shared_name"].s == graph_rewrite.ANONYMOUS_NAME

    def test_the_name_makes_a_new_variable_each_time(self):
        # Guards the constant, which TensorFlow does not export.
        @tf.function(autograph=False)
        def make():
            return tf.raw_ops.VarHandleOp(
                dtype=tf.float32, shape=[], shared_name=graph_rewrite.ANONYMOUS_NAME
            )

        first, second = make(), make()
        tf.raw_ops.AssignVariableOp(resource=first, value=1.0)
        tf.raw_ops.AssignVariableOp(resource=second, value=2.0)
        assert tf.raw_ops.ReadVariableOp(resource=first, dtype=tf.float32) == 1.0

    def test_a_name_that_is_used_twice_stays_shared_but_private(self):
        graph = tf.compat.v1.GraphDef()
        for name in ("a", "b"):
            node = graph.node.add(name=name, op="VarHandleOp")
            node.attr["shared_name"].s = b"v"
        isolated, anonymous = graph_rewrite.isolate_resources(graph, "p_")
        assert anonymous == frozenset()
        assert {n.attr["shared_name"].s for n in isolated.node} == {b"p_v"}

    def test_a_queue_is_private_to_its_graph(self):
        graph = tf.compat.v1.GraphDef()
        graph.node.add(name="queue", op="FIFOQueueV2").attr["shared_name"].s = b""
        isolated, _ = graph_rewrite.isolate_resources(graph, "p_")
        assert isolated.node[0].attr["shared_name"].s == b"p_queue"


class TestSubgraph:
    def _chain(self):
        graph = tf.compat.v1.GraphDef()
        graph.node.add(name="a", op="Const")
        graph.node.add(name="b", op="Identity", input=["a"])
        graph.node.add(name="c", op="Identity", input=["b:0", "^a"])
        graph.node.add(name="unused", op="Const")
        return graph

    def test_keeps_what_is_needed(self):
        kept = graph_rewrite.subgraph(self._chain(), ["c:0"], [])
        assert [n.name for n in kept.node] == ["a", "b", "c"]

    def test_ends_at_the_stops(self):
        kept = graph_rewrite.subgraph(self._chain(), ["c"], ["a"])
        assert [n.name for n in kept.node] == ["b", "c"]
        assert list(kept.node[1].input) == ["b:0"], "no control input from a fed node"

    def test_unknown_target(self):
        with pytest.raises(ValueError, match="`z`"):
            graph_rewrite.subgraph(self._chain(), ["z"], [])


class TestImportGraph:
    def test_a_parameter_returned_as_it_is(self):
        graph = tf.compat.v1.GraphDef()
        node = graph.node.add(name="x", op="Placeholder")
        node.attr["dtype"].type = tf.int32.as_datatype_enum
        comp = tf_comp(lambda x: x, np.int32)
        proto = _proto(comp)
        proto.tensorflow.graph_def.value = graph.SerializeToString()
        proto.tensorflow.parameter.tensor.tensor_name = "x:0"
        proto.tensorflow.result.tensor.tensor_name = "x:0"
        function = import_graph(proto, comp.type_signature)
        assert function(tf.constant(5), lambda: "token") == 5

    def test_one_result_fetched_twice(self):
        comp = tf_comp(lambda x: (x, x), np.int32)
        proto = _proto(comp)
        element = proto.tensorflow.result.struct.element
        element[1].CopyFrom(element[0])
        function = import_graph(proto, comp.type_signature)
        one, other = function(tf.constant(5), lambda: "token")
        assert one == other == 5

    def test_nothing_to_fetch(self):
        comp = tf_comp(lambda x: (), np.int32)
        function = import_graph(_proto(comp), comp.type_signature)
        assert function(tf.constant(5), lambda: "token") == ()

    def test_a_node_that_is_missing(self):
        comp = tf_comp(lambda x: x + 1, np.int32)
        proto = _proto(comp)
        proto.tensorflow.result.tensor.tensor_name = "gone:0"
        with pytest.raises(ValueError, match="`gone`"):
            import_graph(proto, comp.type_signature)

    def test_the_token_is_made_only_for_graphs_that_read_it(self):
        comp = tf_comp(lambda x: x + 1, np.int32)
        function = import_graph(_proto(comp), comp.type_signature)

        def unexpected():
            raise AssertionError("the graph does not read the token")

        assert function(tf.constant(1), unexpected) == 2

    def test_unused_stateful_nodes_do_not_run(self):
        # As in a session: an assertion that no result depends on is not evaluated.
        @tf_comp(np.int32)
        def unchecked(x):
            tf.debugging.Assert(tf.constant(False), [x])
            return x + 1

        function = import_graph(_proto(unchecked), unchecked.type_signature)
        assert function(tf.constant(1), lambda: "token") == 2


class TestClaimedShapes:
    """TensorFlow believes what a graph says of its tensors; the runtime compares."""

    def test_a_result_has_the_shape_of_its_type(self):
        @tf_comp(tff.TensorType(np.int64, [None]))
        def claims(x):
            return tf.raw_ops.PlaceholderWithDefault(input=x, shape=[5])

        function = import_graph(_proto(claims), claims.type_signature)
        assert function(tf.range(5, dtype=tf.int64), str).shape == [5]
        with pytest.raises(TypeError, match=r"result of .* int64\[5\].* \(1,\)"):
            function(tf.range(1, dtype=tf.int64), str)

    def test_so_does_what_a_tensor_says_of_itself(self):
        @tf_comp(tff.TensorType(np.int64, [None]))
        def claims(x):
            x = tf.identity(x)
            x.set_shape([5])
            return x

        function = import_graph(_proto(claims), claims.type_signature)
        with pytest.raises(TypeError, match="result"):
            function(tf.range(1, dtype=tf.int64), str)

    def test_an_argument_has_the_shape_of_its_type(self):
        comp = tf_comp(lambda x: tf.size(x), tff.TensorType(np.int64, [5]))
        function = import_graph(_proto(comp), comp.type_signature)
        with pytest.raises(TypeError, match=r"argument of .* int64\[5\].* \(1,\)"):
            function(tf.range(1, dtype=tf.int64), str)
