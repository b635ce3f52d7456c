"""The interface behind which every cipher stands."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


class Cipher(NamedTuple):
    """An additively homomorphic cipher on blocks of integers, as functions of tensors.

    The plaintext of a block is a vector of `num_slots` integers modulo
    `plaintext_modulus` t, given and returned as the representatives in [-(t - 1) / 2,
    (t - 1) / 2]. Others are no plaintexts: they open to some number in that range, of
    those below -t not the one that is equal modulo t. Every function may be called
    eagerly or traced into a graph. An encrypted block is a string of exactly
    `block_bytes` bytes, and any such string is safe to hand to `add` and `decrypt`:
    garbage gives garbage or zeros, not a crash. A block says of which parameters and
    key and of how many messages it is (`block_tails.py`). What a ciphertext is *of* is
    the business of `message.py`.

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
        block. Runs on: server, which needs no key. k >= 1, b >= 0. What is no sum of
        1 to `max_summands` messages under one key and these parameters, however it was
        added up, will be decrypted to zeros.
      decrypt: `(secret_key, string [b]) -> int64 [b, N]`, zeros in the place of a block
        that does not say that it is such a sum, under this key. Runs on: client.
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
