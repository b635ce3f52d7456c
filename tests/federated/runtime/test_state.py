"""Fresh state for each call, one import for all of them, and nothing left behind."""

import asyncio
import collections
import concurrent.futures
import gc
import resource
import weakref

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

from federated import runtime

tf_comp = tff.tensorflow.computation
fed_comp = tff.federated_computation
INTS = tff.FederatedType(np.int32, tff.CLIENTS)


@pytest.fixture
def context():
    context = runtime.InProcessContext()
    with tff.framework.get_context_stack().install(context):
        yield context


def _counter(start):
    @tf_comp(np.int32)
    def count(step):
        variable = tf.Variable(start, dtype=tf.int32, name="counter")
        with tf.control_dependencies([variable.assign_add(step)]):
            return variable.read_value()

    return count


class TestFreshState:
    def test_variables(self, context):
        count = _counter(10)
        assert [int(count(1)) for _ in range(3)] == [11, 11, 11]

    def test_variables_of_equal_names_in_two_graphs(self, context):
        @tf_comp
        def vector():
            variable = tf.Variable([1.0, 2.0], name="counter")
            with tf.control_dependencies([variable.assign(variable * 2.0)]):
                return variable.read_value()

        count = _counter(0)
        assert count(1) == 1
        np.testing.assert_array_equal(vector(), [2.0, 4.0])
        assert count(1) == 1

    def test_each_client_has_its_own(self, context):
        comp = fed_comp(lambda x: tff.federated_map(_counter(0), x), INTS)
        assert comp([1, 2, 3]) == [1, 2, 3]

    def test_a_variable_initialised_from_another(self, context):
        @tf_comp
        def chained():
            one = tf.Variable(lambda: tf.ones([2]) * 3.0)
            other = tf.Variable(lambda: tf.constant([1.0, 1.0]))
            with tf.control_dependencies([other.assign_add(one.read_value())]):
                return other.read_value(), one.read_value()

        for _ in range(2):
            other, one = chained()
            np.testing.assert_array_equal(other, [4.0, 4.0])
            np.testing.assert_array_equal(one, [3.0, 3.0])

    def test_a_computation_inside_another(self, context):
        count = _counter(0)
        both = tf_comp(lambda x: (count(x), count(x * 2)), np.int32)
        assert both(1) == (1, 2)
        assert both(1) == (1, 2)

    def test_a_random_initial_value_is_drawn_once_a_call(self, context):
        @tf_comp
        def draw():
            variable = tf.Variable(lambda: tf.random.uniform([]))
            return variable.read_value(), variable.read_value()

        one, again = draw()
        assert one == again
        assert draw()[0] != one

    def test_static_table(self, context):
        @tf_comp(np.str_)
        def lookup(word):
            table = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(["a", "b"], [1, 2]), -1
            )
            return table.lookup(word)

        assert [int(lookup(w)) for w in ("a", "b", "z", "a")] == [1, 2, -1, 1]

    def test_two_tables_of_other_contents(self, context):
        def table_of(value):
            @tf_comp(np.str_)
            def lookup(word):
                table = tf.lookup.StaticHashTable(
                    tf.lookup.KeyValueTensorInitializer(["a"], [value]), -1
                )
                return table.lookup(word)

            return lookup

        first, second = table_of(1), table_of(2)
        assert (first("a"), second("a"), first("a")) == (1, 2, 1)

    def test_mutable_table(self, context):
        @tf_comp(np.int64)
        def insert(key):
            table = tf.lookup.experimental.DenseHashTable(
                tf.int64, tf.int64, -1, empty_key=-1, deleted_key=-2
            )
            with tf.control_dependencies([table.insert(key, key)]):
                return table.size()

        assert [int(insert(np.int64(k))) for k in (1, 2, 3)] == [1, 1, 1]


