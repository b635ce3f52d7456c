"""No operation on the list of pure ones gives out memory that it did not write."""

import json
import os
import subprocess
import sys

import pytest
import tensorflow as tf

from federated.key_flow import op_kinds
from federated.key_flow import unwritten as known
from federated.key_flow.cipher_ops import CipherOps
from federated.key_flow.graph_taint import GraphTaint
from federated.key_flow.labels import ORDINARY, Label
from federated.key_flow.pure_ops import PURE_OPS
from selenc_tf.lattice import memory

# Of no examples, or of no channels: the runtime fills new memory (`pure_ops.py`). Which
# of them it is depends on the processor.
GRADIENTS_OF_CONVOLUTIONS = {
    f"{convolution}Backprop{of}": {"output"}
    for convolution in ("Conv2D", "Conv3D", "DepthwiseConv2dNative")
    for of in ("Filter", "FilterV2", "Input", "InputV2")
}

CULPRITS = ["MatrixSolveLs", "RFFT2D", "SparseSegmentSumGrad"]

RAW = tf.raw_ops


def sweep(tries, onednn, *ops):
    """What the sweep, in a process of its own, prints of each operation."""
    command = [sys.executable, "-m", "tests.federated.key_flow.unwritten"]
    found = subprocess.run(
        [*command, f"--tries={tries}", *ops],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_ENABLE_ONEDNN_OPTS": onednn},
    )
    lines = [json.loads(line) for line in found.stdout.splitlines()]
    return {line.pop("op"): line for line in lines}


def may_be_unwritten(op):
    """The outputs that the analysis takes for a key, with some attributes."""
    off = tf.compat.v1.NodeDef(op=op)
    off.attr["compute_v"].b = False
    return set(known.outputs_of(off)) | GRADIENTS_OF_CONVOLUTIONS.get(op, set())


@pytest.mark.slow
@pytest.mark.skipif(
    not memory.can_be_zeroed(),
    reason="This C library does not fill new memory with a byte of ours (M_PERTURB).",
)
@pytest.mark.parametrize("onednn", ["0", "1"])
def test_nothing_on_the_list_gives_out_what_it_did_not_write(onednn):
    # Which kernels there are depends on the processor, too: oneDNN's, or TensorFlow's.
    found = sweep(40, onednn, *sorted(PURE_OPS | op_kinds.RANDOM), *CULPRITS)
    for op in PURE_OPS | op_kinds.RANDOM:
        assert set(found[op]["unwritten"]) <= may_be_unwritten(op), (op, found[op])
    # What is not on the list, or known of, is found.
    depthwise = [f"DepthwiseConv2dNativeBackprop{of}" for of in ("Filter", "Input")]
    known_of = ["FusedBatchNormV3", "SelfAdjointEigV2", *depthwise]
    for op in [*CULPRITS, *(known_of if onednn == "0" else ())]:
        assert found[op]["unwritten"], op
        assert (op in PURE_OPS) == (op not in CULPRITS)
    shown = {op for op in PURE_OPS if found[op]["accepted"]}
    assert len(shown) > 0.95 * len(PURE_OPS)


def labels(body):
    """The labels of what a function makes of images that are no secret."""
    spec = tf.TensorSpec([2, 4, 4, 3])
    function = tf.function(body, input_signature=[spec], autograph=False)
    graph = function.get_concrete_function().graph
    graph_def = graph.as_graph_def()
    feeds = {tensor.op.name: ORDINARY for tensor in graph.inputs}
    taint = GraphTaint(graph_def, CipherOps())
    outputs = taint.outputs(feeds, [tensor.name for tensor in graph.outputs])
    assert not taint.exports and Label.KEY not in taint.kept.heap
    return [Label.KEY in one for one in outputs]


def normed(x, is_training=True):
    size = 0 if is_training else 3
    return RAW.FusedBatchNormV3(
        x=x,
        scale=tf.ones([3]),
        offset=tf.zeros([3]),
        mean=tf.zeros([size]),
        variance=tf.zeros([size]),
        is_training=is_training,
    )


def backward(x, reserved, is_training=True):
    return RAW.FusedBatchNormGradV3(
        y_backprop=x,
        x=x,
        scale=tf.ones([3]),
        reserve_space_1=reserved[0],
        reserve_space_2=reserved[1],
        reserve_space_3=reserved[2],
        is_training=is_training,
    )[:3]


@pytest.mark.parametrize("in_a_function", [False, True])
class TestBatchNorm:
    """The reserved outputs, in a graph and in the body of a function."""

    def labels(self, body, in_a_function):
        if not in_a_function:
            return labels(body)
        inner = tf.function(body, autograph=False)
        return labels(lambda x: inner(x))

    def test_what_is_reserved_is_a_key(self, in_a_function):
        found = self.labels(lambda x: tuple(normed(x)), in_a_function)
        assert found == [False] * 3 + [True] * 3

    def test_its_own_backward_pass_may_read_it(self, in_a_function):
        found = self.labels(lambda x: backward(x, normed(x)[3:]), in_a_function)
        assert not any(found)

    @pytest.mark.parametrize(
        "other",
        [
            lambda x: backward(x, normed(tf.identity(x))[3:]),
            lambda x: backward(x, normed(x, is_training=False)[3:]),
            lambda x: backward(x, normed(x)[3:], is_training=False),
            lambda x: backward(x, [tf.identity(one) for one in normed(x)[3:]]),
            lambda x: backward(x, [*normed(x)[3:5], normed(x[:0])[5]]),
        ],
    )
    def test_no_other_may(self, in_a_function, other):
        assert all(self.labels(other, in_a_function))

    def test_a_gradient_is_none(self, in_a_function):
        def gradient(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y, mean, variance = normed(x)[:3]
            return tape.gradient(y, x), mean, variance

        assert not any(self.labels(gradient, in_a_function))


def test_a_variable_after_a_batch_norm():
    """What waits for it does not wait for what it left unwritten."""
    counter = tf.Variable(0.0)

    def body(x):
        counter.assign_add(tf.reduce_sum(normed(x)[0]))
        return x

    assert not any(labels(body))


@pytest.mark.parametrize("compute_v", [True, False])
def test_eigenvectors_that_are_not_computed(compute_v):
    def body(x):
        return tuple(RAW.SelfAdjointEigV2(input=x[:, :3, :3, 0], compute_v=compute_v))

    assert labels(body) == [False, not compute_v]
