"""Custom ops of this process run inside TFF computations: lattice ciphertexts."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff
import tf_shell

from federated import runtime
from federated.runtime.tap import Direction, varint_bytes

tf_comp = tff.tensorflow.computation
fed_comp = tff.federated_computation

SLOTS = 2048
VECTOR = tff.TensorType(np.int64, [SLOTS])


def _context():
    return tf_shell.create_context64(
        log_n=11,
        main_moduli=[18014398509404161],
        plaintext_modulus=1099511480321,
        noise_variance=8,
        scaling_factor=1,
    )


def _ciphertext(context, raw):
    like = tf_shell.to_shell_plaintext(tf.zeros([SLOTS], tf.int64), context)
    return tf_shell.ShellTensor64(
        _raw_tensor=tf.io.parse_tensor(raw, tf.variant),
        _context=context,
        _level=like._level,
        _num_mod_reductions=like._num_mod_reductions,
        _underlying_dtype=tf.int64,
        _scaling_factor=like._scaling_factor,
        _is_enc=True,
    )


@tf_comp
def make_key():
    key = tf_shell.create_key64(_context())
    return tf.io.serialize_tensor(key._raw_keys_at_level)


def _key(raw):
    return tf_shell.ShellKey64(_raw_keys_at_level=tf.io.parse_tensor(raw, tf.variant))


@tf_comp(VECTOR, np.str_)
def encrypt(values, raw_key):
    context = _context()
    encrypted = tf_shell.to_encrypted(values, _key(raw_key), context)
    return tf.io.serialize_tensor(encrypted._raw_tensor)


@tf_comp(np.str_, np.str_)
def add(one, other):
    context = _context()

    def both():
        total = _ciphertext(context, one) + _ciphertext(context, other)
        return tf.io.serialize_tensor(total._raw_tensor)

    return tf.cond(tf.equal(one, ""), lambda: other, both)


@tf_comp(np.str_, np.str_)
def decrypt(raw, raw_key):
    context = _context()
    return tf_shell.to_tensorflow(_ciphertext(context, raw), _key(raw_key))


same = tf_comp(lambda raw: raw, np.str_)


@fed_comp(
    tff.FederatedType(VECTOR, tff.CLIENTS), tff.FederatedType(np.str_, tff.CLIENTS)
)
def encrypted_sum(values, keys):
    ciphertexts = tff.federated_map(encrypt, (values, keys))
    return tff.federated_aggregate(ciphertexts, "", add, add, same)


@pytest.fixture
def seen():
    return []


@pytest.fixture(autouse=True)
def _installed(seen):
    context = runtime.InProcessContext([seen.append])
    with tff.framework.get_context_stack().install(context):
        yield


def test_ciphertexts_are_added_at_the_server(seen):
    key = make_key()
    values = [np.arange(SLOTS) * (client + 1) for client in range(3)]
    total = encrypted_sum(values, [key] * 3)
    np.testing.assert_array_equal(decrypt(total, key), sum(values))
    assert [c.direction for c in seen] == [Direction.CLIENTS_TO_SERVER] * 3
    for crossing in seen:
        assert crossing.wire_bytes == len(crossing.value) + varint_bytes(
            len(crossing.value)
        )


def test_the_key_and_the_noise_are_fresh_for_every_call_and_client(seen):
    key = make_key()
    assert make_key() != key
    values = [np.zeros(SLOTS, np.int64)] * 2
    totals = [encrypted_sum(values, [key] * 2) for _ in range(2)]
    assert len({crossing.value for crossing in seen}) == 4
    assert totals[0] != totals[1]


def test_a_ciphertext_of_a_constant_is_not_folded_into_the_graph():
    @tf_comp(np.str_)
    def encrypt_constant(raw_key):
        context = _context()
        key = _key(raw_key)
        encrypted = tf_shell.to_encrypted(tf.ones([SLOTS], tf.int64), key, context)
        return tf.io.serialize_tensor(encrypted._raw_tensor)

    key = make_key()
    assert encrypt_constant(key) != encrypt_constant(key)


def test_a_wrong_key_does_not_decrypt():
    key = make_key()
    total = encrypted_sum([np.arange(SLOTS)], [key])
    assert not np.array_equal(decrypt(total, make_key()), np.arange(SLOTS))
