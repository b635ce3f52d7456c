"""Where a secret lies in memory, only what our rounds need there runs."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

import federated  # noqa: F401
from federated import key_flow
from federated.key_flow import op_kinds
from federated.key_flow.beside_secrets import BESIDE_SECRETS, HAND_ON
from federated.key_flow.pure_ops import PURE_OPS
from selenc_tf.lattice import key_store
from tests.federated.key_flow.parts import ROW, find, key_at_clients, send
from tests.federated.rounds import CIPHER

tf_comp = tff.tensorflow.computation
fed_comp = tff.federated_computation


def sum_of(path, made, beside_key=True, held=False):
    """Sends a public value, made where a key lies in memory, or in a graph of its own.

    With `held` a graph gives the key to another, so that it lies there meanwhile, too.
    """
    read = lambda: CIPHER.encrypt(  # noqa: E731
        key_store.read(find(path), CIPHER), tf.zeros(ROW.shape, tf.int64)
    )
    both = tf_comp(lambda: (made(), read()))
    alone, zeros = (
        tf_comp(lambda: made()),
        tf_comp(lambda: tf.zeros(ROW.shape, tf.int64)),
    )
    encrypt = tf_comp(CIPHER.encrypt, np.str_, ROW)
    read_and_encrypt = tf_comp(
        lambda row: CIPHER.encrypt(key_store.read(find(path), CIPHER), row), ROW
    )
    public = tf_comp(lambda one: one[0], both.type_signature.result)

    @fed_comp
    def process():
        if beside_key:
            value = tff.federated_map(public, tff.federated_eval(both, tff.CLIENTS))
            return tff.federated_sum(value), value
        value = tff.federated_eval(alone, tff.CLIENTS)
        row = tff.federated_eval(zeros, tff.CLIENTS)
        if held:
            sent = tff.federated_map(encrypt, (key_at_clients(path), row))
        else:
            sent = tff.federated_map(read_and_encrypt, row)
        return tff.federated_sum(value), send(sent)

    return process


def hidden(tensor):
    """The tensor without its rank."""
    return tf.raw_ops.PlaceholderWithDefault(input=tensor, shape=None)


def pooled():
    made = tf.nn.max_pool2d(tf.random.uniform([1, 4, 4, 1]), 2, 2, "SAME")
    return tf.reduce_sum(made)


def beyond_a_variable():
    """An optimiser's step whose slot is shorter than its variable."""
    variable, one, short = (
        tf.Variable(tf.zeros([n]), shape=tf.TensorShape(None)) for n in (8, 8, 4)
    )
    done = tf.raw_ops.ResourceApplyAdadelta(
        var=variable.handle,
        accum=one.handle,
        accum_update=short.handle,
        lr=1.0,
        rho=1.0,
        epsilon=0.5,
        grad=tf.ones([8]),
    )
    with tf.control_dependencies([done]):
        return tf.reduce_sum(variable.read_value())


def beyond_an_input():
    """A three-dimensional convolution of what has four dimensions."""
    image = hidden(tf.ones([9, 1, 1, 4]))
    kernel = tf.reshape(tf.eye(4), [1, 1, 1, 4, 4])
    made = tf.raw_ops.Conv3D(
        input=image, filter=kernel, strides=[1, 1, 1, 1, 1], padding="SAME"
    )
    return tf.reduce_sum(made)


def more_than_was_put_in():
    """So much is cut off that the sum of it overflows."""
    crops = hidden(tf.constant([[2**63 - 1, 2**63 - 1]], tf.int64))
    made = tf.raw_ops.BatchToSpaceND(
        input=tf.zeros([1, 9, 1]), block_shape=[1], crops=crops
    )
    return tf.reduce_sum(made)


@pytest.mark.parametrize(
    ("made", "op"),
    [
        (pooled, "MaxPool"),
        (beyond_a_variable, "ResourceApplyAdadelta"),
        (beyond_an_input, "Conv3D"),
        (more_than_was_put_in, "BatchToSpaceND"),
    ],
)
def test_nothing_else_runs_beside_a_key(path, made, op):
    with pytest.raises(
        key_flow.KeyLeakError, match=rf"{op}.* of a kind that no reading"
    ):
        key_flow.check(sum_of(path, made), path)


def test_no_data_set_of_another_graph_is_read_beside_a_key(path):
    elements = tff.SequenceType(tff.TensorType(np.float32, []))
    lazy = tf_comp(
        lambda: tf.data.Dataset.range(1).map(
            lambda _: tf.ensure_shape(beyond_an_input(), [])
        )
    )

    @tff.tensorflow.computation(elements)
    def read(dataset):
        length = tf.strings.length(key_store.read(find(path), CIPHER))
        with tf.control_dependencies([length]):
            one = tf.raw_ops.DatasetToSingleElement(
                dataset=dataset._variant_tensor,
                output_types=[tf.float32],
                output_shapes=[[]],
            )
        return one[0], length

    public = tf_comp(lambda both: both[0], read.type_signature.result)

    @fed_comp
    def process():
        both = tff.federated_map(read, tff.federated_eval(lazy, tff.CLIENTS))
        return tff.federated_sum(tff.federated_map(public, both))

    with pytest.raises(key_flow.KeyLeakError, match=r"Placeholder.* of a kind that no"):
        key_flow.check(process, path)


def test_what_our_rounds_compute_does(path):
    made = lambda: tf.cast(tf.reduce_sum(tf.range(8) * 2), tf.float32)  # noqa: E731
    assert not key_flow.check(sum_of(path, made), path).violations


