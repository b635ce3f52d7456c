"""The interface behind which every cipher stands."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


class Cipher(NamedTuple):
    """An additively homomorphic cipher on integer vectors, as functions of tensors.

    Every function may be called eagerly or traced into a graph. Ciphertexts and keys are
    scalar strings: what is serialised is what crosses the wire.

    Attributes:
      name: As results report it.
      digest: Fingerprint of the parameters; a key file carries it too.
      block_size: Values in one ciphertext block.
      max_abs_sum: The largest magnitude of a sum that decrypts exactly.
      max_summands: The number of ciphertexts that may be added.
      keygen: `() -> secret_key`. Runs on: key holder. Randomness from the OS.
      encrypt: `(secret_key, int64 [s]) -> ciphertext`. Runs on: client. Fresh
        randomness from the OS in every run.
      add: `(ciphertexts string [k]) -> ciphertext` of the sum. Runs on: server, which
        needs no key. k >= 1.
      split: `(ciphertext, parts int32) -> string [parts]`: consecutive blocks in nearly
        equal parts, so that clients can share the decryption. Runs on: server.
      decrypt: `(secret_key, ciphertext or part) -> int64 [blocks * block_size]`, padded
        with zeros at the end. Runs on: client.
    """

    name: str
    digest: str
    block_size: int
    max_abs_sum: int
    max_summands: int
    keygen: Callable[[], tf.Tensor]
    encrypt: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    add: Callable[[tf.Tensor], tf.Tensor]
    split: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    decrypt: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def part_boundaries(blocks: tf.Tensor, parts: tf.Tensor) -> tf.Tensor:
    """Where to cut `blocks` blocks into nearly equal consecutive parts.

    Args:
      blocks: int32 scalar.
      parts: int32 scalar, >= 1.

    Returns:
      int32 [parts + 1], from 0 to `blocks`; parts may be empty.
    """
    return tf.range(parts + 1) * blocks // parts
