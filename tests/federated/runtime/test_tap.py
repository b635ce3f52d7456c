"""The tap reports exactly what crosses, in order, with the bytes it takes."""

import collections
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

from federated import runtime
from federated.runtime.sequences import ListSequence
from federated.runtime.tap import (
    ALL_CLIENTS,
    Crossing,
    Direction,
    varint_bytes,
    wire_bytes,
)

tf_comp = tff.tensorflow.computation
fed_comp = tff.federated_computation
INTS = tff.FederatedType(np.int32, tff.CLIENTS)
SERVER_INT = tff.FederatedType(np.int32, tff.SERVER)
UP, DOWN = Direction.CLIENTS_TO_SERVER, Direction.SERVER_TO_CLIENTS


class Message(NamedTuple):
    plain: Any
    ciphertext: Any


@pytest.fixture
def seen():
    return []


@pytest.fixture
def context(seen):
    context = runtime.InProcessContext([seen.append])
    with tff.framework.get_context_stack().install(context):
        yield context


class TestWireBytes:
    @pytest.mark.parametrize(
        ("value", "size"),
        [
            (tf.constant([True, False, True]), 3),
            (tf.constant(1, tf.int8), 1),
            (tf.constant([[1, 2, 3]], tf.int32), 12),
            (tf.constant(1, tf.int64), 8),
            (tf.constant([1, 2], tf.bfloat16), 4),
            (tf.constant(1, tf.complex128), 16),
            (tf.zeros([0, 5]), 0),
            (tf.constant(""), 1),
            (tf.constant("abc"), 1 + 3),
            (tf.constant(b"\0" * 127), 1 + 127),
            (tf.constant(b"\0" * 128), 2 + 128),
            (tf.constant(["a", "bc"]), 1 + 1 + 1 + 2),
            (tf.zeros([0], tf.string), 0),
        ],
    )
    def test_tensor(self, value, size):
        assert wire_bytes(value, tff.TensorType(np.int32, None)) == size

    def test_struct_and_sequence(self):
        type_spec = tff.to_type((np.float32, [("s", np.str_)]))
        value = (tf.zeros([]), (tf.constant("xy"),))
        assert wire_bytes(value, type_spec) == 4 + 3
        sequence = ListSequence((value, value), type_spec)
        assert wire_bytes(sequence, tff.SequenceType(type_spec)) == 14

    def test_function_cannot_cross(self):
        with pytest.raises(TypeError, match="cannot cross"):
            wire_bytes(None, tff.FunctionType(None, np.int32))

    def test_varint(self):
        sizes = [varint_bytes(n) for n in (0, 127, 128, 16383, 16384, 2**21)]
        assert sizes == [1, 1, 2, 2, 3, 4]