def test_elsewhere_models_are_made_of_what_they_are(path):
    assert not key_flow.check(sum_of(path, pooled, beside_key=False), path).violations


def test_but_not_while_a_key_goes_from_graph_to_graph(path):
    with pytest.raises(key_flow.KeyLeakError, match=r"MaxPool.*let no secret leave"):
        key_flow.check(sum_of(path, pooled, beside_key=False, held=True), path)


def read_beside(path, how, held):
    """A data set that was made elsewhere is read while a key may lie in memory."""
    spec = tff.SequenceType(np.float32)
    add = tf_comp(lambda total, one: total + one, np.float32, np.float32)
    zero = tf_comp(lambda: 0.0)
    fold = fed_comp(lambda given: tff.sequence_reduce(given, zero(), add), spec)
    whole = fed_comp(tff.sequence_sum, spec)
    encrypt = tf_comp(CIPHER.encrypt, np.str_, ROW)
    read_and_encrypt = tf_comp(
        lambda row: CIPHER.encrypt(key_store.read(find(path), CIPHER), row), ROW
    )
    zeros = tf_comp(lambda: tf.zeros(ROW.shape, tf.int64))

    @fed_comp(tff.FederatedType(spec, tff.SERVER), tff.FederatedType(spec, tff.CLIENTS))
    def process(state, data):
        row = tff.federated_eval(zeros, tff.CLIENTS)
        sent = (
            tff.federated_map(encrypt, (key_at_clients(path), row))
            if held
            else tff.federated_map(read_and_encrypt, row)
        )
        return {
            "folded at the server": lambda: tff.federated_map(fold, state),
            "summed at the server": lambda: tff.federated_map(whole, state),
            "folded at clients": lambda: tff.federated_sum(
                tff.federated_map(fold, data)
            ),
        }[how](), send(sent)

    return process


@pytest.mark.parametrize(
    "how", ["folded at the server", "summed at the server", "folded at clients"]
)
def test_no_argument_s_data_set_is_read_while_a_key_goes_from_graph_to_graph(path, how):
    with pytest.raises(key_flow.KeyLeakError, match=r"reads a sequence.*let no secret"):
        key_flow.check(read_beside(path, how, held=True), path)
    key_flow.check(read_beside(path, how, held=False), path)


@pytest.mark.parametrize(
    ("use", "op"),
    [
        (lambda key: tf.strings.substr(key, 0, 64), "Substr"),
        (lambda key: tf.io.decode_raw(key, tf.uint8)[:1], "DecodeRaw"),
        (
            lambda key: tf.reduce_max(
                CIPHER.decrypt(key, CIPHER.encrypt(key, tf.zeros(ROW.shape, tf.int64)))
            ),
            "Max",
        ),
    ],
)
def test_nothing_but_the_cipher_computes_with_a_secret(path, use, op):
    """Whoever gets it: short pieces stay in memory when they are freed."""
    used = tf_comp(lambda: use(key_store.read(find(path), CIPHER)))

    @fed_comp
    def process():
        return send(tff.federated_eval(used, tff.CLIENTS))

    with pytest.raises(key_flow.KeyLeakError, match=rf"{op}.* computed with by"):
        key_flow.check(process, path)


def test_the_list_is_of_what_is_known():
    cipher = {"TFRecordDataset", "TFRecordDatasetV2", "Assert", "Const"}
    known = PURE_OPS | op_kinds.DATASETS | op_kinds.HARMLESS | cipher
    known |= op_kinds.CALLS | op_kinds.IFS | op_kinds.WHILES
    assert BESIDE_SECRETS <= known


def test_what_may_take_a_secret_may_stand_beside_one():
    assert HAND_ON <= BESIDE_SECRETS


@tf.function(autograph=False, jit_compile=True)
def four():
    return tf.constant(3) + tf.constant(1)


@pytest.mark.parametrize("beside_key", [False, True])
def test_what_xla_compiles_is_as_ordinary_as_what_it_computes(path, beside_key):
    """TensorFlow writes into such functions that they are not to be inlined."""
    key_flow.check(sum_of(path, four, beside_key))


def test_but_no_function_of_a_cipher_is_compiled_from_outside(path):
    """XLA fails nowhere: what the cipher refuses it would do."""

    @tf.function(autograph=False, jit_compile=True)
    def compiled(key):
        return CIPHER.encrypt(key, tf.zeros(ROW.shape, tf.int64))

    def encrypt(how):
        return tf_comp(lambda: how(key_store.read(find(path), CIPHER)))

    @fed_comp
    def process():
        return send(tff.federated_eval(encrypt(compiled), tff.CLIENTS))

    texts = [str(one) for one in key_flow.analyse(process).violations]
    assert any("of the cipher that XLA is to compile" in text for text in texts)


@pytest.mark.parametrize("seed", [None, 1])
def test_a_client_may_shuffle_within_a_function(path, seed):
    spec = tff.SequenceType(np.int64)

    @tf.function
    def work(data):
        total = data.shuffle(10, seed=seed).reduce(
            np.int64(0), lambda one, two: one + two
        )
        return tf.fill(ROW.shape, total)

    seal = tf_comp(
        lambda row: CIPHER.encrypt(key_store.read(find(path), CIPHER), row), ROW
    )

    @fed_comp(tff.FederatedType(spec, tff.CLIENTS))
    def process(data):
        return send(
            tff.federated_map(seal, tff.federated_map(tf_comp(work, spec), data))
        )

    key_flow.check(process, path)
