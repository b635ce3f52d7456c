"""The lists of operations hold what they say, by TensorFlow's own registry."""

import pytest
import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from federated.key_flow import bodies, op_kinds
from federated.key_flow.cipher_ops import CipherOps, Role, body_of
from federated.key_flow.graph_taint import GraphTaint
from federated.key_flow.labels import ORDINARY, Label, union
from federated.key_flow.pure_ops import PURE_OPS
from tests.federated.rounds import CIPHER

LISTS = (
    op_kinds.RANDOM,
    op_kinds.STATE,
    op_kinds.DATASETS,
    op_kinds.STATEFUL_DATASETS,
    op_kinds.CACHES,
    op_kinds.HARMLESS,
)


def test_pure_operations_are_stateless():
    for op in PURE_OPS:
        definition = op_def_registry.get(op)
        assert definition is not None and not definition.is_stateful, op
        assert not {a.type for a in definition.attr} & {"func", "list(func)"}, op
        for argument in (*definition.input_arg, *definition.output_arg):
            assert not argument.is_ref, op
            assert argument.type != tf.resource.as_datatype_enum, op


def test_lists_are_apart_and_known():
    everything = [PURE_OPS, *LISTS]
    for index, one in enumerate(everything):
        assert all(op_def_registry.get(op) is not None for op in one)
        for other in everything[index + 1 :]:
            assert not one & other


@pytest.mark.parametrize(
    "word",
    "File Summary Checkpoint Snapshot Save Restore Reader Send Recv Collective Debug "
    "PyFunc Remote Graph Proto Xla Stage Queue Barrier Inplace Print".split(),
)
def test_nothing_that_reaches_out_is_taken_for_pure(word):
    # A data set's window is no graph, and a tensor's strings are no files.
    assert not [op for op in PURE_OPS.union(*LISTS) if word in op]


def node(**fields):
    return tf.compat.v1.NodeDef(**fields)


def test_only_this_process_runs_as_written():
    local = (
        "",
        "/device:CPU:0",
        "/job:localhost/replica:0/task:0/device:GPU:1",
        "/CPU:0",
    )
    elsewhere = ("/job:server", "/job:localhost/task:1", "/task:2/device:CPU:0", "x")
    assert all(op_kinds.runs_as_written(node(device=device)) for device in local)
    assert not any(
        op_kinds.runs_as_written(node(device=device)) for device in elsewhere
    )


def library_of(*functions):
    """All functions of a graph that calls these, and the names of these."""
    with tf.Graph().as_default() as graph:
        for function in functions:
            specs = function.input_signature
            function(*[tf.compat.v1.placeholder(s.dtype, s.shape) for s in specs])
    graph_def = graph.as_graph_def()
    called = [one.attr["f"].func.name for one in graph_def.node if "f" in one.attr]
    return {one.signature.name: one for one in graph_def.library.function}, called


def traced(body, name="f"):
    body.__name__ = name
    spec = tf.TensorSpec([], tf.int32)
    return tf.function(body, input_signature=[spec], autograph=False)


class TestBodies:
    def same(self, one, two):
        library, names = library_of(one, two)
        first, second = (bodies.fingerprint(name, library) for name in names)
        return first == second

    def test_a_name_does_not_matter(self):
        assert self.same(traced(lambda x: x + 1, "a"), traced(lambda x: x + 1, "b"))

    @pytest.mark.parametrize(
        "other",
        [
            lambda x: x + 2,
            lambda x: 1 + x,
            lambda x: x - 1,
            lambda x: (x + 1, x),
            lambda x: tf.cond(x > 0, lambda: x + 1, lambda: x + 1),
        ],
    )
    def test_what_is_computed_does(self, other):
        assert not self.same(traced(lambda x: x + 1), traced(other))

    def test_the_machine_does(self):
        def at(device):
            def body(x):
                with tf.device(device):
                    return x + 1

            return traced(body)

        assert self.same(at("/device:CPU:0"), at("/device:GPU:1"))
        assert not self.same(at("/device:CPU:0"), at("/job:server/device:CPU:0"))

    def test_what_is_called_does(self):
        def calling(number):
            inner = traced(lambda x: x + number)
            return traced(lambda x: inner(x))

        assert self.same(calling(1), calling(1))
        assert not self.same(calling(1), calling(2))

    def test_the_unknown_is_only_itself(self):
        assert bodies.fingerprint("a", {}) != bodies.fingerprint("b", {})


