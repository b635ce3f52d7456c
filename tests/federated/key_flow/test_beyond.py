"""Operations that may read beyond an argument."""

import pytest
import tensorflow as tf

from federated.key_flow import op_kinds
from federated.key_flow.cipher_ops import CipherOps
from federated.key_flow.graph_taint import GraphTaint
from federated.key_flow.labels import ORDINARY, Label
from federated.key_flow.pure_ops import PURE_OPS

RAW = tf.raw_ops


def drawn(seed, words):
    """Numbers by a counter of two words, or by one of which TensorFlow reads two."""
    made = RAW.StatelessRandomGetKeyCounter(seed=seed)
    return RAW.StatelessRandomUniformV2(
        shape=[100], key=made.key, counter=made.counter[:words], alg=1
    )


def as_keras_draws(seed):
    return tf.random.stateless_uniform([100], seed)


@pytest.mark.parametrize("in_a_function", [False, True])
@pytest.mark.parametrize(
    ("draw", "is_key"),
    [
        (lambda seed: drawn(seed, 1), True),
        # Of two words, but nothing in the graph says so.
        (lambda seed: drawn(seed, 2), True),
        (as_keras_draws, False),
        (lambda seed: tf.random.experimental.stateless_shuffle([1, 2], seed), False),
    ],
)
def test_a_counter_is_that_of_a_seed(draw, is_key, in_a_function):
    body = draw
    if in_a_function:
        inner = tf.function(
            draw,
            autograph=False,
            input_signature=[tf.TensorSpec([2], tf.int64)],
        )
        body = lambda seed: inner(seed)  # noqa: E731
    graph = (
        tf.function(
            body,
            autograph=False,
            input_signature=[tf.TensorSpec([2], tf.int64)],
        )
        .get_concrete_function()
        .graph
    )
    taint = GraphTaint(graph.as_graph_def(), CipherOps())
    feeds = {tensor.op.name: ORDINARY for tensor in graph.inputs}
    (found,) = taint.outputs(feeds, [tensor.name for tensor in graph.outputs])
    assert (Label.KEY in found) == is_key


def test_what_was_found_is_on_no_list():
    lists = PURE_OPS.union(op_kinds.DATASETS, op_kinds.STATEFUL_DATASETS)
    assert not lists & {
        "RaggedTensorToTensor",
        "RaggedBincount",
        "CropAndResizeGradBoxes",
        "CropAndResizeGradImage",
        "MapAndBatchDataset",
    }
