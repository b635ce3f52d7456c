"""Graphs are timed by the name that their nodes are under."""

import time

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from federated import runtime
from federated.round import wiring


def test_every_graph_that_runs_is_told_once_under_its_name():
    told = []
    context = runtime.InProcessContext(timer=lambda *one: told.append(one))

    def double(x):
        return 2 * x

    def take_in(total, x):
        return total + x

    @tff.federated_computation(tff.FederatedType(np.float32, tff.CLIENTS))
    def summed(values):
        doubled = wiring.apply(double, values)
        return wiring.aggregate(
            wiring.apply(lambda x: x + 1.0, doubled),
            lambda: tf.constant(0.0),
            take_in,
            lambda left, right: left + right,
        )

    with tff.framework.get_context_stack().install(context):
        began = time.perf_counter()
        assert summed([1.0, 2.0, 3.0]) == 15.0
        taken = time.perf_counter() - began
    names = [name for name, _ in told]
    assert names.count("double") == 3 and names.count("take_in") == 3
    seconds = [each for _, each in told]
    assert min(seconds) >= 0 and sum(seconds) <= taken


def test_nobody_is_told_by_default():
    plain = tff.tensorflow.computation(lambda x: x + 1, np.int32)
    with tff.framework.get_context_stack().install(runtime.InProcessContext()):
        assert plain(1) == 2