class TestCrossings:
    def test_aggregate(self, context, seen):
        total = fed_comp(lambda x: tff.federated_sum(x), INTS)
        assert total([5, 7]) == 12
        assert seen == [
            Crossing(
                UP, 0, 0, "federated_aggregate", tff.TensorType(np.int32), 5, 4, True
            ),
            Crossing(
                UP, 1, 0, "federated_aggregate", tff.TensorType(np.int32), 7, 4, True
            ),
        ]

    def test_broadcast(self, context, seen):
        comp = fed_comp(
            lambda x, y: (tff.federated_broadcast(y), x),
            INTS,
            tff.FederatedType(tff.TensorType(np.float32, [2]), tff.SERVER),
        )
        comp([0, 0, 0], np.float32([1, 2]))
        assert [(c.direction, c.client, c.wire_bytes) for c in seen] == [
            (DOWN, 0, 8), (DOWN, 1, 8), (DOWN, 2, 8),
        ]  # fmt: skip
        assert seen[0].intrinsic == "federated_broadcast"
        np.testing.assert_array_equal(seen[2].value, [1.0, 2.0])
        assert seen[0].value is seen[2].value, "measured and converted once"

    def test_order_within_a_round(self, context, seen):
        comp = fed_comp(
            lambda x, y: tff.federated_sum(
                tff.federated_map(
                    tf_comp(lambda a, b: a + b, np.int32, np.int32),
                    (x, tff.federated_broadcast(y)),
                )
            ),
            INTS,
            SERVER_INT,
        )
        assert comp([1, 2], 10) == 23
        assert [(c.direction, c.client, int(c.value)) for c in seen] == [
            (DOWN, 0, 10), (DOWN, 1, 10), (UP, 0, 11), (UP, 1, 12),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("secure_sum", "uri"),
        [
            (lambda x: tff.federated_secure_sum(x, 9), "federated_secure_sum"),
            (
                lambda x: tff.federated_secure_sum_bitwidth(x, 8),
                "federated_secure_sum_bitwidth",
            ),
            (
                lambda x: tff.backends.mapreduce.federated_secure_modular_sum(x, 99),
                "federated_secure_modular_sum",
            ),
        ],
    )
    def test_secure_sums_hide_the_summands(self, context, seen, secure_sum, uri):
        assert fed_comp(secure_sum, INTS)([4, 5]) == 9
        summands = [c for c in seen if c.direction is UP]
        assert [(c.client, c.value, c.wire_bytes) for c in summands] == [
            (0, None, 4),
            (1, None, 4),
        ]
        assert all(c.intrinsic == uri and not c.seen_by_server for c in summands)
        # The server gets the sum, of all clients together.
        (total,) = (c for c in seen if c.direction is Direction.SECURE_SUM_TO_SERVER)
        assert (total.client, total.value, total.wire_bytes) == (ALL_CLIENTS, 9, 0)
        assert total.intrinsic == uri and total.seen_by_server and seen[-1] is total

    @pytest.mark.parametrize("secure", [False, True])
    def test_select(self, context, seen, secure):
        select = tff.federated_secure_select if secure else tff.federated_select
        gather = tf_comp(
            lambda t, k: tf.gather(t, k), tff.TensorType(np.str_, [3]), np.int32
        )
        comp = fed_comp(
            lambda keys, table: select(
                keys, tff.federated_value(3, tff.SERVER), table, gather
            ),
            tff.FederatedType(tff.TensorType(np.int32, [2]), tff.CLIENTS),
            tff.FederatedType(tff.TensorType(np.str_, [3]), tff.SERVER),
        )
        comp([[0, 2], [1, 1]], ["a", "bb", "ccc"])
        assert [(c.direction, c.client, c.wire_bytes) for c in seen] == [
            (UP, 0, 8), (DOWN, 0, 6), (UP, 1, 8), (DOWN, 1, 6),
        ]  # fmt: skip
        assert {c.seen_by_server for c in seen} == {not secure}
        if secure:
            assert seen[0].value is None
        else:
            np.testing.assert_array_equal(seen[0].value, [0, 2])
        assert [list(c.value) for c in (seen[1], seen[3])] == [
            [b"a", b"ccc"],
            [b"bb", b"bb"],
        ]

    def test_names_and_bytes_of_a_message(self, context, seen):
        message = Message(tff.TensorType(np.float32, [2]), np.str_)
        comp = fed_comp(
            lambda x: tff.federated_aggregate(
                x,
                0,
                tf_comp(
                    lambda n, m: n + tf.strings.length(m.ciphertext), np.int32, message
                ),
                tf_comp(lambda a, b: a + b, np.int32, np.int32),
                tf_comp(lambda n: n, np.int32),
            ),
            tff.FederatedType(message, tff.CLIENTS),
        )
        assert comp([Message(np.float32([1, 2]), b"\1\2\3")]) == 3
        (crossing,) = seen
        assert crossing.wire_bytes == 8 + 1 + 3
        assert tff.structure.name_list(crossing.type) == ["plain", "ciphertext"]
        assert crossing.value["ciphertext"] == b"\1\2\3"
        np.testing.assert_array_equal(crossing.value["plain"], [1.0, 2.0])

    def test_partly_named_struct(self, context, seen):
        member = tff.StructType([("a", np.int32), np.int32])
        comp = fed_comp(
            lambda x: (tff.federated_sum(x[0]), x[1]),
            [tff.FederatedType(member, tff.CLIENTS), INTS],
        )
        value = tff.structure.Struct([("a", 1), (None, 2)])
        with pytest.raises(ValueError, match="all of its fields named"):
            comp(([value], [0]))
        assert seen[0].value == tff.structure.Struct([("a", 1), (None, 2)])

    def test_what_does_not_cross(self, context, seen):
        comp = fed_comp(
            lambda x: (
                x,
                tff.federated_map(tf_comp(lambda v: v + 1, np.int32), x),
                tff.federated_value(1, tff.CLIENTS),
                tff.federated_eval(tf_comp(lambda: 2), tff.CLIENTS),
                tff.federated_value(3, tff.SERVER),
            ),
            INTS,
        )
        comp([1, 2])
        assert seen == []


