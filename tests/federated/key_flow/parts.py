"""What computations under analysis are made of."""

import functools

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

import federated  # noqa: F401
from federated import aggregators
from federated.key_flow.labels import Label
from selenc_tf.lattice import (
    block_tails,
    key_store,
    scales,
)
from tests.federated.rounds import BOUND, CIPHER, CODEC, SEED

tf_comp = tff.tensorflow.computation
fed_comp = tff.federated_computation

ROW = tff.TensorType(np.int64, [1, CIPHER.num_slots])
BLOCKS = tff.TensorType(np.str_, [None])

NO_LABEL = frozenset()
SUM = frozenset({Label.SUM})


# A file is looked into outside of graphs only; inside of them the answer is known.
find = functools.cache(key_store.find)


def secret_of(path):
    """A key without what stands in front of it, which is public."""
    key = key_store.read(find(path), CIPHER).numpy()
    return key[block_tails.KEY_FRONT_BYTES :]


def any_length(tensor):
    """The tensor without its static shape."""
    shape = [None] * tensor.shape.rank
    return tf.raw_ops.PlaceholderWithDefault(input=tensor, shape=shape)


def encryption(path, source=SEED, cipher=CIPHER):
    keys = find(path)
    return aggregators.SelectiveEncryption(
        source, CODEC, scales.public_bound(BOUND), cipher, keys
    )


def send(value):
    """Sends a clients' value to a server that ignores it."""
    member = value.type_signature.member
    return tff.federated_aggregate(
        value,
        tf_comp(lambda: 0)(),
        tf_comp(lambda total, _: total + 1, np.int32, member),
        tf_comp(lambda one, two: one + two, np.int32, np.int32),
        tf_comp(lambda total: total + 0, np.int32),
    )


def reader(path):
    return tf_comp(lambda: key_store.read(find(path), CIPHER))


def with_key(path, function, type_spec):
    """A computation that reads the key for itself: `function` gets it first."""
    return tf_comp(
        lambda given: function(key_store.read(find(path), CIPHER), given), type_spec
    )


def key_at_clients(path):
    return tff.federated_eval(reader(path), tff.CLIENTS)
