"""The interface behind which every cipher stands."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


class Cipher(NamedTuple):
    """An additively homomorphic cipher on blocks of integers, as functions of tensors.

    The plaintext of a block is a vector of `num_slots` integers, each within
    +-`max_abs_plaintext`. Sums are opened modulo `plaintext_modulus` t, as the
    representatives in [-t / 2, t / 2). Other integers are no plaintexts: they open to some
    numbers in that range. Every function may be called eagerly or traced into a graph.

    An *upload*, what a client makes of a plaintext, is a string of exactly `upload_bytes`
    bytes, and a *sum*, what the server makes of uploads and of sums, one of `sum_bytes`; a
    cipher that sends a seed for a part of the ciphertext has sums that are longer. Any
    string of these lengths is safe to hand to `add` and `decrypt`: garbage gives garbage
    or zeros, not a crash. A block says of which parameters and key and of how many
    messages it is (`block_tails.py`). What a ciphertext is *of* is the business of
    `message.py`.

    Attributes:
      name: As results report it.
      digest: Fingerprint of the parameters, 16 hex digits; key files and messages
        carry it.
      num_slots: The integers of one block.
      plaintext_modulus: t.
      max_abs_plaintext: (t - 1) / 2 where t is odd: then all integers modulo t are
        plaintexts. Otherwise no sum of `max_summands` so large ones leaves the range.
      max_summands: The number of ciphertexts whose sum decrypts exactly.
      upload_bytes: The length of a block that `encrypt` gives.
      sum_bytes: The length of a block that `add` gives.
      keygen: `() -> secret_key`, a scalar string. Runs on: key holder. Randomness from
        the OS.
      encrypt: `(secret_key, int64 [b, num_slots]) -> string [b]`, uploads. Runs on:
        client. Fresh randomness from the OS in every run and at every place in a graph;
        no caller can choose it.
      add: `(string [k, b]) -> string [b]`, the sum over the k ciphertexts, block by
        block. Runs on: server, which needs no key. k >= 1, b >= 0. What is no sum of
        1 to `max_summands` messages under one key and these parameters, however it was
        added up, will be decrypted to zeros.
      decrypt: `(secret_key, string [b]) -> int64 [b, num_slots]` of sums, and of uploads
        too; zeros in the place of a block that does not say that it is such a sum, under
        this key. Runs on: client.
      group_blocks: As many blocks are best encrypted at a time; a few take as long.
    """

    name: str
    digest: str
    num_slots: int
    plaintext_modulus: int
    max_abs_plaintext: int
    max_summands: int
    upload_bytes: int
    sum_bytes: int
    keygen: Callable[[], tf.Tensor]
    encrypt: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    add: Callable[[tf.Tensor], tf.Tensor]
    decrypt: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    group_blocks: int = 1
