"""Arguments and results: every TFF type, with the Python types TFF's runtime returns.

Each case is run here against a literal; the slow tier runs the same literals through
TFF's C++ runtime, which shows that they are TFF's and not ours.
"""

import collections
import typing
from typing import Any

import attrs
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

from federated import runtime
from tests.federated.runtime.cpp_worker import cpp_context

tf_comp = tff.tensorflow.computation
fed_comp = tff.federated_computation
AT_CLIENTS = tff.FederatedType(np.int32, tff.CLIENTS)


class Pair(typing.NamedTuple):
    b: Any
    a: Any


@attrs.define
class Record:
    b: Any
    a: Any


class Case(typing.NamedTuple):
    comp: Any
    args: tuple[Any, ...]
    expected: Any


def _numeric_cases() -> dict[str, Case]:
    cases = {}
    for dtype in [
        np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32,
        np.uint64, np.float16, np.float32, np.float64, np.complex64, np.complex128,
        ml_dtypes.bfloat16,
    ]:  # fmt: skip
        name = dtype.__name__
        cases[f"scalar {name}"] = Case(
            tf_comp(lambda x: tf.identity(x), dtype), (dtype(3),), dtype(3)
        )
        cases[f"array {name}"] = Case(
            tf_comp(lambda x: x + x, tff.TensorType(dtype, [None, 2])),
            (np.array([[1, 2]], dtype),),
            np.array([[2, 4]], dtype),
        )
    return cases