class TestRounds:
    def test_calls_without_a_crossing_do_not_count(self, context, seen):
        total = fed_comp(lambda x: tff.federated_sum(x), INTS)
        total([1])
        tf_comp(lambda: 1)()
        total([])
        total([2, 3])
        assert [(c.round, c.client) for c in seen] == [(0, 0), (1, 0), (1, 1)]


class TestTheRealValues:
    def test_a_random_value_is_reported_as_used(self, context, seen):
        draw = tf_comp(lambda: tf.random.uniform([]))
        comp = fed_comp(
            lambda x: (tff.federated_sum(tff.federated_eval(draw, tff.CLIENTS)), x),
            INTS,
        )
        total, _ = comp([0, 0])
        assert total == seen[0].value + seen[1].value

    def test_a_random_data_set_is_read_once(self, context, seen):
        shuffled = tf_comp(lambda: tf.data.Dataset.range(50).shuffle(50))
        sequence = shuffled.type_signature.result
        joined = tf_comp(
            lambda s, ds: ds.reduce(s, lambda a, b: a + "," + tf.strings.as_string(b)),
            np.str_,
            sequence,
        )
        comp = fed_comp(
            lambda x: (
                tff.federated_aggregate(
                    tff.federated_eval(shuffled, tff.CLIENTS),
                    "",
                    joined,
                    tf_comp(lambda a, b: a + b, np.str_, np.str_),
                    tf_comp(lambda a: a, np.str_),
                ),
                x,
            ),
            INTS,
        )
        text, _ = comp([0])
        (crossing,) = seen
        assert [int(n) for n in crossing.value] == [
            int(n) for n in text.split(b",")[1:]
        ]
        assert crossing.wire_bytes == 50 * 8

    def test_an_observer_cannot_change_what_it_sees(self, context, seen):
        vector = tff.FederatedType(tff.TensorType(np.float32, [2]), tff.CLIENTS)
        fed_comp(lambda x: tff.federated_sum(x), vector)([np.float32([1, 2])])
        with pytest.raises(ValueError, match="read-only"):
            seen[0].value[0] = 9.0


def test_all_observers_are_called_in_order():
    calls = []
    context = runtime.InProcessContext(
        [lambda c: calls.append("first"), lambda c: calls.append("second")]
    )
    context.invoke(fed_comp(lambda x: tff.federated_sum(x), INTS), [1, 2])
    assert calls == ["first", "second"] * 2


def test_what_an_observer_raises_propagates():
    def refuse(crossing):
        raise ZeroDivisionError

    context = runtime.InProcessContext([refuse])
    with pytest.raises(ZeroDivisionError):
        context.invoke(fed_comp(lambda x: tff.federated_sum(x), INTS), [1])


def test_without_observers_nothing_is_measured(monkeypatch):
    def fail(*_):
        raise AssertionError("measured without an observer")

    monkeypatch.setattr("federated.runtime.tap.wire_bytes", fail)
    monkeypatch.setattr("federated.runtime.tap.to_observed", fail)
    context = runtime.InProcessContext()
    comp = fed_comp(lambda x: tff.federated_sum(x), INTS)
    assert context.invoke(comp, [1, 2]) == 3


def test_federated_averaging_counts_the_model_once_each_way(context, seen):
    size = 10
    model = collections.OrderedDict(
        w=tff.TensorType(np.float32, [size]), b=tff.TensorType(np.float32, [1])
    )
    comp = fed_comp(
        lambda server, x: tff.federated_mean(
            tff.federated_map(
                tf_comp(
                    lambda m, v: tf.nest.map_structure(lambda leaf: leaf + v, m),
                    model,
                    np.float32,
                ),
                (tff.federated_broadcast(server), x),
            )
        ),
        tff.FederatedType(model, tff.SERVER),
        tff.FederatedType(np.float32, tff.CLIENTS),
    )
    comp(
        collections.OrderedDict(
            w=np.zeros(size, np.float32), b=np.zeros(1, np.float32)
        ),
        [1.0, 2.0, 3.0],
    )
    down = sum(c.wire_bytes for c in seen if c.direction is DOWN)
    up = sum(c.wire_bytes for c in seen if c.direction is UP)
    assert down == 3 * 44
    # A mean is a weighted sum in TFF: each client also sends its weight.
    assert up >= 3 * 44 and up <= 3 * (44 + 44)
