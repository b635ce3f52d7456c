"""The analysis knows `device_rlwe`, too.

All of `tests/federated` runs with it, too: `SELENC_TF_CIPHER=device_rlwe`.
"""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

import federated  # noqa: F401
from federated import key_flow
from federated.key_flow.cipher_ops import CipherOps
from federated.key_flow.labels import Label
from selenc_tf.lattice import device_cipher, key_store
from selenc_tf.lattice.device import entropy
from tests.federated.key_flow.parts import BLOCKS, any_length, send
from tests.selenc_tf.lattice import ciphers

CIPHER = ciphers.device(4, 16)
CHOSEN = device_cipher.of_sums(4, 16)
ROW = tff.TensorType(np.int64, [1, CIPHER.num_slots])
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


@pytest.mark.parametrize("name", ["add", *map(slow, ("keygen", "encrypt", "decrypt"))])
def test_known_by_any_of_its_functions(name):
    found = CipherOps.in_graphs([graph_of(getattr(CIPHER, name))])
    assert found.by_body == CipherOps.of(CIPHER).by_body and len(found.by_body) == 4


@pytest.mark.slow
def test_of_other_or_insecure_parameters_it_is_unknown():
    text, written = CHOSEN.text().encode(), graph_of(CIPHER.add).SerializeToString()
    for old, new in (
        (b'"variance": 11', b'"variance": 10'),
        (b'"bits": 16', b'"bits": 15'),
    ):
        other = text.replace(old, new)
        assert other != text
        graph = tf.compat.v1.GraphDef.FromString(written.replace(text, other))
        known = CipherOps.in_graphs([graph]).by_body
        assert not set(known) & set(CipherOps.of(CIPHER).by_body)


@pytest.fixture(scope="module")
def secret(key_for):
    return key_for(CIPHER)


def process(keys, make, encrypt=CIPHER.encrypt):
    """Clients open what the server made of their messages, for the server."""
    sealed = tf_comp(lambda row: encrypt(key_store.read(keys, CIPHER), row), ROW)
    opened = tf_comp(
        lambda given: CIPHER.decrypt(key_store.read(keys, CIPHER), given), BLOCKS
    )
    stacked = tff.TensorType(np.str_, [None, None])

    @tff.federated_computation(tff.FederatedType(ROW, tff.CLIENTS))
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


def test_opening_a_sum_leaks_nothing(secret):
    key_flow.check(process(secret, CIPHER.add), secret.path)


def own_seed(key, row):
    """Of words that a stranger draws: another function than the cipher's."""
    return tf.strings.join([CIPHER.encrypt(key, row), _text(entropy.draw_seed())])


def _text(words):
    return tf.strings.reduce_join(tf.strings.as_string(tf.bitcast(words, tf.int32)))


@pytest.mark.parametrize(
    ("make", "encrypt"),
    [
        (lambda blocks: blocks[0], CIPHER.encrypt),
        # A seed that somebody chose.
        slow(lambda blocks: tf.strings.join([blocks[0], "0"]), CIPHER.encrypt),
        slow(CIPHER.add, own_seed),
        slow(CIPHER.add, lambda key, row: tf.fill([1], key)),
    ],
)
def test_leaks_are_caught(secret, make, encrypt):
    report = key_flow.analyse(process(secret, make, encrypt), secret.path)
    assert {Label.KEY, Label.OPENED_OWN} & {one.label for one in report.violations}
