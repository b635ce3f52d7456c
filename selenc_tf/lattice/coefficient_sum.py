"""Adding ciphertexts: their coefficients are added, modulo the primes they belong to.

It needs no key, no noise and no number-theoretic transform, so it is plain arithmetic on
the coefficients as they lie in messages. tf-shell adds the same (a test compares the
bytes), but would first copy every ciphertext into its own objects.
"""

import itertools
from collections.abc import Callable

import tensorflow as tf

from selenc_tf.lattice import bit_fields
from selenc_tf.lattice.chunks import in_chunks
from selenc_tf.lattice.parameters import Parameters

_COMPONENTS = 2
"""Polynomials of a ciphertext that was never multiplied."""

_CHUNK_BLOCKS = 32
"""Few enough for all summands of a chunk to stay in the cache between two operations."""


def add(parameters: Parameters, ciphertexts: tf.Tensor) -> tf.Tensor:
    """Adds ciphertexts block by block.

    Runs on: server.

    Args:
      parameters: Their parameters.
      ciphertexts: string [k, b], k from 1 to `max_summands`, each of `block_bytes` and
        whatever stands behind them. Bytes that are no coefficients, because they are
        not below their prime, are taken modulo it.

    Returns:
      string [b], the sums alone.
    """

    def add_chunk(chunk: tf.Tensor) -> tf.Tensor:
        first = chunk * _CHUNK_BLOCKS
        blocks = ciphertexts[:, first : first + _CHUNK_BLOCKS]
        length = parameters.block_bytes
        octets = tf.io.decode_raw(blocks, tf.uint8, fixed_length=length)
        return _to_strings(_add_octets(parameters, octets), length)

    blocks = tf.shape(ciphertexts)[1]
    return in_chunks(add_chunk, -(-blocks // _CHUNK_BLOCKS), tf.string)


def _add_octets(parameters: Parameters, octets: tf.Tensor) -> tf.Tensor:
    """From uint8 [k, c, block_bytes] to uint8 [c, block_bytes]."""
    summands, blocks = tf.shape(octets)[0], tf.shape(octets)[1]
    sums = []
    start = 0
    # With a single prime, one stretch of both components.
    for modulus, stretches in itertools.groupby(
        parameters.ciphertext_moduli * _COMPONENTS
    ):
        width = modulus.bit_length()
        length = len(list(stretches)) * parameters.num_slots * width // 8
        # Slices of two axes are copied faster than those of more.
        rows = tf.reshape(octets[:, :, start : start + length], [-1, width])
        total = _sum_modulo(modulus, parameters.max_summands)
        columns = [
            total(tf.reshape(column, [summands, -1]))
            for column in bit_fields.unpack(rows)
        ]
        sums.append(tf.reshape(bit_fields.pack(columns, width), [blocks, length]))
        start += length
    return tf.concat(sums, axis=1)


def _sum_modulo(modulus: int, max_summands: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """The sum over the first axis of integers of as many bits as the modulus."""

    def at_once(values: tf.Tensor) -> tf.Tensor:
        return tf.math.floormod(tf.reduce_sum(values, axis=0), modulus)

    def one_by_one(values: tf.Tensor) -> tf.Tensor:
        return tf.foldl(
            lambda total, one: tf.math.floormod(total + one, modulus),
            values,
            initializer=tf.zeros_like(values[0]),
        )

    return at_once if max_summands << modulus.bit_length() < 2**63 else one_by_one


def _to_strings(octets: tf.Tensor, length: int) -> tf.Tensor:
    """From uint8 [c, length] to string [c]."""

    def to_string(row: tf.Tensor) -> tf.Tensor:
        # TensorFlow can only make bytes into a string as the end of a serialised tensor.
        return tf.strings.substr(tf.io.serialize_tensor(row), -length, length)

    return tf.map_fn(
        to_string, octets, fn_output_signature=tf.TensorSpec([], tf.string)
    )
