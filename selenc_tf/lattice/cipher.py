"""The interface behind which every cipher stands."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


class Cipher(NamedTuple):
    """An additively homomorphic cipher on blocks of integers, as functions of tensors.

    The plaintext of a block is a vector of `num_slots` integers modulo
    `plaintext_modulus` t, given and returned as the representatives in
    [-(t - 1) / 2, (t - 1) / 2]. Every function may be called eagerly or traced into a
    graph. An encrypted block is a string of exactly `block_bytes` bytes, and any such
    string is safe to hand to `add` and `decrypt`: garbage gives garbage, not a crash.
    What a ciphertext is *of* is the business of `message.py`.

    Attributes:
      name: As results report it.
      digest: Fingerprint of the parameters, 16 hex digits; key files and messages
        carry it.
      num_slots: N, the integers of one block.
      plaintext_modulus: t, odd.
      max_summands: The number of ciphertexts whose sum decrypts exactly modulo t.
      block_bytes: The length of an encrypted block.
      keygen: `() -> secret_key`, a scalar string. Runs on: key holder. Randomness from
        the OS.
      encrypt: `(secret_key, int64 [b, N]) -> string [b]`. Runs on: client. Fresh
        randomness from the OS in every run and at every place in a graph.
      add: `(string [k, b]) -> string [b]`, the sum over the k ciphertexts, block by
        block. Runs on: server, which needs no key. k >= 1, b >= 0.
      decrypt: `(secret_key, string [b]) -> int64 [b, N]`, whatever the blocks are. Runs on:
        tests and measurements; what it makes of a sum beyond `max_summands` tells of
        the key.
      open: `(secret_key, string [b], int64 [b, 1]) -> int64 [b, N - 1]`: decrypts blocks
        whose last slots must be the given checks, and gives out the others. Runs on:
        client. InvalidArgumentError (`GARBLED`) if a check differs.
    """

    name: str
    digest: str
    num_slots: int
    plaintext_modulus: int
    max_summands: int
    block_bytes: int
    keygen: Callable[[], tf.Tensor]
    encrypt: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    add: Callable[[tf.Tensor], tf.Tensor]
    decrypt: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    open: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
