"""What each intrinsic computes; the slow tier asks TFF's own runtime, too."""

import collections
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

from federated import runtime
from federated.runtime import intrinsics, sequences
from tests.federated.runtime.cpp_worker import cpp_context

tf_comp = tff.tensorflow.computation
fed_comp = tff.federated_computation
modular_sum = tff.backends.mapreduce.federated_secure_modular_sum

INTS = tff.FederatedType(np.int32, tff.CLIENTS)
FLOATS = tff.FederatedType(np.float32, tff.CLIENTS)
PAIR = collections.OrderedDict(b=np.int32, a=tff.TensorType(np.float32, [2]))
SERVER_INT = tff.FederatedType(np.int32, tff.SERVER)

double = tf_comp(lambda x: x * 2, np.int32)
add = tf_comp(lambda x, y: x + y, np.int32, np.int32)
gather = tf_comp(lambda t, k: tf.gather(t, k), tff.TensorType(np.str_, [3]), np.int32)


def _pair(b, a):
    return collections.OrderedDict(b=b, a=np.float32(a))


@fed_comp(FLOATS)
def _variance_by_aggregate(x):
    zero = tf_comp(lambda: collections.OrderedDict(n=0, s=0.0, q=0.0))()
    accumulator = zero.type_signature

    @tf_comp(accumulator, np.float32)
    def accumulate(total, value):
        return collections.OrderedDict(
            n=total["n"] + 1, s=total["s"] + value, q=total["q"] + value * value
        )

    @tf_comp(accumulator, accumulator)
    def merge(one, other):
        return tf.nest.map_structure(tf.add, one, other)

    @tf_comp(accumulator)
    def report(total):
        n = tf.cast(total["n"], tf.float32)
        return total["q"] / n - (total["s"] / n) ** 2

    return tff.federated_aggregate(x, zero, accumulate, merge, report)


@fed_comp(INTS, SERVER_INT)
def _scaled_by_broadcast(x, factor):
    return tff.federated_map(
        tf_comp(lambda a, f: a * f, np.int32, np.int32),
        (x, tff.federated_broadcast(factor)),
    )


@fed_comp(INTS, SERVER_INT)
def _nested_zip(x, y):
    at_clients = tff.federated_zip(collections.OrderedDict(b=x, a=(x, x)))
    at_server = tff.federated_zip((y, collections.OrderedDict(c=y)))
    return at_clients, at_server


@fed_comp(INTS)
def _lambdas(x):
    inner = fed_comp(lambda v: double(double(v)), np.int32)
    swap = fed_comp(lambda v, w: (w, v), np.int32, np.int32)
    mapped = tff.federated_map(inner, x)
    return tff.federated_map(swap, (x, mapped))


@fed_comp(
    tff.FederatedType(tff.TensorType(np.int32, [2]), tff.CLIENTS),
    SERVER_INT,
    tff.FederatedType(tff.TensorType(np.str_, [3]), tff.SERVER),
)
def _joined_selection(keys, max_key, table):
    slices = tff.federated_select(keys, max_key, table, gather)
    join = tf_comp(
        lambda ds: ds.reduce("", lambda a, b: a + b), tff.SequenceType(np.str_)
    )
    return tff.federated_map(join, slices)


@fed_comp(
    tff.FederatedType(tff.TensorType(np.int32, [2]), tff.CLIENTS),
    SERVER_INT,
    tff.FederatedType(tff.TensorType(np.str_, [3]), tff.SERVER),
)
def _secure_selection(keys, max_key, table):
    slices = tff.federated_secure_select(keys, max_key, table, gather)
    join = tf_comp(
        lambda ds: ds.reduce("", lambda a, b: a + b), tff.SequenceType(np.str_)
    )
    return tff.federated_map(join, slices)


class Case(NamedTuple):
    comp: Any
    args: tuple[Any, ...]
    expected: Any
    in_cpp: bool = True  # TFF's worker runs no sequence intrinsics