class TestCipherOps:
    def test_all_functions_of_a_cipher(self):
        roles = {one.role for one in CipherOps.of(CIPHER).by_body.values()}
        assert roles == {Role.KEYGEN, Role.ENCRYPT, Role.ADD, Role.DECRYPT}

    def test_found_by_the_parameters_in_graphs(self):
        library, names = library_of(CIPHER.encrypt, CIPHER.add)
        graph = tf.compat.v1.GraphDef()
        graph.library.function.extend(library.values())
        found = CipherOps.in_graphs([graph]).by_body
        assert found == CipherOps.of(CIPHER).by_body
        assert found[bodies.fingerprint(names[1], library)].role is Role.ADD

    @pytest.mark.parametrize("name", ["encrypt", "decrypt"])
    def test_found_by_one_function_that_reads_or_writes_blocks(self, name):
        library, _ = library_of(getattr(CIPHER, name))
        graph = tf.compat.v1.GraphDef()
        graph.library.function.extend(library.values())
        assert CipherOps.in_graphs([graph]).by_body == CipherOps.of(CIPHER).by_body

    def test_no_plain_python_function_is_trusted(self):
        assert body_of(lambda x: x) is None

    def test_a_changed_constant_is_another_function(self):
        library, (name,) = library_of(CIPHER.add)
        changed = {key: type(value)() for key, value in library.items()}
        for key, value in library.items():
            changed[key].CopyFrom(value)
        constants = [
            one
            for body in changed.values()
            for one in body.node_def
            if one.op == "Const" and one.attr["dtype"].type == tf.int32.as_datatype_enum
        ]
        value = constants[-1].attr["value"].tensor
        other = tf.make_ndarray(value)
        value.CopyFrom(tf.make_tensor_proto(other + other.dtype.type(1)))
        assert bodies.fingerprint(name, changed) not in CipherOps.of(CIPHER).by_body


def every_operation():
    """The definitions of all operations that TensorFlow has in Python and that take in."""
    names = [name for name in dir(tf.raw_ops) if name[0].isupper()]
    found = [op_def_registry.get(name) for name in names]
    return [one for one in found if one is not None and one.input_arg]


def given_a_secret(definition, graph=()):
    """What the analysis says of a node whose inputs are all the key."""
    graph_def = tf.compat.v1.GraphDef()
    graph_def.node.add(name="key", op="Placeholder")
    graph_def.node.extend(graph)
    inputs = ["public" if graph else "key"] * len(definition.input_arg)
    waits = ["^gate"] if graph else []
    graph_def.node.add(name="node", op=definition.name, input=[*inputs, *waits])
    taint = GraphTaint(graph_def, CipherOps())
    feeds = {"key": frozenset({Label.KEY}), "public": ORDINARY}
    outputs = taint.outputs(feeds, ["node:0"])
    return union(outputs), {label for _, label in taint.exports}, union(taint.kept)


def test_no_operation_of_tensorflow_loses_a_secret():
    definitions = every_operation()
    assert len(definitions) > 1000
    for definition in definitions:
        output, exports, kept = given_a_secret(definition)
        assert Label.KEY in output | exports | kept, definition.name
        if definition.output_arg:
            assert Label.KEY in output, definition.name


def test_no_operation_acts_unseen_where_a_secret_decides():
    """After a `Switch` on the key; all but what is known to do nothing else."""
    gate = [
        tf.compat.v1.NodeDef(name="public", op="Placeholder"),
        tf.compat.v1.NodeDef(name="switch", op="Switch", input=["public", "key"]),
        tf.compat.v1.NodeDef(name="gate", op="Identity", input=["switch:1"]),
    ]
    silent = PURE_OPS | op_kinds.HARMLESS | {*op_kinds.WHOLE, "IdentityN"}
    silent |= op_kinds.DATASETS | op_kinds.STATEFUL_DATASETS
    silent |= op_kinds.CASES  # Without branches there is nothing to do.
    for definition in every_operation():
        if definition.name not in silent:
            output, exports, kept = given_a_secret(definition, gate)
            assert Label.KEY in exports | kept, definition.name
            assert not definition.output_arg or Label.KEY in output, definition.name
