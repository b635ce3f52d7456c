"""Errors say what was expected of which argument, and never show client values."""

import collections

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff
from google.protobuf import any_pb2

from federated import runtime
from federated.runtime.placed_values import (
    UnsupportedBlockError,
    UnsupportedIntrinsicError,
)

tf_comp = tff.tensorflow.computation
fed_comp = tff.federated_computation
AT_CLIENTS = tff.FederatedType(np.int32, tff.CLIENTS)
SECRET = 31337


@pytest.fixture(autouse=True, scope="module")
def _context():
    with tff.framework.get_context_stack().install(runtime.InProcessContext()):
        yield


def invoke(comp, *args):
    """The message of the error that a call must raise."""
    with pytest.raises((TypeError, ValueError)) as error:
        comp(*args)
    return str(error.value)


@pytest.mark.parametrize(
    ("type_spec", "value", "words"),
    [
        (np.int32, 3.5, ["int32", "float"]),
        (np.float32, 3, ["float32", "int"]),
        (np.float32, np.float64(3), ["float32", "float64"]),
        (np.int32, 2**40, ["int32"]),
        (np.int32, [SECRET], ["int32", "(1,)"]),
        (np.str_, SECRET, ["str", "int"]),
        (np.int32, None, ["int32", "NoneType"]),
        (tff.TensorType(np.int32, [2]), [SECRET, 1, 2], ["int32[2]", "(3,)"]),
        (tff.TensorType(np.int32, [1]), [tf.constant(1.0)], ["int32[1]", "list"]),
        (tff.StructType([np.int32, np.int32]), (SECRET,), ["1 elements"]),
        (tff.StructType([("a", np.int32)]), {"b": SECRET}, ["'b'"]),
        (tff.StructType([("a", np.int32)]), SECRET, ["`int`"]),
        (tff.StructType([("a", np.int32)]), {"a": "s"}, ["argument.a"]),
        (tff.SequenceType(np.int32), (SECRET,), ["int32*", "tuple"]),
        (tff.SequenceType(np.int32), [1, "x"], ["argument[1]"]),
        (AT_CLIENTS, [1, 2.5], ["client 1", "int32"]),
    ],
)
def test_wrong_argument(type_spec, value, words):
    identity = fed_comp(lambda x: x, type_spec)
    with pytest.raises(TypeError) as error:
        identity(value)
    for word in ["Expected", *words]:
        assert word in str(error.value)
    assert str(SECRET) not in str(error.value)


def test_wrong_data_set():
    total = tf_comp(
        lambda ds: ds.reduce(0, lambda a, b: a + b), tff.SequenceType(np.int32)
    )
    with pytest.raises(TypeError, match="elements of type int64"):
        total(tf.data.Dataset.range(3))


def test_data_set_with_ambiguous_field_order():
    element = collections.namedtuple("Element", ["b", "a"])
    spec = tff.SequenceType(collections.OrderedDict(b=np.int64, a=np.int64))
    count = tf_comp(lambda ds: ds.reduce(np.int64(0), lambda a, e: a + e["b"]), spec)
    with pytest.raises(ValueError, match="OrderedDict"):
        count(tf.data.Dataset.range(3).map(lambda x: element(x, x)))


def test_conflicting_cardinalities():
    both = fed_comp(lambda x, y: (x, y), AT_CLIENTS, AT_CLIENTS)
    with pytest.raises(ValueError, match="Conflicting cardinalities for CLIENTS"):
        both([1, 2], [1])


def test_client_value_that_is_no_list():
    error = invoke(fed_comp(tff.federated_sum, AT_CLIENTS), SECRET)
    assert "list" in error and "int" in error and str(SECRET) not in error


def test_federated_value_in_a_struct_that_is_no_list():
    comp = fed_comp(lambda x: x, [("data", AT_CLIENTS)])
    assert "argument.data" in invoke(comp, {"data": SECRET})


def test_returned_function():
    add = tf_comp(lambda x: x + 1, np.int32)
    with pytest.raises(TypeError, match="function"):
        fed_comp(lambda: add)()


def test_function_argument_of_another_type():
    twice = fed_comp(lambda f: f(1), tff.FunctionType(np.int32, np.int32))
    with pytest.raises(TypeError):
        twice(tf_comp(lambda x: x, np.float32))


def test_partly_named_result():
    comp = fed_comp(lambda: tff.structure.Struct([("a", 1), (None, 2)]))
    with pytest.raises(ValueError, match="all of its fields named"):
        comp()


def test_unknown_intrinsic_is_named():
    result = tff.FederatedType(np.int32, tff.SERVER)
    block = tff.framework.Lambda(
        "x",
        AT_CLIENTS,
        tff.framework.Call(
            tff.framework.Intrinsic(
                "federated_wish", tff.FunctionType(AT_CLIENTS, result)
            ),
            tff.framework.Reference("x", AT_CLIENTS),
        ),
    )
    comp = tff.framework.ConcreteComputation.from_building_block(block)
    with pytest.raises(UnsupportedIntrinsicError, match="federated_wish") as error:
        comp([1])
    assert error.value.uri == "federated_wish"
    assert isinstance(error.value, NotImplementedError)


def test_data_block():
    block = tff.framework.Lambda(
        None, None, tff.framework.Data(any_pb2.Any(), tff.TensorType(np.int32))
    )
    comp = tff.framework.ConcreteComputation.from_building_block(block)
    with pytest.raises(UnsupportedBlockError, match="Data"):
        comp()


def test_jax_computation():
    comp = tff.jax.computation(lambda x: x, np.int32)
    with pytest.raises(UnsupportedBlockError, match="xla"):
        comp(1)


def test_inside_a_graph():
    with tf.Graph().as_default(), pytest.raises(RuntimeError, match=r"tf\.Graph"):
        tf_comp(lambda: 1)()


def test_what_a_graph_raises_propagates():
    @tf_comp(np.int32)
    def positive(x):
        with tf.control_dependencies([tf.debugging.assert_positive(x)]):
            return tf.identity(x)

    assert positive(1) == 1
    with pytest.raises(tf.errors.InvalidArgumentError):
        positive(-1)
    assert positive(2) == 2


@pytest.mark.parametrize(
    ("summands", "secure_sum", "message"),
    [
        ([1, SECRET], lambda x: tff.federated_secure_sum(x, 2), "larger than maximum"),
        (
            [1, SECRET],
            lambda x: tff.federated_secure_sum_bitwidth(x, 4),
            "larger than maximum",
        ),
        (
            [1, 1],
            lambda x: tff.federated_secure_sum_bitwidth(x, 63),
            "63 is greater than maximum bitwidth 62",
        ),
    ],
)
def test_secure_sum_out_of_range(summands, secure_sum, message):
    error = invoke(fed_comp(secure_sum, AT_CLIENTS), summands)
    assert message in error and str(SECRET) not in error


def test_select_key_out_of_range():
    select = fed_comp(
        lambda keys, table: tff.federated_select(
            keys,
            tff.federated_value(2, tff.SERVER),
            table,
            tf_comp(
                lambda t, k: tf.gather(t, k), tff.TensorType(np.int32, [3]), np.int32
            ),
        ),
        tff.FederatedType(tff.TensorType(np.int32, [1]), tff.CLIENTS),
        tff.FederatedType(tff.TensorType(np.int32, [3]), tff.SERVER),
    )
    error = invoke(select, [[0], [2]], [5, 6, 7])
    assert "client 1" in error and "max_key = 2" in error