class TestRandomness:
    def test_a_new_number_for_each_call_and_client(self, context):
        draw = tf_comp(lambda: tf.random.uniform([]))
        assert len({float(draw()) for _ in range(5)}) == 5
        clients = fed_comp(lambda x: (tff.federated_eval(draw, tff.CLIENTS), x), INTS)
        drawn, _ = clients([0] * 5)
        assert len({float(x) for x in drawn}) == 5

    def test_a_number_used_twice_is_drawn_once(self, context):
        draw = tf_comp(lambda: tf.random.uniform([]))

        @fed_comp
        def twice():
            number = draw()
            return number, number

        one, other = twice()
        assert one == other

    def test_a_stateless_seed_repeats(self, context):
        draw = tf_comp(
            lambda seed: tf.random.stateless_uniform([], seed),
            tff.TensorType(np.int32, [2]),
        )
        assert draw([1, 2]) == draw([1, 2]) != draw([1, 3])

    def test_a_new_number_for_each_client_that_maps_an_equal_value(self, context):
        noise = tf_comp(lambda x: x + tf.random.uniform([]), np.float32)
        comp = fed_comp(
            lambda x, y: (tff.federated_map(noise, tff.federated_broadcast(y)), x),
            INTS,
            tff.FederatedType(np.float32, tff.SERVER),
        )
        drawn, _ = comp([0, 0], 1.0)
        assert drawn[0] != drawn[1]


def test_session_tokens_differ_between_runs(context):
    from tensorflow_federated.python.core.environments.tensorflow_frontend import (
        tensorflow_computation_context,
    )

    token = tf_comp(lambda: tensorflow_computation_context.get_session_token())
    assert token() != token()


class TestFunctionNames:
    def test_equal_names_with_unequal_bodies(self, context):
        def loop(step):
            @tf_comp(np.int32)
            def comp(n):
                return tf.while_loop(lambda i: i < n, lambda i: i + step, [0])[0]

            return comp

        def call(step):
            @tf.function(autograph=False)
            def body(x):
                return x * step

            return tf_comp(lambda x: body(x) + body(x), np.int32)

        assert [int(loop(s)(7)) for s in (1, 2, 3)] == [7, 8, 9]
        assert [int(call(s)(7)) for s in (1, 2, 3)] == [14, 28, 42]

    def test_gradients_inside_a_graph(self, context):
        def gradient_of(power):
            @tf.custom_gradient
            def doubled(x):
                return x, lambda upstream: upstream * 2.0

            @tf.function(autograph=False)
            def f(x):
                return doubled(x) ** power

            @tf_comp(np.float32)
            def gradient(x):
                with tf.GradientTape() as tape:
                    tape.watch(x)
                    y = f(x)
                return tape.gradient(y, x)

            return gradient

        assert [float(gradient_of(p)(3.0)) for p in (2.0, 3.0)] == [12.0, 54.0]


class TestReuse:
    def test_nothing_is_imported_or_compiled_again(self, context):
        comp = fed_comp(
            lambda x: tff.federated_mean(
                tff.federated_map(
                    tf_comp(lambda v: tf.cast(v, tf.float32), np.int32), x
                )
            ),
            INTS,
        )
        assert comp([1, 2]) == 1.5
        imported, compiled = context.import_count, context.compile_count
        assert imported > 0 and compiled == 1
        for clients in range(1, 6):
            comp(list(range(clients)))
        assert (context.import_count, context.compile_count) == (imported, compiled)

    def test_equal_graphs_are_imported_once(self, context):
        one = tf_comp(lambda x: x + 1, np.int32)
        assert [one(1), one(2)] == [2, 3]
        assert context.import_count == 1
        assert fed_comp(lambda x: one(one(x)), np.int32)(1) == 3
        assert context.import_count == 1

    def test_a_function_that_never_runs_is_not_imported(self, context):
        comp = fed_comp(lambda x: tff.federated_sum(x), INTS)
        comp([])
        few = context.import_count
        comp([1])
        assert context.import_count > few

    def test_a_collected_computation_is_forgotten(self, context):
        def use():
            comp = tf_comp(lambda x: x + 41, np.int32)
            comp(1)
            return weakref.ref(comp)

        reference = use()
        gc.collect()
        assert reference() is None
        assert not context._programs and not context._graphs

    def test_a_collected_context_frees_its_graphs(self):
        comp = tf_comp(lambda x: x + 43, np.int32)
        context = runtime.InProcessContext()
        context.invoke(comp, 1)
        reference = weakref.ref(context)
        del context
        gc.collect()
        assert reference() is None