CASES: dict[str, Case] = _numeric_cases() | {
    "bool": Case(tf_comp(lambda x: ~x, np.bool_), (True,), np.bool_(False)),
    "string": Case(tf_comp(lambda x: tf.identity(x), np.str_), ("a",), b"a"),
    "bytes keep trailing zeros": Case(
        tf_comp(lambda x: tf.identity(x), np.str_), (b"a\0\0",), b"a\0\0"
    ),
    "string array": Case(
        tf_comp(lambda x: tf.identity(x), tff.TensorType(np.str_, [2])),
        (["a", "bb"],),
        np.array([b"a", b"bb"], object),
    ),
    "empty array": Case(
        tf_comp(lambda x: tf.identity(x), tff.TensorType(np.float32, [None])),
        (np.zeros([0], np.float32),),
        np.zeros([0], np.float32),
    ),
    "unknown rank": Case(
        tf_comp(lambda x: tf.rank(x), tff.TensorType(np.float32, None)),
        (np.zeros([2, 1, 1], np.float32),),
        np.int32(3),
    ),
    "tuple for a tensor": Case(
        tf_comp(lambda x: tf.identity(x), tff.TensorType(np.int32, [2])),
        ((3, 4),),
        np.array([3, 4], np.int32),
    ),
    "tensor": Case(tf_comp(lambda x: x, np.int32), (tf.constant(3),), np.int32(3)),
    "list of tensors for a tensor": Case(
        tf_comp(lambda x: tf.identity(x), tff.TensorType(np.int32, [2, 2])),
        ([tf.constant([1, 2]), [tf.Variable(3), np.int32(4)]],),
        np.array([[1, 2], [3, 4]], np.int32),
    ),
    "list of string tensors for a tensor": Case(
        tf_comp(lambda x: tf.identity(x), tff.TensorType(np.str_, [2])),
        ([tf.constant("a"), "b"],),
        np.array([b"a", b"b"], object),
    ),
    "wider dtype": Case(tf_comp(lambda x: x, np.int64), (np.int32(3),), np.int64(3)),
    "variable": Case(tf_comp(lambda x: x, np.int32), (tf.Variable(3),), np.int32(3)),
    "NamedTuple": Case(
        tf_comp(lambda: Pair(1, 2)), (), Pair(np.int32(1), np.int32(2))
    ),
    "attrs": Case(tf_comp(lambda: Record(1, 2)), (), Record(np.int32(1), np.int32(2))),
    "dict": Case(
        tf_comp(lambda: {"b": 1, "a": 2}), (), {"b": np.int32(1), "a": np.int32(2)}
    ),
    "OrderedDict": Case(
        tf_comp(lambda: collections.OrderedDict(b=1, a=(2,))),
        (),
        collections.OrderedDict(b=np.int32(1), a=(np.int32(2),)),
    ),
    "list": Case(tf_comp(lambda: [1, 2]), (), [np.int32(1), np.int32(2)]),
    "empty tuple": Case(tf_comp(lambda: ()), (), ()),
    "empty list": Case(tf_comp(lambda: []), (), []),
    "empty struct through": Case(tf_comp(lambda x: x, tff.StructType([])), ((),), ()),
    "empty struct among others": Case(
        fed_comp(lambda x, e: (e, x), np.int32, tff.StructType([])),
        (3, ()),
        ((), np.int32(3)),
    ),
    "named struct without container": Case(
        fed_comp(lambda x: x, tff.StructType([("b", np.int32), ("a", np.int32)])),
        (collections.OrderedDict(b=1, a=2),),
        collections.OrderedDict(b=np.int32(1), a=np.int32(2)),
    ),
    "keyword arguments": Case(
        tf_comp(lambda a, b: a - b, np.int32, np.int32), (5, 3), np.int32(2)
    ),
    "nested federated": Case(
        fed_comp(
            lambda x: collections.OrderedDict(
                inner=(x.data, tff.federated_value(1, tff.SERVER))
            ),
            [("data", AT_CLIENTS)],
        ),
        (collections.OrderedDict(data=[1, 2]),),
        collections.OrderedDict(inner=([np.int32(1), np.int32(2)], np.int32(1))),
    ),
    "client values": Case(
        fed_comp(lambda x: x, AT_CLIENTS), ([1, 2],), [np.int32(1), np.int32(2)]
    ),
    "struct at server": Case(
        fed_comp(
            lambda x: x, tff.FederatedType(Pair(np.int32, np.str_), tff.SERVER)
        ),
        (Pair(1, "x"),),
        Pair(np.int32(1), b"x"),
    ),
    "data set result": Case(
        tf_comp(lambda: tf.data.Dataset.range(3)), (), ["data", np.arange(3)]
    ),
    "data set of OrderedDicts": Case(
        tf_comp(
            lambda: tf.data.Dataset.range(2).map(
                lambda x: collections.OrderedDict(b=x, a=x * 2)
            )
        ),
        (),
        [
            "data",
            collections.OrderedDict(b=np.int64(0), a=np.int64(0)),
            collections.OrderedDict(b=np.int64(1), a=np.int64(2)),
        ],
    ),
    "data set of tuples": Case(
        tf_comp(lambda: tf.data.Dataset.range(2).map(lambda x: (x, x + 1))),
        (),
        ["data", (np.int64(0), np.int64(1)), (np.int64(1), np.int64(2))],
    ),
    "data set as argument": Case(
        tf_comp(
            lambda ds: ds.reduce(np.int64(0), lambda a, b: a + b),
            tff.SequenceType(np.int64),
        ),
        (tf.data.Dataset.range(4),),
        np.int64(6),
    ),
    "empty list as sequence": Case(
        tf_comp(
            lambda ds: ds.reduce(0, lambda a, b: a + 1), tff.SequenceType(np.str_)
        ),
        ([],),
        np.int32(0),
    ),
    "sequence of unsorted OrderedDicts": Case(
        tf_comp(
            lambda ds: ds.reduce(0, lambda a, e: a + e["b"] * 10 + e["a"]),
            tff.SequenceType(collections.OrderedDict(b=np.int32, a=np.int32)),
        ),
        ([collections.OrderedDict(b=2, a=1)],),
        np.int32(21),
    ),
    "computation as argument": Case(
        fed_comp(
            lambda f, x: f(f(x)), tff.FunctionType(np.int32, np.int32), np.int32
        ),
        (tf_comp(lambda x: x * 3, np.int32), 2),
        np.int32(18),
    ),
    "no placement": Case(
        fed_comp(lambda x, y: (y, x), np.int32, np.bool_),
        (1, True),
        (np.bool_(True), np.int32(1)),
    ),
}  # fmt: skip