CASES = {
    "map": Case(
        fed_comp(lambda x: tff.federated_map(double, x), INTS), ([1, 2],), [2, 4]
    ),
    "map at server": Case(
        fed_comp(lambda x: tff.federated_map(double, x), SERVER_INT), (3,), 6
    ),
    "map of lambdas": Case(_lambdas, ([1, 2],), [(4, 1), (8, 2)]),
    "broadcast": Case(_scaled_by_broadcast, ([1, 2], 3), [3, 6]),
    "zip": Case(
        _nested_zip,
        ([1, 2], 5),
        (
            [
                collections.OrderedDict(b=1, a=(1, 1)),
                collections.OrderedDict(b=2, a=(2, 2)),
            ],
            (5, collections.OrderedDict(c=5)),
        ),
    ),
    "aggregate": Case(_variance_by_aggregate, ([1.0, 3.0],), 1.0),
    "sum": Case(fed_comp(lambda x: tff.federated_sum(x), INTS), ([1, 2, 3],), 6),
    "sum of structs": Case(
        fed_comp(lambda x: tff.federated_sum(x), tff.FederatedType(PAIR, tff.CLIENTS)),
        ([_pair(1, [1, 2]), _pair(2, [3, 4])],),
        _pair(3, [4, 6]),
    ),
    "mean": Case(fed_comp(lambda x: tff.federated_mean(x), FLOATS), ([1.0, 2.0],), 1.5),
    "weighted mean": Case(
        fed_comp(lambda x, w: tff.federated_mean(x, w), FLOATS, FLOATS),
        ([1.0, 4.0], [1.0, 3.0]),
        3.25,
    ),
    "min and max": Case(
        fed_comp(lambda x: (tff.federated_min(x), tff.federated_max(x)), INTS),
        ([3, -1, 2],),
        (-1, 3),
    ),
    "eval": Case(
        fed_comp(
            lambda x: (
                tff.federated_eval(tf_comp(lambda: 4), tff.SERVER),
                tff.federated_sum(tff.federated_eval(tf_comp(lambda: 5), tff.CLIENTS)),
                x,
            ),
            INTS,
        ),
        ([0, 0],),
        (4, 10, [0, 0]),
    ),
    "values": Case(
        fed_comp(
            lambda x: (
                tff.federated_value("s", tff.SERVER),
                tff.federated_sum(tff.federated_value(2, tff.CLIENTS)),
                x,
            ),
            INTS,
        ),
        ([0, 0, 0],),
        (b"s", 6, [0, 0, 0]),
    ),
    "secure sum": Case(
        fed_comp(lambda x: tff.federated_secure_sum(x, 3), INTS), ([1, 2, 3],), 6
    ),
    "secure sum checks only from above": Case(
        fed_comp(lambda x: tff.federated_secure_sum(x, 3), INTS), ([1, -9],), -8
    ),
    "secure sum of structs": Case(
        fed_comp(
            lambda x: tff.federated_secure_sum(x, (3, 5)),
            tff.FederatedType((np.int32, tff.TensorType(np.int64, [2])), tff.CLIENTS),
        ),
        ([(1, np.array([1, 2])), (3, np.array([4, 5]))],),
        (4, np.array([5, 7])),
    ),
    "secure sum by bit width": Case(
        fed_comp(lambda x: tff.federated_secure_sum_bitwidth(x, 2), INTS), ([3, 3],), 6
    ),
    "secure modular sum": Case(
        fed_comp(lambda x: modular_sum(x, 5), INTS), ([4, 3, -1],), 1
    ),
    "secure modular sum of structs": Case(
        fed_comp(
            lambda x: modular_sum(x, (5, 7)),
            tff.FederatedType((np.int32, np.int32), tff.CLIENTS),
        ),
        ([(4, 6), (3, 6)],),
        (2, 5),
    ),
    "select": Case(
        _joined_selection, ([[0, 1], [2, 0]], 3, ["a", "b", "c"]), [b"ab", b"ca"]
    ),
    "secure select": Case(
        _secure_selection, ([[0, 1], [2, 2]], 3, ["a", "b", "c"]), [b"ab", b"cc"]
    ),
    "sequence sum": Case(
        fed_comp(lambda s: tff.sequence_sum(s), tff.SequenceType(np.int32)),
        ([1, 2, 3],),
        6,
        in_cpp=False,
    ),
    "sequence reduce": Case(
        fed_comp(lambda s: tff.sequence_reduce(s, 0, add), tff.SequenceType(np.int32)),
        ([1, 2, 3],),
        6,
        in_cpp=False,
    ),
    "sequence map and reduce": Case(
        fed_comp(
            lambda s: tff.sequence_reduce(tff.sequence_map(double, s), 0, add),
            tff.SequenceType(np.int32),
        ),
        ([1, 2, 3],),
        12,
        in_cpp=False,
    ),
    "sequence sum of structs": Case(
        fed_comp(lambda s: tff.sequence_sum(s), tff.SequenceType(PAIR)),
        ([_pair(1, [1, 2]), _pair(2, [3, 4])],),
        _pair(3, [4, 6]),
        in_cpp=False,
    ),
    "sequence sum at clients": Case(
        fed_comp(
            lambda s: tff.federated_map(
                fed_comp(lambda v: tff.sequence_sum(v), tff.SequenceType(np.int32)), s
            ),
            tff.FederatedType(tff.SequenceType(np.int32), tff.CLIENTS),
        ),
        ([[1, 2], [3]],),
        [3, 3],
        in_cpp=False,
    ),
}


