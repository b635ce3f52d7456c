"""Where the parts of a round run: the model on the GPU, lattice operations on the host."""

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context as eager_context

from federated.round import client
from selenc_tf.lattice import codec, key_store, parameters, shell_cipher
from selenc_tf.lattice.engine import Engine
from selenc_tf.masks import policy, wire
from selenc_tf.models import functional, lenet
from selenc_tf.significance import magnitude
from selenc_tf.significance.context import ScoreContext

CODEC = codec.FixedPointCodec(bits=24)


def devices_by_op(call: Callable[[], object]) -> dict[str, set[str]]:
    """Runs a call and returns the device types on which each kind of operation ran."""
    eager_context.enable_run_metadata()
    try:
        call()
        metadata = eager_context.export_run_metadata()
    finally:
        eager_context.disable_run_metadata()
    found: dict[str, set[str]] = {}
    for graph in metadata.partition_graphs:
        for node in graph.node:
            device = tf.DeviceSpec.from_string(node.device).device_type
            found.setdefault(node.op, set()).add(str(device))
    return found


def build_client_round() -> Callable[[], object]:
    """Gradient, mask, quantisation and encryption of one client as one graph."""
    model = lenet.lenet((28, 28, 1), 10, 0)
    cipher = shell_cipher.build_shell_cipher(
        parameters.choose_parameters(2, CODEC.bits)
    )
    engine = Engine(CODEC, cipher)
    keys = key_store.KeySet("unused", "00" * 8)
    key = cipher.keygen()
    images = tf.constant(np.random.default_rng(0).random((2, 28, 28, 1), np.float32))
    labels = tf.one_hot([1, 2], 10)

    @tf.function
    def client_round() -> client.Upload:
        vector = functional.gradient(model, model.initial_weights, images, labels)
        scores = magnitude.magnitude(
            ScoreContext(model.spec, tf.constant([0, 0]), vector)
        )
        mask = policy.top_scores(scores, 1000)
        context = engine.context(keys, wire.pack(mask), 0, 1000)
        one, nonce = tf.constant(1.0), tf.constant(0, tf.int64)
        bound = tf.constant(4.0)
        return client.protect(vector, one, mask, bound, context, key, nonce, engine)

    return client_round


# What stands for each part: the convolutions of the gradient, the counting that ranks the
# mask's scores, the rounding of the codec; and tf-shell's own kernels.
ON_DEVICE = ("Conv2DBackpropFilter", "DenseBincount", "Round")
ON_HOST = ("ContextImport64", "PolynomialImport64", "Encrypt64")


@pytest.mark.slow
def test_the_probe_sees_every_part():
    """Holds on any machine: without it, the test below could pass by seeing nothing."""
    found = devices_by_op(build_client_round())
    for op in (*ON_DEVICE, *ON_HOST):
        # oneDNN has kernels with more in their names.
        assert any(op in name for name in found), op


@pytest.mark.gpu
def test_model_mask_and_quantisation_on_the_device_and_lattice_on_the_host():
    if not tf.config.list_physical_devices("GPU"):
        pytest.fail("The `gpu` tests need an NVIDIA GPU and the `gpu` extra.")
    found = devices_by_op(build_client_round())
    for op in ON_DEVICE:
        assert found[op] == {"GPU"}, (op, found[op])
    for op in ON_HOST:
        assert found[op] == {"CPU"}, (op, found[op])
