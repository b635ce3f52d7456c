"""The interface of ciphers without a shared key: every message has a secret of its own.

A client encrypts its message under a secret that is drawn for it and keeps the secret.
When the server has said whose messages it added, the clients of that cohort add up their
secrets by secure aggregation, and the sum of the secrets opens the sum of the messages:
there is no key to be made, handed out or stolen, and nobody opens anything less.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


class PerClientCipher(NamedTuple):
    """An additively homomorphic cipher whose secrets serve one message, as functions.

    As `cipher.Cipher`, whose attributes of the same names it has, but for the secrets.
    What is *known* of a round are the numbers of its `header.Context`; they decide the
    public part that the messages of a round have in common.

    Attributes:
      name: As results report it.
      digest: Fingerprint of the parameters, 16 hex digits; messages carry it.
      num_slots: The integers of one block.
      plaintext_modulus: t.
      max_abs_plaintext: No sum of `max_summands` so large ones leaves the range.
      max_summands: The number of ciphertexts whose sum opens exactly.
      upload_bytes: The length of a block that `encrypt` gives.
      sum_bytes: The length of a block that `add` gives.
      secret_size: N, the integers of a secret.
      secret_bits: How many bits each of them has as `release` gives it.
      encrypt: `(known int64 [9], codes [b, num_slots]) -> (string [1 + b], int32 [N])`, a
        whole message, with its header (`message.py`), and its secret; codes are of
        `code_dtype`. Runs on: client. Secret
        and noise are drawn from the OS in every run and at every place in a graph: there
        is no second message under one secret, and nobody can give one.
      add: `(string [k, b]) -> string [b]`, block by block. Runs on: server. What is no
        sum of 1 to `max_summands` messages of one round and these parameters will be
        opened to zeros.
      release: `(secret int32 [N], nonce int64, cohort int64 [k], min_clients int32) ->
        int32 [N]`, from 0 to 2^secret_bits - 1: what the client puts into the secure sum.
        Zeros if its nonce is not in the cohort; otherwise the secret, moved so that it is
        not negative. Fails if the cohort is smaller than `min_clients`, or than two, or
        has the nonce twice. Runs on: client.
      open: `(known int64 [9], released int32 [N], clients int32, first_block int32,
        string [b]) -> int64 [b, num_slots]` of a sum of that many clients' messages, by
        the sum of what they released; zeros in the place of a block that is no such sum,
        and some numbers if a secret is missing. Runs on: server.
      code_dtype: The integers that `encrypt` takes.
      group_blocks: The blocks that are worked on together; fewer take as long.
    """

    name: str
    digest: str
    num_slots: int
    plaintext_modulus: int
    max_abs_plaintext: int
    max_summands: int
    upload_bytes: int
    sum_bytes: int
    secret_size: int
    secret_bits: int
    encrypt: Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
    add: Callable[[tf.Tensor], tf.Tensor]
    release: Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
    open: Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
    code_dtype: tf.DType
    group_blocks: int = 1


@dataclasses.dataclass(frozen=True)
class PerClientKeys:
    """In the place of a `KeySet`: there is no key that clients share. Public.

    Attributes:
      key_id: That of no key: zeros.
      rotates: Whether every round has a key of its own that somebody must make: no.
    """

    key_id: str = dataclasses.field(default="0" * 16, init=False)
    rotates: bool = dataclasses.field(default=False, init=False)

    def number(self, round_number: tf.Tensor | int) -> tf.Tensor:
        """Which key of a series a round takes: zero, int64."""
        return tf.zeros_like(tf.cast(round_number, tf.int64))