def assert_equal(found: Any, expected: Any) -> None:
    if isinstance(expected, (list, tuple)):
        assert type(found) is type(expected) and len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_equal(one, other)
    elif isinstance(expected, dict):
        assert type(found) is type(expected) and list(found) == list(expected)
        for name in expected:
            assert_equal(found[name], expected[name])
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.fixture(scope="module")
def context():
    with tff.framework.get_context_stack().install(runtime.InProcessContext()):
        yield


@pytest.mark.parametrize("name", CASES)
def test_intrinsic(context, name):
    case = CASES[name]
    assert_equal(case.comp(*case.args), case.expected)


@pytest.mark.slow
def test_the_cpp_runtime_gives_the_same():
    with (
        cpp_context() as context,
        tff.framework.get_context_stack().install(context),
    ):
        for name, case in CASES.items():
            if not case.in_cpp:
                continue
            print(name)
            assert_equal(case.comp(*case.args), case.expected)


def test_a_mapped_sequence_is_returned_as_a_data_set(context):
    # TFF's own runtime cannot return one; a list of the same elements is expected.
    mapped = fed_comp(lambda s: tff.sequence_map(double, s), tff.SequenceType(np.int32))
    assert list(mapped([1, 2]).as_numpy_iterator()) == [2, 4]
    assert list(mapped([]).as_numpy_iterator()) == []


def test_selected_slices_are_returned_as_data_sets(context):
    select = fed_comp(
        lambda keys, max_key, table: tff.federated_select(keys, max_key, table, gather),
        *[part for part in _joined_selection.type_signature.parameter],
    )
    slices = select([[0, 2], [1, 1]], 3, ["a", "b", "c"])
    read = [list(s.as_numpy_iterator()) for s in slices]
    assert read == [[b"a", b"c"], [b"b", b"b"]]


def test_a_data_set_argument_reaches_a_sequence_intrinsic(context):
    total = fed_comp(lambda s: tff.sequence_sum(s), tff.SequenceType(PAIR))
    dataset = tf.data.Dataset.range(1, 3).map(
        lambda x: collections.OrderedDict(
            b=tf.cast(x, tf.int32), a=tf.fill([2], tf.cast(x, tf.float32))
        )
    )
    assert_equal(total(dataset), _pair(3, [3, 3]))


