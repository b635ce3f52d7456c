"""The analysis knows `device_rlwe` and `additive_pad`, by what their graphs spell out.

All of `tests/federated` runs with them, too: `SELENC_TF_CIPHER=device_rlwe`.
"""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

import federated  # noqa: F401
from federated import key_flow
from federated.key_flow.cipher_ops import CipherOps
from federated.key_flow.labels import Label
from selenc_tf import catalog
from selenc_tf.lattice import block_tails, key_store
from selenc_tf.lattice.device import entropy
from tests.federated.key_flow.parts import BLOCKS, any_length, send
from tests.selenc_tf.lattice import ciphers

RLWE, PAD = ciphers.device(4, 16), ciphers.pad(4, 16)
tf_comp = tff.tensorflow.computation


def graph_of(function):
    with tf.Graph().as_default() as graph:
        function(
            *[
                tf.compat.v1.placeholder(s.dtype, s.shape)
                for s in function.input_signature
            ]
        )
    return graph.as_graph_def()


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.slow
@pytest.mark.parametrize("cipher", [RLWE, PAD], ids=lambda one: one.name)
@pytest.mark.parametrize("name", ["add", *map(slow, ("keygen", "encrypt", "decrypt"))])
def test_known_by_any_of_its_functions(cipher, name):
    found = CipherOps.in_graphs([graph_of(getattr(cipher, name))])
    assert found.by_body == CipherOps.of(cipher).by_body and len(found.by_body) == 4


@pytest.mark.slow
def test_several_in_one_computation():
    found = CipherOps.in_graphs([graph_of(RLWE.add), graph_of(PAD.add)])
    assert found.by_body == CipherOps.of(RLWE, PAD).by_body
    assert len(found.by_body) == 8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cipher", "old", "new"),
    [
        (RLWE, b'"variance": 11', b'"variance": 10'),
        (RLWE, b'"bits": 16', b'"bits": 15'),
        (PAD, b'"bits": 16', b'"bits": 99'),
        (PAD, b'"bits": 16', b'"bits": 15'),
        (PAD, b"additive_pad", b"device_rlwe"),
    ],
)
def test_of_other_or_insecure_parameters_it_is_unknown(cipher, old, new):
    text = catalog.cipher_parameters(cipher.name, 4, 16).text().encode()
    other = text.replace(old, new)
    assert other != text
    graph = graph_of(cipher.add)
    for function in graph.library.function:
        for node in function.node_def:
            strings = node.attr["value"].tensor.string_val if node.op == "Const" else []
            strings[:] = [other if one == text else one for one in strings]
    assert other in graph.SerializeToString()
    known = CipherOps.in_graphs([graph]).by_body
    assert not set(known) & set(CipherOps.of(cipher).by_body)


@pytest.fixture(scope="module")
def secrets(key_for):
    return {cipher.name: key_for(cipher) for cipher in (RLWE, PAD)}


def process(cipher, keys, make, encrypt=None):
    """Clients open what the server made of their messages, for the server."""
    row = tff.TensorType(np.int64, [1, cipher.num_slots])
    sealed = tf_comp(
        lambda row: (encrypt or cipher.encrypt)(key_store.read(keys, cipher), row), row
    )
    opened = tf_comp(
        lambda given: cipher.decrypt(key_store.read(keys, cipher), given), BLOCKS
    )
    stacked = tff.TensorType(np.str_, [None, None])

    @tff.federated_computation(tff.FederatedType(row, tff.CLIENTS))
    def made(x):
        total = tff.federated_aggregate(
            tff.federated_map(sealed, x),
            tf_comp(lambda: any_length(tf.zeros([0, 1], tf.string)))(),
            tf_comp(lambda so_far, new: tf.concat([so_far, [new]], 0), stacked, BLOCKS),
            tf_comp(lambda one, two: tf.concat([one, two], 0), stacked, stacked),
            tf_comp(lambda blocks: any_length(make(blocks)), stacked),
        )
        return send(tff.federated_map(opened, tff.federated_broadcast(total)))

    return made


@pytest.mark.parametrize("cipher", [slow(RLWE), PAD], ids=lambda one: one.name)
def test_opening_a_sum_leaks_nothing(secrets, cipher):
    keys = secrets[cipher.name]
    key_flow.check(process(cipher, keys, cipher.add), keys.path)


def own_seed(cipher):
    """Of words that a stranger draws: another function than the cipher's."""
    return lambda key, row: tf.strings.join(
        [cipher.encrypt(key, row), _text(entropy.draw_seed())]
    )


def _text(words):
    return tf.strings.reduce_join(tf.strings.as_string(tf.bitcast(words, tf.int32)))


def in_front_of(blocks):
    """A part of a sum's length, whose tail is an upload's, as serialised ones are."""
    more = PAD.sum_bytes - PAD.upload_bytes
    return tf.strings.join([tf.constant(bytes(more)), blocks[0]])


def serialised(blocks):
    return tf.reshape(tf.io.serialize_tensor(blocks[0, 0]), [1])


def seed_exchanged(cipher):
    """The words of the first upload before the seed and the tail of the second."""
    behind = 32 + block_tails.NUM_BYTES
    at = cipher.upload_bytes - behind

    def make(blocks):
        words = tf.strings.substr(blocks[0], 0, at)
        rest = tf.strings.substr(blocks[1], at, behind)
        return cipher.add(tf.strings.join([words, rest])[tf.newaxis])

    return make


LEAKS = {
    "an upload": lambda cipher: (lambda blocks: blocks[0], None),
    "a string that is longer": lambda cipher: (
        lambda blocks: tf.strings.join([blocks[0], "0"]),
        None,
    ),
    "octets in front": lambda cipher: (in_front_of, None),
    "octets in front, added": lambda cipher: (
        lambda blocks: cipher.add(in_front_of(blocks)[tf.newaxis]),
        None,
    ),
    "a serialised upload": lambda cipher: (serialised, None),
    "the end of a sum": lambda cipher: (
        lambda blocks: tf.strings.substr(
            cipher.add(blocks), -cipher.upload_bytes, cipher.upload_bytes
        ),
        None,
    ),
    "the seed of another": lambda cipher: (seed_exchanged(cipher), None),
    "a seed of its own": lambda cipher: (cipher.add, own_seed(cipher)),
    "the key": lambda cipher: (cipher.add, lambda key, row: tf.fill([1], key)),
}
BY_DEFAULT = {("device_rlwe", "an upload"), ("additive_pad", "the seed of another")}


@pytest.mark.parametrize(
    ("cipher", "leak"),
    [
        pytest.param(
            one,
            leak,
            marks=() if (one.name, leak) in BY_DEFAULT else pytest.mark.slow,
            id=f"{one.name}, {leak}",
        )
        for one in (RLWE, PAD)
        for leak in LEAKS
    ],
)
def test_leaks_are_caught(secrets, cipher, leak):
    make, encrypt = LEAKS[leak](cipher)
    keys = secrets[cipher.name]
    report = key_flow.analyse(process(cipher, keys, make, encrypt), keys.path)
    assert {Label.KEY, Label.OPENED_OWN} & {one.label for one in report.violations}
