"""Our side without a shared key: every message with a secret of its own."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from experiments.suites.lattice import ours
from experiments.suites.lattice.side import ADDED, BOUND, PER_CLIENT, SUMMANDS, Side
from selenc_tf import catalog
from selenc_tf.lattice import engine as engine_lib
from selenc_tf.lattice.codec import FixedPointCodec
from selenc_tf.lattice.engine import Engine
from selenc_tf.lattice.per_client import PerClientKeys

_KEYS = PerClientKeys()
_SEED = (1, 2)
_NONCE = 1
_COHORT = (_NONCE, 2)


class Sealed(NamedTuple):
    """A message, or the sum of some.

    Attributes:
      message: string [1 + b].
      released: int32 [N], for the secure sum, or that sum.
    """

    message: tf.Tensor
    released: tf.Tensor


def build(name: str, bits: int) -> Side:
    """Builds the side.

    The secure sum itself is not timed: it is another protocol's, of a few thousand
    numbers. Its bytes count as so many bits as they have.

    Args:
      name: Of the side.
      bits: Of a value.

    Returns:
      The side.
    """
    cipher = catalog.per_client_cipher("device_rlwe", SUMMANDS, bits)
    engine = Engine(FixedPointCodec(bits), cipher)
    text = tf.TensorSpec([None], tf.string)
    number = tf.TensorSpec([], tf.int64)
    secret = tf.TensorSpec([cipher.secret_size], tf.int32)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def seal(values: tf.Tensor) -> Sealed:
        context = ours.round_context(engine, tf.size(values, tf.int64), _KEYS)
        seed = tf.constant(_SEED, tf.int64)
        made = engine_lib.seal_own(engine, values, tf.constant(BOUND), context, seed)
        released = cipher.release(
            made.secret,
            tf.constant(_NONCE, tf.int64),
            tf.constant(_COHORT, tf.int64),
            2,
        )
        return Sealed(made.message, released)

    def add(messages: list[tf.Tensor], num_values: tf.Tensor) -> tf.Tensor:
        context = ours.round_context(engine, num_values, _KEYS)
        return ours.add_judged(engine, messages, context)

    @functools.cache
    def adder(count: int) -> Any:
        return tf.function(add, input_signature=[[text] * count, number])

    @tf.function(input_signature=[text, secret, number, number])
    def open_(
        message: tf.Tensor,
        released: tf.Tensor,
        num_values: tf.Tensor,
        summands: tf.Tensor,
    ) -> tf.Tensor:
        context = ours.round_context(engine, num_values, _KEYS)
        count = tf.cast(summands, tf.int32)
        codes = engine_lib.open_released(engine, released, message, context, count)
        return engine.codec.decode(codes[:num_values], BOUND)

    def add_all(messages: Sequence[Sealed], num_values: int) -> Sealed:
        numbers = tf.constant(num_values, tf.int64)
        total = adder(len(messages))([one.message for one in messages], numbers)
        return Sealed(total, tf.add_n([one.released for one in messages]))

    def open_all(sealed: Sealed, num_values: int, summands: int) -> NDArray[np.float32]:
        numbers = tf.constant([num_values, summands], tf.int64)
        opened: NDArray[np.float32] = open_(*sealed, numbers[0], numbers[1]).numpy()
        return opened

    def count_bytes(sealed: Sealed) -> int:
        secrets = -(-cipher.secret_size * cipher.secret_bits // 8)
        return ours.count_bytes(sealed.message) + secrets

    return Side(
        name=name,
        details=f"{ours.in_words(engine)}, a secret for every message: "
        f"{cipher.secret_size} integers of {cipher.secret_bits} bits",
        setting=None,
        bits=bits,
        max_error=engine.codec.max_abs_error(BOUND, ADDED),
        seal=seal,
        seal_and_count=lambda values: count_bytes(seal(values)),
        add=add_all,
        open=open_all,
        count_bytes=count_bytes,
        cipher=PER_CLIENT,
    )