def test_named_elements_are_not_mixed_up(context):
    take_b = tf_comp(lambda e: e["b"], collections.OrderedDict(b=np.int32, a=np.int32))
    mapped = fed_comp(
        lambda s: tff.sequence_reduce(tff.sequence_map(take_b, s), 0, add),
        tff.SequenceType(collections.OrderedDict(b=np.int32, a=np.int32)),
    )
    elements = [collections.OrderedDict(b=2, a=1), collections.OrderedDict(b=3, a=1)]
    assert mapped(elements) == 5


def test_clients_are_visited_in_order(context):
    join = tf_comp(lambda a, b: a + b, np.str_, np.str_)
    same = tf_comp(lambda a: a, np.str_)
    comp = fed_comp(
        lambda x: tff.federated_aggregate(x, "", join, join, same),
        tff.FederatedType(np.str_, tff.CLIENTS),
    )
    assert comp(["a", "b", "c"]) == b"abc"


class TestPartsOfTFF:
    """Library parts of TFF that stress unusual intrinsics."""

    @pytest.mark.slow
    def test_reservoir_sampling(self, context):
        values = [1.0, 2.0, 5.0]
        sampling = tff.aggregators.UnweightedReservoirSamplingFactory(sample_size=2)
        process = sampling.create(tff.TensorType(np.float32))
        output = process.next(process.initialize(), values)
        assert len(output.result) == 2 and set(output.result) <= set(values)

    @pytest.mark.slow
    def test_heavy_hitters(self, context):
        factory = tff.analytics.IbltFactory(
            capacity=10, string_max_bytes=10, repetitions=3, seed=0
        )
        process = factory.create(
            tff.SequenceType(
                collections.OrderedDict(
                    key=np.str_, value=tff.TensorType(np.int64, [1])
                )
            )
        )
        clients = [
            tf.data.Dataset.from_tensor_slices(
                collections.OrderedDict(
                    key=words, value=np.ones([len(words), 1], np.int64)
                )
            )
            for words in (["a", "b"], ["a"])
        ]
        found = process.next(process.initialize(), clients).result
        counts = dict(
            zip(
                found.output_strings.tolist(),
                np.ravel(found.string_values).tolist(),
                strict=True,
            )
        )
        assert counts == {b"a": 2, b"b": 1}

    def test_datasets_made_at_the_clients(self, context):
        made = tf_comp(
            lambda n: tf.data.Dataset.range(tf.strings.to_number(n, tf.int64)), np.str_
        )
        total = fed_comp(
            lambda s: tff.federated_sum(
                tff.federated_map(
                    tf_comp(
                        lambda ds: ds.reduce(np.int64(0), lambda a, b: a + b),
                        tff.SequenceType(np.int64),
                    ),
                    s,
                )
            ),
            tff.FederatedType(tff.SequenceType(np.int64), tff.CLIENTS),
        )
        compose = tff.simulation.compose_dataset_computation_with_computation
        assert compose(made, total)(["3", "4"]) == 9


@pytest.mark.parametrize("intrinsic", ["sequence_map", "sequence_reduce"])
def test_no_function_runs_while_a_data_set_is_open(intrinsic):
    """Its threads would run the data set's functions beside what the function has."""
    happened = []

    def rows():
        for number in (1, 2):
            happened.append("read")
            yield number
        happened.append("closed")

    data = tf.data.Dataset.from_generator(
        rows, output_signature=tf.TensorSpec([], tf.int32)
    )

    def called(argument):
        happened.append("called")
        return argument[0] if isinstance(argument, tuple) else argument

    number = tff.TensorType(np.int32)
    source = sequences.DatasetSequence(
        tf.data.experimental.to_variant(data), number, data
    )
    if intrinsic == "sequence_map":
        list(sequences.MappedSequence(source, called, number).elements())
    else:
        run = intrinsics.Run(1, None, lambda: "")
        kind = tff.FunctionType(number, number)
        intrinsics.call_intrinsic(run, intrinsic, kind, (source, 0, called))
    assert happened == ["read", "read", "closed", "called", "called"]
