"""What clients may decrypt, and what gives them nothing."""

import dataclasses
import functools

import numpy as np
import sympy
import tensorflow as tf
import tensorflow_federated as tff
from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2

import federated  # noqa: F401
from selenc_tf.lattice import (
    block_tails,
    parameters,
    shell_cipher,
)
from tests.federated.key_flow.parts import BLOCKS, ROW, any_length, send, with_key
from tests.federated.rounds import CIPHER, CODEC

tf_comp = tff.tensorflow.computation
fed_comp = tff.federated_computation


def opened_at_the_clients(path, make, open_=CIPHER.decrypt, encrypt_=CIPHER.encrypt):
    """Clients open what the server made of their ciphertexts, for the server."""
    encrypt = with_key(path, encrypt_, ROW)
    opened = with_key(path, open_, BLOCKS)
    stacked = tff.TensorType(np.str_, [None, None])

    @fed_comp(tff.FederatedType(ROW, tff.CLIENTS))
    def process(x):
        total = tff.federated_aggregate(
            tff.federated_map(encrypt, x),
            tf_comp(lambda: any_length(tf.zeros([0, 1], tf.string)))(),
            tf_comp(lambda so_far, new: tf.concat([so_far, [new]], 0), stacked, BLOCKS),
            tf_comp(lambda one, two: tf.concat([one, two], 0), stacked, stacked),
            tf_comp(lambda blocks: any_length(make(blocks)), stacked),
        )
        return send(tff.federated_map(opened, tff.federated_broadcast(total)))

    return process


def opens(make):
    return lambda path: opened_at_the_clients(path, make)


def without_assertions(key, blocks):
    """Decrypts in a call that asks for Grappler's debug stripper."""
    config = config_pb2.ConfigProto()
    rewriting = config.graph_options.rewrite_options
    rewriting.debug_stripper = rewriter_config_pb2.RewriterConfig.ON
    function = CIPHER.decrypt.get_concrete_function()
    function.add_to_graph(tf.compat.v1.get_default_graph())
    (rows,) = tf.raw_ops.StatefulPartitionedCall(
        args=[key, blocks],
        Tout=[tf.int64],
        f=function,
        config_proto=config.SerializeToString(),
    )
    return tf.ensure_shape(rows, [None, CIPHER.num_slots])


def added_up(*counts):
    """Sums of so many copies of the first client's message, added up."""

    def make(blocks):
        copies = [CIPHER.add(tf.repeat(blocks[:1], count, axis=0)) for count in counts]
        return CIPHER.add(tf.stack(copies))

    return make


def opens_a_header(key, x):
    """What stands in the place of a header is a ciphertext that somebody chose."""
    mine = CIPHER.encrypt(key, x)
    length = block_tails.NUM_BYTES
    tail = tf.strings.substr(mine[0], -length, length)
    # In all coefficients the same.
    chosen = tf.strings.join(["\x01" * (CIPHER.upload_bytes - length), tail])
    rows = CIPHER.decrypt(key, tf.concat([tf.stack([chosen]), mine], 0))
    return CIPHER.encrypt(key, tf.ensure_shape(rows[:1], ROW.shape))


def four_to_the_fifth(blocks):
    for _ in range(5):
        blocks = CIPHER.add(tf.tile(blocks[:1], [4, 1]))[tf.newaxis]
    return blocks[0]


@functools.cache
def with_another_modulus():
    known = parameters.choose_parameters(4, CODEC.bits)
    modulus = known.plaintext_modulus - known.two_n
    while not sympy.isprime(modulus):
        modulus -= known.two_n
    return shell_cipher.build_shell_cipher(
        dataclasses.replace(known, plaintext_modulus=modulus)
    )


def added_with_other_parameters(blocks):
    return with_another_modulus().add(blocks[:2])


def decrypted_with_other_parameters(key, blocks):
    return with_another_modulus().decrypt(key, blocks)


def under_a_fresh_key(key, x):
    del key
    return CIPHER.encrypt(CIPHER.keygen(), x)


def through_errors_that_nobody_reads(key, blocks):
    """A variable keeps what was decrypted in elements that are never consumed."""
    shape = [1, CIPHER.num_slots]
    kept = tf.raw_ops.VarHandleOp(dtype=tf.int64, shape=shape)
    zeros = tf.zeros(shape, tf.int64)
    with tf.control_dependencies(
        [tf.raw_ops.AssignVariableOp(resource=kept, value=zeros)]
    ):
        blocks = tf.identity(blocks)

    def element(number):
        row = tf.ensure_shape(CIPHER.decrypt(key, blocks), shape)
        added = tf.raw_ops.AssignAddVariableOp(resource=kept, value=row)
        with tf.control_dependencies([added]):
            return number

    numbers = tf.data.Dataset.range(3).map(element)
    with tf.control_dependencies([numbers.reduce(np.int64(0), lambda a, b: a + b)]):
        return tf.raw_ops.ReadVariableOp(resource=kept, dtype=tf.int64)


def beside_the_sum(blocks):
    return tf.concat([CIPHER.add(blocks), blocks[0]], 0)


def named_like_the_adder(blocks):
    @tf.function(autograph=False)
    def add_ciphertexts(ciphertexts):
        return ciphertexts[0]

    return add_ciphertexts(blocks)


def chosen_by_the_server(blocks):
    # Opening (0, 1) gives the key. Nothing of it is a client's.
    return CIPHER.add(tf.fill(tf.shape(blocks), "\x01" * CIPHER.upload_bytes))


def two_sums_computed_with(blocks):
    # What one sum has and the other has not is one client's vector.
    one = tf.io.decode_raw(CIPHER.add(blocks), tf.uint8)
    two = tf.io.decode_raw(CIPHER.add(blocks[1:]), tf.uint8)
    text = tf.io.serialize_tensor((one - two)[0])
    length = CIPHER.upload_bytes
    return tf.strings.substr(text, -length, length)[tf.newaxis]


def a_sum_less_another(blocks):
    # With the adder, but of something that no client made.
    return CIPHER.add(tf.stack([CIPHER.add(blocks), two_sums_computed_with(blocks)]))


def header_in_the_middle(blocks):
    """A list moves the header of a message, a chosen ciphertext, behind other blocks."""
    mine = blocks[0]
    length = block_tails.NUM_BYTES
    tail = tf.strings.substr(mine[0], -length, length)
    chosen = tf.strings.join(["\x01" * (CIPHER.upload_bytes - length), tail])
    message = tf.concat([tf.stack([chosen]), mine], 0)
    parts = tf.raw_ops.TensorListReserve(
        element_shape=-1, num_elements=2, element_dtype=tf.string
    )
    for place, part in ((1, message), (0, mine)):
        parts = tf.raw_ops.TensorListSetItem(input_handle=parts, index=place, item=part)
    flat, _ = tf.raw_ops.TensorListConcatV2(
        input_handle=parts,
        element_dtype=tf.string,
        element_shape=tf.constant([-1], tf.int32),
        leading_dims=tf.zeros([0], tf.int64),
    )
    return CIPHER.add(tf.reshape(flat[1:], [1, -1]))


def serialised(blocks):
    """A message behind octets of the server's choice, which may be as long as a sum."""
    return CIPHER.add(tf.reshape(tf.io.serialize_tensor(blocks[0]), [1, 1]))
