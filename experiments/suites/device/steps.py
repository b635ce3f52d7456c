"""What is timed: each step of each cipher on one chunk, compiled by XLA."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from selenc_tf.lattice.device import entropy, pad, parameters, rlwe

BITS, SUMMANDS = 16, 64
OPENED = 10
"""So many messages are in the sum that is opened."""


class Step(NamedTuple):
    """A step of a cipher.

    Attributes:
      function: A `tf.function`, compiled by XLA.
      arguments: Tensors that it is timed with.
    """

    function: Any
    arguments: tuple[tf.Tensor, ...]

    def work(self) -> tf.Tensor:
        """Does it once."""
        made: tf.Tensor = self.function(*self.arguments)
        return made


class Side(NamedTuple):
    """A cipher's steps on one chunk.

    Attributes:
      name: Of the cipher.
      chunk_values: Values of a chunk.
      bytes_per_value: Of what is sent, without its header.
      steps: By name.
      check: Whether a sum of `OPENED` messages opens to the sum of their codes.
    """

    name: str
    chunk_values: int
    bytes_per_value: float
    steps: Mapping[str, Step]
    check: Callable[[], bool]


def build_rlwe(per_client: bool, columns: int, groups_at_once: int) -> Side:
    """Ring-LWE for sums of 64 codes of 16 bits.

    Args:
      per_client: Whether every client has a key of its own.
      columns: Polynomials of a chunk.
      groups_at_once: Of the key stream.
    """
    found = parameters.choose_parameters(SUMMANDS, BITS, per_client)
    chosen = parameters.RlweParameters(
        found.log_n, found.primes, BITS, SUMMANDS, found.variance, columns
    )
    scheme, chunk = rlwe.Rlwe(chosen, groups_at_once), 1
    seeds = [entropy.draw_seed() for _ in range(3)]
    secret = scheme.secret_values(scheme.secret_coefficients(seeds[0]))
    shape = (chosen.fields, chosen.degree, chosen.columns)
    codes = _codes(shape)

    @_compiled
    def encrypt(
        secret: tf.Tensor, public: tf.Tensor, noise: tf.Tensor, codes: tf.Tensor
    ) -> tf.Tensor:
        expanded = scheme.public(public, chunk)
        return scheme.pack(scheme.encrypt(secret, expanded, noise, chunk, codes))

    @_compiled
    def add(total: tf.Tensor, words: tf.Tensor) -> tf.Tensor:
        return scheme.add(total, scheme.unpack(words))

    @_compiled
    def add_public(total: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return scheme.add(total, scheme.public(seed, chunk))

    opener = _compiled(scheme.open)
    nothing = tf.zeros([len(chosen.primes), chosen.degree, chosen.columns], tf.uint32)

    def summed(count: int) -> tuple[tf.Tensor, tf.Tensor]:
        """The sums of the a and of the ciphertexts of one message, so often."""
        words, public, total = encrypt(secret, *seeds[1:], codes), nothing, nothing
        for _ in range(count):
            public, total = add_public(public, seeds[1]), add(total, words)
        return public, total

    one = encrypt(secret, *seeds[1:], codes)
    sums = summed(OPENED)
    steps = {
        "encrypt": Step(encrypt, (secret, *seeds[1:], codes)),
        "add": Step(add, (sums[1], one)),
        "expand and add a seed": Step(add_public, (sums[0], seeds[1])),
        "open": Step(opener, (secret, *sums)),
    }
    if per_client:
        del steps["expand and add a seed"]
    return Side(
        "device_rlwe, " + ("a key for each client" if per_client else "shared key"),
        chosen.chunk_values,
        chosen.bytes_per_value,
        steps,
        lambda: np.array_equal(opener(secret, *sums), OPENED * codes.numpy()),
    )


def build_pad(columns: int, groups_at_once: int) -> Side:
    """The additive pad for sums of 64 codes of 16 bits.

    Args:
      columns: Of a chunk.
      groups_at_once: Of the key stream.
    """
    scheme = pad.Pad(BITS, SUMMANDS, columns, groups_at_once)
    chunk, key = tf.constant(1), entropy.draw_seed()
    seeds = tf.stack([entropy.draw_seed() for _ in range(OPENED)])
    keys = tf.stack([pad.message_key(key, seed) for seed in seeds])
    codes = _codes((scheme.rows, scheme.columns))
    encrypt, add = _compiled(scheme.encrypt), _compiled(scheme.add)
    opener = _compiled(scheme.open)
    parts = [encrypt(one, chunk, codes) for one in keys]
    total = parts[0]
    for part in parts[1:]:
        total = add(total, part)
    return Side(
        "additive_pad",
        scheme.chunk_values,
        scheme.bytes_per_value,
        {
            "encrypt": Step(encrypt, (keys[0], chunk, codes)),
            "add": Step(add, (total, parts[0])),
            f"open a sum of {OPENED}": Step(opener, (keys, chunk, total)),
        },
        lambda: np.array_equal(opener(keys, chunk, total), OPENED * codes.numpy()),
    )


def _codes(shape: tuple[int, ...]) -> tf.Tensor:
    largest = (1 << (BITS - 1)) - 1
    drawn = np.random.default_rng(0).integers(-largest, largest + 1, shape)
    return tf.constant(drawn, tf.int32)


def _compiled(function: Callable[..., tf.Tensor]) -> Any:
    return tf.function(function, jit_compile=True, autograph=False)