def test_threads_share_a_context(context):
    count = _counter(0)
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        found = list(
            threads.map(lambda step: int(context.invoke(count, step)), range(64))
        )
    assert found == list(range(64))
    assert (context.compile_count, context.import_count) == (1, 1)


def test_install_sets_the_default():
    stack = tff.framework.get_context_stack()
    before = stack.current
    try:
        context = runtime.install()
        assert stack.current is context
        assert tf_comp(lambda: 5)() == 5
        assert context.import_count == 1
    finally:
        tff.framework.set_default_context(before)


class TestAsynchronous:
    def test_program_platform(self):
        platform = tff.program.NativeFederatedContext(
            runtime.as_async(runtime.InProcessContext())
        )
        total = fed_comp(
            lambda s, x: tff.federated_map(
                tf_comp(lambda a, b: a + b, np.int32, np.int32),
                (s, tff.federated_sum(x)),
            ),
            tff.FederatedType(np.int32, tff.SERVER),
            INTS,
        )

        async def loop():
            state = 0
            for _ in range(3):
                state = total(state, [1, 2])
            return await tff.program.materialize_value(state)

        with tff.framework.get_context_stack().install(platform):
            assert asyncio.run(loop()) == 9

    def test_data_descriptor(self, context):
        load = fed_comp(lambda x: tff.federated_map(_counter(1), x), INTS)
        data = tff.framework.DataDescriptor(load, [1, 2], INTS, 2)
        total = fed_comp(lambda x: tff.federated_sum(x), INTS)
        assert total(data) == 5


def test_iterative_process(context):
    @tf_comp
    def initial():
        return collections.OrderedDict(n=0, total=tf.zeros([2]))

    state_type = initial.type_signature.result

    @fed_comp
    def initialize():
        return tff.federated_eval(initial, tff.SERVER)

    @tf_comp(state_type, tff.TensorType(np.float32, [2]))
    def update(state, value):
        return collections.OrderedDict(n=state["n"] + 1, total=state["total"] + value)

    vectors = tff.FederatedType(tff.TensorType(np.float32, [2]), tff.CLIENTS)

    @fed_comp(tff.FederatedType(state_type, tff.SERVER), vectors)
    def next_fn(state, value):
        return tff.federated_map(update, (state, tff.federated_sum(value)))

    process = tff.templates.IterativeProcess(initialize, next_fn)
    state = process.initialize()
    for _ in range(3):
        state = process.next(state, [np.ones(2, np.float32)] * 2)
    assert state["n"] == 3
    np.testing.assert_array_equal(state["total"], [6.0, 6.0])


@pytest.mark.slow
def test_memory_is_flat_over_two_hundred_rounds(context):
    size = 1 << 18  # 1 MiB of float32 a client: a leak of one copy would be 200 MiB.
    vector = tff.TensorType(np.float32, [size])

    @tf_comp(vector)
    def through_a_variable(x):
        variable = tf.Variable(lambda: tf.zeros([size]))
        with tf.control_dependencies([variable.assign(x)]):
            return variable.read_value()

    comp = fed_comp(
        lambda server, x: tff.federated_mean(
            tff.federated_map(
                tf_comp(lambda a, b: a + b, vector, vector),
                (
                    tff.federated_map(through_a_variable, x),
                    tff.federated_broadcast(server),
                ),
            )
        ),
        tff.FederatedType(vector, tff.SERVER),
        tff.FederatedType(vector, tff.CLIENTS),
    )
    state, clients = np.zeros(size, np.float32), [np.ones(size, np.float32)] * 2
    for _ in range(20):
        state = comp(state, clients)
    before, counts = _resident_bytes(), (context.import_count, context.compile_count)
    objects = len(gc.get_objects())
    for _ in range(200):
        state = comp(state, clients)
    gc.collect()
    assert state[0] == 220.0
    assert _resident_bytes() - before < 128 << 20
    assert len(gc.get_objects()) < objects + 2000
    assert (context.import_count, context.compile_count) == counts


def _resident_bytes():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()
