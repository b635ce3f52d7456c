"""What a process without a shared key is made of: parts that a test may exchange."""

import dataclasses
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from federated import key_flow
from federated.round import drawing
from selenc_tf.lattice import device_per_client, message
from tests.federated.key_flow.parts import BLOCKS, any_length
from tests.selenc_tf.lattice import ciphers

CIPHER = ciphers.per_client(4, 16)
CODES = tff.TensorType(CIPHER.code_dtype.as_numpy_dtype, [1, CIPHER.num_slots])
SECRET = tff.TensorType(np.int32, [CIPHER.secret_size])
COHORT = tff.TensorType(np.int64, [None])
STACKED = tff.TensorType(np.str_, [None, None])
BITWIDTH = "federated_secure_sum_bitwidth"
tf_comp = tff.tensorflow.computation


def known():
    return tf.range(device_per_client.KNOWN, dtype=tf.int64)


class Made(NamedTuple):
    """What a client has after its encryption."""

    blocks: object
    secret: object


def seal(codes):
    sent, secret = CIPHER.encrypt(known(), codes)
    return Made(message.blocks_of(sent), secret)


def release(secret, nonce, cohort):
    return CIPHER.release(secret, nonce, cohort, tf.constant(2))


def secure(value):
    return tff.federated_secure_sum_bitwidth(value, CIPHER.secret_bits)


def open_sum(blocks, released):
    total = CIPHER.add(blocks)
    clients = tf.shape(blocks)[0]
    return CIPHER.open(known(), released, clients, tf.constant(0), total)


@dataclasses.dataclass(frozen=True)
class Parts:
    """What a process is made of; each may be exchanged for something that leaks.

    Attributes:
      seal: `(codes) -> Made`, in a client's graph.
      release: `(secret, nonce, cohort) -> value`, in a client's graph.
      secure: Wires how that reaches the server.
      open: `(blocks [k, b], released) -> anything`, in the server's graph.
      more: Wires something beside it: of the codes, what was made, nonces and cohort.
    """

    seal: object = seal
    release: object = release
    secure: object = secure
    open: object = open_sum
    more: object = None


def stacked(blocks):
    """The clients' messages at the server: string [k, b]."""
    return tff.federated_aggregate(
        blocks,
        tf_comp(lambda: any_length(tf.zeros([0, 1], tf.string)))(),
        tf_comp(lambda so_far, new: tf.concat([so_far, [new]], 0), STACKED, BLOCKS),
        tf_comp(lambda one, two: tf.concat([one, two], 0), STACKED, STACKED),
        tf_comp(any_length, STACKED),
    )


def listed(nonces):
    """The clients' nonces at the server: int64 [k]."""
    return tff.federated_aggregate(
        nonces,
        tf_comp(lambda: any_length(tf.zeros([0], tf.int64)))(),
        tf_comp(
            lambda rows, new: any_length(tf.concat([rows, [new]], 0)), COHORT, np.int64
        ),
        tf_comp(lambda one, two: any_length(tf.concat([one, two], 0)), COHORT, COHORT),
        tf_comp(lambda rows: any_length(tf.sort(rows)), COHORT),
    )


def mapped(function, *values):
    types = [value.type_signature.member for value in values]
    argument = values[0] if len(values) == 1 else values
    return tff.federated_map(tf_comp(function, *types), argument)


def process(parts=Parts()):
    @tff.federated_computation(tff.FederatedType(CODES, tff.CLIENTS))
    def made_of(codes):
        made = mapped(parts.seal, codes)
        nonce = tff.federated_eval(tf_comp(drawing.draw), tff.CLIENTS)
        cohort = tff.federated_broadcast(listed(nonce))
        released = parts.secure(mapped(parts.release, made.secret, nonce, cohort))
        results = [mapped(parts.open, stacked(made.blocks), released)]
        if parts.more is not None:
            results.append(parts.more(codes, made, nonce, cohort))
        return tuple(results)

    return made_of


def analysed(parts):
    return key_flow.analyse(process(parts))