def assert_same(found: Any, expected: Any) -> None:
    """Equal values, in equal Python types, recursively."""
    if isinstance(found, tf.data.Dataset):
        kind, *elements = expected
        assert kind == "data"
        read = list(found.as_numpy_iterator())
        if isinstance(elements[0], np.ndarray):
            elements = list(elements[0])
        assert_same(read, elements)
        return
    assert type(found) is type(expected)
    if isinstance(found, (list, tuple)):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif isinstance(found, dict):
        assert list(found) == list(expected)
        for name in found:
            assert_same(found[name], expected[name])
    elif attrs.has(type(found)):
        for field in attrs.fields(type(found)):
            assert_same(getattr(found, field.name), getattr(expected, field.name))
    elif isinstance(found, np.ndarray):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    else:
        assert found == expected


@pytest.fixture(scope="module")
def context():
    with tff.framework.get_context_stack().install(runtime.InProcessContext()):
        yield


@pytest.mark.parametrize("name", CASES)
def test_value(context, name):
    case = CASES[name]
    assert_same(case.comp(*case.args), case.expected)


@pytest.mark.slow
def test_the_cpp_runtime_gives_the_same():
    with (
        cpp_context() as context,
        tff.framework.get_context_stack().install(context),
    ):
        for name, case in CASES.items():
            print(name)
            assert_same(case.comp(*case.args), case.expected)


def test_a_named_argument_is_read_by_name(context):
    first = tf_comp(lambda x: x["b"], collections.OrderedDict(b=np.int32, a=np.int32))
    assert first({"a": 1, "b": 2}) == 2
    assert first(collections.OrderedDict(a=1, b=2)) == 2


def test_a_list_of_unequal_shapes_is_a_sequence(context):
    # TFF's own runtime takes only lists that can be stacked.
    sizes = tf_comp(
        lambda ds: ds.reduce(0, lambda a, b: a * 10 + tf.size(b)),
        tff.SequenceType(tff.TensorType(np.float32, [None])),
    )
    assert sizes([[1.0, 2.0], [3.0, 4.0], [5.0], []]) == 2210


def test_sequence_of_named_tuples_keeps_its_field_order(context):
    make = tf_comp(lambda: tf.data.Dataset.range(1, 2).map(lambda x: Pair(x, x * 5)))
    (element,) = make().as_numpy_iterator()
    assert element == Pair(np.int64(1), np.int64(5))


def test_a_result_does_not_alias_the_argument(context):
    given = np.array([1.0, 2.0], np.float32)
    same = tf_comp(lambda x: tf.identity(x), tff.TensorType(np.float32, [2]))
    result = same(given)
    result[0] = 9.0
    given[1] = 9.0
    np.testing.assert_array_equal(same(np.float32([1, 2])), [1.0, 2.0])
    assert given[0] == 1.0 and result[1] == 2.0


def test_a_returned_data_set_outlives_its_context():
    with tff.framework.get_context_stack().install(runtime.InProcessContext()):
        dataset = tf_comp(lambda: tf.data.Dataset.range(3).map(lambda x: x * x))()
    assert [int(x) for x in dataset] == [0, 1, 4]
    assert [int(x) for x in dataset] == [0, 1, 4]


class TestNoClients:
    def test_client_values(self, context):
        assert fed_comp(lambda x: x, AT_CLIENTS)([]) == []

    def test_aggregates_report_zero(self, context):
        total = fed_comp(
            lambda x: (tff.federated_sum(x), tff.federated_secure_sum(x, 5)), AT_CLIENTS
        )
        assert total([]) == (0, 0)

    def test_mean_is_not_a_number(self, context):
        mean = fed_comp(
            lambda x: tff.federated_mean(x), tff.FederatedType(np.float32, tff.CLIENTS)
        )
        assert np.isnan(mean([]))

    def test_shared_value(self, context):
        shared = fed_comp(lambda: tff.federated_value(7, tff.CLIENTS))
        assert shared() == 7


def test_default_number_of_clients():
    context = runtime.InProcessContext(default_num_clients=3)
    count = fed_comp(lambda: tff.federated_sum(tff.federated_value(1, tff.CLIENTS)))
    with tff.framework.get_context_stack().install(context):
        assert count() == 3
